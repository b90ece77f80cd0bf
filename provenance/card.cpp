#include "provenance/card.hpp"

#include <map>
#include <vector>

#include "base/text.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance {
namespace {
constexpr formats::YamlBudget kBudget{.depth_max = 32, .events_max = 50'000};
constexpr std::size_t kValuesMax = 1'000;      // of one list; the longest real one is a few hundred languages
constexpr std::size_t kValueBytesMax = 1'024;  // a repository id, a licence id, a URL

/// Top-level keys with a scalar or a list of scalars; deeper structure is walked over.
using Fields = std::map<std::string, std::vector<std::string>>;

class CardSink {
 public:
  explicit CardSink(Fields& fields) : fields_(fields) {}

  Result<> take(const formats::TreeEvent& event) {
    using Kind = formats::TreeEvent::Kind;
    switch (event.kind) {
      case Kind::ObjectBegin:
      case Kind::ListBegin:
        if (++depth_ == 1 && event.kind != Kind::ObjectBegin) return no_mapping();
        if (depth_ == 2) {
          is_list_ = event.kind == Kind::ListBegin;
          fields_[key_].clear();  // the last duplicate wins
        }
        return ok();
      case Kind::ObjectEnd:
      case Kind::ListEnd:
        --depth_;
        return ok();
      case Kind::Key:
        if (depth_ == 1) key_ = event.text;
        return ok();
      default:
        return scalar(event);
    }
  }

 private:
  static Error no_mapping() { return {Errc::BadInput, "the front matter is not a mapping"}; }

  Result<> scalar(const formats::TreeEvent& event) {
    if (depth_ == 0) return no_mapping();
    if (depth_ != 1 && !(depth_ == 2 && is_list_)) return ok();
    auto& values = fields_[key_];
    if (depth_ == 1) values.clear();
    if (event.kind != formats::TreeEvent::Kind::Null && values.size() < kValuesMax)
      values.emplace_back(event.text.substr(0, kValueBytesMax));
    return ok();
  }

  Fields& fields_;
  int depth_ = 0;
  bool is_list_ = false;  ///< the value of the key is a list
  std::string key_;
};

/// Cutting at a byte limit may split a character; what is stored must be UTF-8.
std::string clean(const std::string& value) { return printable(trim(value)); }
}  // namespace

std::string front_matter(std::string_view readme) {
  if (readme.starts_with("\xEF\xBB\xBF")) readme.remove_prefix(3);
  while (readme.starts_with('\n') || readme.starts_with("\r\n")) readme.remove_prefix(readme[0] == '\r' ? 2 : 1);
  auto next_line = [](std::string_view& text) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    return line;
  };
  if (!readme.starts_with("---") || next_line(readme) != "---") return {};
  const std::string_view body = readme.substr(0, kFrontMatterBytesMax + 8);
  for (std::string_view rest = body; !rest.empty();) {
    const auto offset = static_cast<std::size_t>(rest.data() - body.data());
    if (next_line(rest) == "---")
      return offset > kFrontMatterBytesMax ? std::string() : std::string(body.substr(0, offset));
  }
  return {};
}

storage::CardFacts parse_card(std::string_view yaml) {
  storage::CardFacts card;
  if (yaml.empty()) return card;
  if (yaml.size() > kFrontMatterBytesMax) {
    card.problem = "the front matter is larger than " + human_bytes(kFrontMatterBytesMax);
    return card;
  }
  Fields fields;
  CardSink sink(fields);
  const auto read =
      formats::read_yaml(yaml, kBudget, [&](const formats::TreeEvent& event) { return sink.take(event); });
  if (!read) {
    card.problem = printable(read.assume_error().what);
    return card;
  }
  auto list = [&](const char* key) {
    std::vector<std::string> out;
    for (const std::string& v : fields[key])
      if (std::string c = clean(v); !c.empty()) out.push_back(std::move(c));
    return out;
  };
  auto one = [&](const char* key) {
    auto values = list(key);
    return values.empty() ? std::string{} : std::move(values.front());
  };
  card.licences = list("license");
  if (card.licences.empty()) card.licences = list("licenses");  // the plural was legal once and still occurs
  card.licence_name = one("license_name");
  card.licence_link = one("license_link");
  card.base_models = list("base_model");
  if (card.base_models.empty()) card.base_models = list("finetuned_from");
  card.datasets = list("datasets");
  card.languages = list("language");
  if (card.languages.empty()) card.languages = list("languages");
  card.base_model_relation = one("base_model_relation");
  card.pipeline_tag = one("pipeline_tag");
  card.library_name = one("library_name");
  return card;
}
}  // namespace hm::provenance
