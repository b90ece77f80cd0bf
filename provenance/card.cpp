#include "provenance/card.hpp"

#include <yaml.h>

#include <map>
#include <optional>
#include <vector>

#include "base/text.hpp"

namespace hm::provenance {
namespace {
constexpr int kDepthMax = 32;
constexpr int kEventsMax = 50'000;
constexpr std::size_t kValuesMax = 1'000;      // of one list; the longest real one is a few hundred languages
constexpr std::size_t kValueBytesMax = 1'024;  // a repository id, a licence id, a URL

/// Top-level keys with a scalar or a list of scalars; deeper structure is walked over.
using Fields = std::map<std::string, std::vector<std::string>>;

class CardParser {
 public:
  explicit CardParser(std::string_view yaml) {
    ready_ = yaml_parser_initialize(&parser_) != 0;
    if (ready_)
      yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(yaml.data()), yaml.size());
  }
  ~CardParser() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  CardParser(const CardParser&) = delete;
  CardParser& operator=(const CardParser&) = delete;

  std::optional<std::string> run(Fields& fields) {
    if (!ready_) return "out of memory";
    for (int events = 0; !done_; ++events) {
      if (events > kEventsMax) return "more than " + std::to_string(kEventsMax) + " YAML events";
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0)
        return "not valid YAML in line " + std::to_string(parser_.problem_mark.line + 1) +
               (parser_.problem != nullptr ? std::string(": ") + parser_.problem : "");
      const auto problem = take(event, fields);
      yaml_event_delete(&event);
      if (problem) return problem;
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> take(const yaml_event_t& event, Fields& fields) {
    switch (event.type) {
      case YAML_STREAM_END_EVENT:
      case YAML_DOCUMENT_END_EVENT:
        done_ = true;
        break;  // one document is the card
      case YAML_MAPPING_START_EVENT:
      case YAML_SEQUENCE_START_EVENT:
        if (++depth_ > kDepthMax) return "nested deeper than " + std::to_string(kDepthMax);
        if (depth_ == 1 && event.type != YAML_MAPPING_START_EVENT) return "the front matter is not a mapping";
        if (depth_ == 2) start_value(fields, event.type == YAML_SEQUENCE_START_EVENT);
        break;
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT:
        --depth_;
        if (depth_ == 1) end_value();
        break;
      case YAML_SCALAR_EVENT: {
        const std::string value(reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length);
        const bool null = event.data.scalar.plain_implicit != 0 && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                          (value.empty() || value == "~" || value == "null");
        if (event.data.scalar.anchor != nullptr)
          anchors_[reinterpret_cast<const char*>(event.data.scalar.anchor)] = value;
        return scalar(value, null, fields);
      }
      case YAML_ALIAS_EVENT: {
        const auto it = anchors_.find(reinterpret_cast<const char*>(event.data.alias.anchor));
        if (it == anchors_.end()) return "an alias of something that is not a scalar";
        return scalar(it->second, false, fields);
      }
      default:
        break;
    }
    return std::nullopt;
  }

  void start_value(Fields& fields, bool list) {
    if (!key_) {  // a mapping or list as a key: its value belongs to nothing we read
      complex_key_ = true;
      return;
    }
    in_list_ = list;
    fields[*key_].clear();  // the last duplicate wins
  }

  void end_value() {
    in_list_ = false;
    if (std::exchange(complex_key_, false))
      key_.emplace();
    else
      key_.reset();
  }

  std::optional<std::string> scalar(const std::string& value, bool null, Fields& fields) {
    if (depth_ == 0) return "the front matter is not a mapping";
    if (depth_ == 1 && !key_) {
      key_ = value;
    } else if (depth_ == 1) {
      auto& values = fields[*key_];
      values.clear();
      if (!null) values.push_back(value.substr(0, kValueBytesMax));
      key_.reset();
    } else if (depth_ == 2 && in_list_ && key_ && !null) {
      auto& values = fields[*key_];
      if (values.size() < kValuesMax) values.push_back(value.substr(0, kValueBytesMax));
    }
    return std::nullopt;
  }

  yaml_parser_t parser_{};
  bool ready_ = false, done_ = false, in_list_ = false, complex_key_ = false;
  int depth_ = 0;
  std::optional<std::string> key_;
  std::map<std::string, std::string> anchors_;
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
  if (const auto problem = CardParser(yaml).run(fields)) {
    card.problem = printable(*problem);
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
