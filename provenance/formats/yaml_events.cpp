#include <yaml.h>

#include <map>
#include <string>
#include <vector>

#include "provenance/formats/model_header.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance::formats {
namespace {
using Kind = TreeEvent::Kind;

class YamlReader {
 public:
  YamlReader(std::string_view text, const YamlBudget& budget, const TreeSink& sink) : budget_(budget), sink_(sink) {
    ready_ = yaml_parser_initialize(&parser_) != 0;
    if (ready_)
      yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~YamlReader() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  Result<> run() {
    if (!ready_) return Error{Errc::Internal, "out of memory"};
    for (int events = 0; !done_; ++events) {
      if (events > budget_.events_max)
        return bad_file("more than " + std::to_string(budget_.events_max) + " YAML events");
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0)
        return bad_file("not valid YAML in line " + std::to_string(parser_.problem_mark.line + 1) +
                        (parser_.problem != nullptr ? std::string(": ") + parser_.problem : ""));
      auto taken = take(event);
      yaml_event_delete(&event);
      HM_TRY(std::move(taken));
    }
    return ok();
  }

 private:
  struct Level {
    bool mapping = false;
    bool key_next = false;  ///< of a mapping
  };

  Result<> take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_STREAM_END_EVENT:
      case YAML_DOCUMENT_END_EVENT:
        done_ = true;
        return ok();
      case YAML_MAPPING_START_EVENT:
        return begin(true);
      case YAML_SEQUENCE_START_EVENT:
        return begin(false);
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT:
        return end();
      case YAML_SCALAR_EVENT: {
        const auto& scalar = event.data.scalar;
        const std::string_view value(reinterpret_cast<const char*>(scalar.value), scalar.length);
        if (scalar.anchor != nullptr) anchors_[reinterpret_cast<const char*>(scalar.anchor)] = value;
        const bool null = scalar.plain_implicit != 0 && scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                          (value.empty() || value == "~" || value == "null");
        return give(value, null);
      }
      case YAML_ALIAS_EVENT: {
        const auto it = anchors_.find(reinterpret_cast<const char*>(event.data.alias.anchor));
        if (it == anchors_.end()) return bad_file("an alias of something that is not a scalar");
        return give(it->second, false);
      }
      default:
        return ok();
    }
  }

  Result<> begin(bool mapping) {
    if (static_cast<int>(levels_.size()) == budget_.depth_max)
      return bad_file("nested deeper than " + std::to_string(budget_.depth_max));
    if (in_key_ == 0 && !levels_.empty() && levels_.back().key_next) in_key_ = levels_.size();
    levels_.push_back({mapping, mapping});
    return in_key_ != 0 ? ok() : sink_({.kind = mapping ? Kind::ObjectBegin : Kind::ListBegin});
  }

  Result<> end() {
    const bool mapping = levels_.back().mapping;
    levels_.pop_back();
    if (in_key_ == 0) {
      if (!levels_.empty()) levels_.back().key_next = levels_.back().mapping;
      return sink_({.kind = mapping ? Kind::ObjectEnd : Kind::ListEnd});
    }
    if (levels_.size() != in_key_) return ok();
    in_key_ = 0;  // the mapping or list that served as a key is over
    return give("", false);
  }

  Result<> give(std::string_view value, bool null) {
    if (in_key_ != 0) return ok();
    const bool key = !levels_.empty() && levels_.back().key_next;
    if (!levels_.empty()) levels_.back().key_next = levels_.back().mapping && !key;
    return sink_({.kind = key ? Kind::Key : null ? Kind::Null : Kind::Text, .text = value, .text_bytes = value.size()});
  }

  const YamlBudget& budget_;
  const TreeSink& sink_;
  yaml_parser_t parser_{};
  bool ready_ = false, done_ = false;
  std::vector<Level> levels_;
  std::size_t in_key_ = 0;  ///< number of levels around a mapping or list that serves as a key; 0: none does
  std::map<std::string, std::string> anchors_;
};
}  // namespace

Result<> read_yaml(std::string_view text, const YamlBudget& budget, const TreeSink& sink) {
  return YamlReader(text, budget, sink).run();
}
}  // namespace hm::provenance::formats
