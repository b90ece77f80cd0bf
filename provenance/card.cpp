#include "provenance/card.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "base/text.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance {
namespace {
constexpr formats::YamlBudget kBudget{.depth_max = 32, .events_max = 50'000};
constexpr std::size_t kValuesMax = 1'000;      // of one list; the longest real one is a few hundred languages
constexpr std::size_t kValueBytesMax = 1'024;  // a repository id, a licence id, a URL
constexpr std::size_t kBlocksMax = 256;        // of a broken card; whole cards have a few dozen keys
constexpr std::size_t kUnreadNamedMax = 5;     // keys in a problem
constexpr std::size_t kKeyBytesShown = 64;

/// Top-level keys with a scalar or a list of scalars; deeper structure is walked over, but for what is told below.
using Fields = std::map<std::string, std::vector<std::string>>;
/// A dataset of the results in model-index, as the name of a field.
constexpr std::string_view kEvaluatedOn = "model-index/results/dataset/type";

/// Older cards give these by configuration: `license: {en: [mit], de: [cc-by-4.0]}`.
bool is_flattened(std::string_view key) {
  return key == "license" || key == "licenses" || key == "language" || key == "languages";
}

class CardSink {
 public:
  explicit CardSink(Fields& fields) : fields_(fields) {}

  Result<> take(const formats::TreeEvent& event) {
    using Kind = formats::TreeEvent::Kind;
    switch (event.kind) {
      case Kind::ObjectBegin:
      case Kind::ListBegin:
        if (path_.empty() && event.kind != Kind::ObjectBegin) return no_mapping();
        path_.push_back({event.kind == Kind::ListBegin, {}});
        if (path_.size() == 2) forget();
        return ok();
      case Kind::ObjectEnd:
      case Kind::ListEnd:
        path_.pop_back();
        return ok();
      case Kind::Key:
        path_.back().key = event.text;
        return ok();
      default:
        return scalar(event);
    }
  }

 private:
  struct Level {
    bool list = false;
    std::string key;  ///< of a mapping: the one that is read
  };
  static Error no_mapping() { return {Errc::BadInput, "the front matter is not a mapping"}; }

  /// The last duplicate wins.
  void forget() {
    const std::string& key = path_[0].key;
    fields_[key].clear();
    if (kEvaluatedOn.starts_with(key + "/")) fields_.erase(std::string(kEvaluatedOn));
  }
  bool is_evaluated_on() const {
    std::string_view rest = kEvaluatedOn;
    for (const Level& level : path_) {
      if (level.list) continue;
      if (!rest.starts_with(level.key)) return false;
      rest.remove_prefix(level.key.size());
      if (rest.empty()) return &level == &path_.back();
      if (rest[0] != '/') return false;
      rest.remove_prefix(1);
    }
    return false;
  }

  Result<> scalar(const formats::TreeEvent& event) {
    if (path_.empty()) return no_mapping();
    const std::string& key = path_[0].key;
    if (path_.size() == 1) forget();
    const bool of_field = path_.size() == 1 || (path_.size() == 2 && path_[1].list) || is_flattened(key);
    if (!of_field && !is_evaluated_on()) return ok();
    auto& values = fields_[of_field ? key : std::string(kEvaluatedOn)];
    if (event.kind != formats::TreeEvent::Kind::Null && values.size() < kValuesMax)
      values.emplace_back(event.text.substr(0, kValueBytesMax));
    return ok();
  }

  Fields& fields_;
  std::vector<Level> path_;  ///< the mappings and lists around what comes next
};

Result<> read_fields(std::string_view yaml, Fields& fields) {
  CardSink sink(fields);
  return formats::read_yaml(yaml, kBudget, [&](const formats::TreeEvent& event) { return sink.take(event); });
}

/// Whether a top-level key begins with this line.
bool begins_block(std::string_view line) {
  if (line.empty() || std::string_view(" \t\r#-[]{}\"',&*!|>%@`").find(line[0]) != std::string_view::npos) return false;
  const std::size_t colon = line.find(':');
  return colon != std::string_view::npos &&
         (colon + 1 == line.size() || std::string_view(" \t\r").find(line[colon + 1]) != std::string_view::npos);
}

/// What can be read where the whole cannot: each top-level key with the lines under it alone. @returns the keys that
/// could not be read.
std::vector<std::string> read_blocks(std::string_view yaml, Fields& fields) {
  std::vector<std::string> unread;
  const auto read_one = [&](std::string_view block) {
    Fields one;
    if (!begins_block(block.substr(0, block.find('\n')))) return;  // what stands before the first key
    if (read_fields(block, one))
      for (auto& [key, values] : one) fields[key] = std::move(values);
    else
      unread.emplace_back(block.substr(0, block.find(':')));
  };
  std::size_t begin = 0, blocks = 0;
  for (std::size_t at = 0; at < yaml.size() && blocks < kBlocksMax;) {
    const std::size_t end = std::min(yaml.find('\n', at), yaml.size());
    if (at != begin && begins_block(yaml.substr(at, end - at))) {
      read_one(yaml.substr(begin, at - begin));
      begin = at;
      ++blocks;
    }
    at = end + 1;
  }
  if (blocks < kBlocksMax) read_one(yaml.substr(begin));
  return unread;
}

/// Cutting at a byte limit may split a character; what is stored must be UTF-8.
std::string clean(const std::string& value) { return printable(trim(value)); }
}  // namespace

std::string front_matter(std::string_view readme) {
  constexpr std::string_view kFence = "---", kBlanks = " \t", kLineEnds = "\r\n", kSpace = " \t\r\n\v\f";
  if (readme.starts_with("\xEF\xBB\xBF")) readme.remove_prefix(3);
  readme.remove_prefix(std::min(readme.find_first_not_of(kSpace), readme.size()));
  if (!readme.starts_with(kFence)) return {};
  readme.remove_prefix(kFence.size());
  const std::size_t begin = readme.find_first_not_of(kLineEnds);
  if (begin == 0 || begin == readme.npos) return {};  // no line end, or nothing behind it
  const std::string_view body = readme.substr(begin, kFrontMatterBytesMax + 1'024);
  if (body.starts_with(kFence)) return {};
  for (std::size_t at = body.find(kFence); at != body.npos; at = body.find(kFence, at + 1)) {
    if (kLineEnds.find(body[at - 1]) == kLineEnds.npos) continue;
    const std::size_t end = body.find_first_not_of(kBlanks, at + kFence.size());
    if (end != body.npos && body[end] != '\n' && body.substr(end, 2) != "\r\n") continue;
    return at > kFrontMatterBytesMax ? std::string() : std::string(body.substr(0, at));
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
  if (const auto read = read_fields(yaml, fields); !read) {
    fields.clear();
    const std::vector<std::string> unread = read_blocks(yaml, fields);
    card.problem = read.assume_error().what;
    for (std::size_t i = 0; i < std::min(unread.size(), kUnreadNamedMax); ++i)
      card.problem += (i == 0 ? "; not read: " : ", ") + unread[i].substr(0, kKeyBytesShown);
    card.problem = printable(card.problem);
  }
  auto list = [&](std::string_view key) {
    std::vector<std::string> out;
    for (const std::string& v : fields[std::string(key)])
      if (std::string c = clean(v); !c.empty()) out.push_back(std::move(c));
    return out;
  };
  auto one = [&](std::string_view key) {
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
  card.new_version = one("new_version");
  card.source_datasets = list("source_datasets");
  card.models = list("models");
  for (std::string& dataset : list(kEvaluatedOn))
    if (std::find(card.evaluated_on.begin(), card.evaluated_on.end(), dataset) == card.evaluated_on.end())
      card.evaluated_on.push_back(std::move(dataset));
  return card;
}
}  // namespace hm::provenance
