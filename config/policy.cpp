#include "config/policy.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "base/text.hpp"
#include "config/suggest.hpp"

namespace hm::config {
namespace {
/// A licence text or a card is small; what is larger and only named like one is judged like any other file.
constexpr std::uint64_t kAlwaysKeptBytesMax = 16ULL << 20;
/// A selection travels in index rows and journal entries; the bound keeps an entry below its own.
constexpr std::size_t kSelectionTextBytesMax = 16 << 10;

struct FormatRule {
  std::string_view format;
  std::string_view pattern;  ///< glob over the lowercased path
};
/// First match wins, so the special names of ".bin" stand before pytorch's.
constexpr std::array kFormatRules{
    FormatRule{"safetensors", "*.safetensors"},
    FormatRule{"gguf", "*.gguf"},
    FormatRule{"ggml", "*.ggml"},
    FormatRule{"ggml", "ggml-*.bin"},
    FormatRule{"ggml", "*/ggml-*.bin"},
    FormatRule{"openvino", "*openvino*.bin"},
    FormatRule{"openvino", "*openvino*.xml"},
    FormatRule{"onnx", "*.onnx"},
    FormatRule{"onnx", "*.onnx_data*"},
    FormatRule{"onnx", "*.onnx.data*"},
    FormatRule{"onnx", "*.ort"},
    FormatRule{"coreml", "*.mlmodel"},
    FormatRule{"coreml", "*.mlpackage/*"},
    FormatRule{"coreml", "*.mlmodelc/*"},
    FormatRule{"tensorflow", "*.h5"},
    FormatRule{"tensorflow", "*.pb"},
    FormatRule{"tensorflow", "*.keras"},
    FormatRule{"tensorflow", "*.tflite"},
    FormatRule{"tensorflow", "*.ckpt.index"},
    FormatRule{"tensorflow", "*.ckpt.meta"},
    FormatRule{"tensorflow", "*.ckpt.data-*"},
    FormatRule{"tensorflow", "*variables.data-*"},
    FormatRule{"tensorflow", "*variables.index"},
    FormatRule{"flax", "*.msgpack"},
    FormatRule{"mlx", "*.npz"},
    FormatRule{"nemo", "*.nemo"},
    FormatRule{"paddle", "*.pdparams"},
    FormatRule{"paddle", "*.pdiparams"},
    FormatRule{"paddle", "*.pdmodel"},
    FormatRule{"rust", "*.ot"},
    FormatRule{"executorch", "*.pte"},
    FormatRule{"llamafile", "*.llamafile"},
    FormatRule{"tensorrt", "*.engine"},
    FormatRule{"tensorrt", "*.plan"},
    FormatRule{"pickle", "*.pkl"},
    FormatRule{"pickle", "*.pickle"},
    FormatRule{"pickle", "*.joblib"},
    FormatRule{"pytorch", "*.bin"},
    FormatRule{"pytorch", "*.pt"},
    FormatRule{"pytorch", "*.pth"},
    FormatRule{"pytorch", "*.ckpt"},
};

std::string_view format_in(std::string_view lower_path) {
  for (const FormatRule& rule : kFormatRules) {
    if (glob_match(rule.pattern, lower_path)) return rule.format;
  }
  return {};
}

bool is_card_or_licence(std::string_view lower_path) {
  const std::string_view name = lower_path.substr(lower_path.rfind('/') + 1);  // npos + 1 is 0: the whole path
  return name == "readme.md" || name == ".gitattributes" || name.starts_with("license") ||
         name.starts_with("licence") || name.starts_with("notice") || name.starts_with("copying");
}

bool any_match(const std::vector<std::string>& patterns, std::string_view path) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return glob_match(p, path); });
}

/// Percent-encoded, but readable: what globs are made of stays.
std::string encode_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (std::string_view("*?[]!/").find(c) != std::string_view::npos)
      out += c;
    else
      out += percent_encode(std::string_view(&c, 1));
  }
  return out;
}

void append_values(std::string& out, std::string_view key, std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  for (const std::string& value : values) {
    if (!out.empty()) out += '&';
    out.append(key).append("=").append(encode_value(value));
  }
}

bool restricts_nothing(const Selection& s) {
  return s.include.empty() && s.exclude.empty() && !s.file_bytes_max && s.formats.empty();
}
bool wants_by_itself(const Selection& s, std::string_view path, std::string_view lower, std::uint64_t size_bytes) {
  if (!s.include.empty() && !any_match(s.include, path)) return false;
  if (any_match(s.exclude, path)) return false;
  if (s.file_bytes_max && size_bytes > *s.file_bytes_max) return false;
  if (s.formats.empty()) return true;
  const std::string_view format = format_in(lower);
  return format.empty() || std::find(s.formats.begin(), s.formats.end(), format) != s.formats.end();
}
std::string text_by_itself(const Selection& s) {
  std::string out;
  append_values(out, "exclude", s.exclude);
  append_values(out, "formats", s.formats);
  append_values(out, "include", s.include);
  if (s.file_bytes_max) append_values(out, "max-file-size", {std::to_string(*s.file_bytes_max)});
  return out;
}
/// The text of each alternative, the selection itself among them → that alternative.
void collect(const Selection& s, std::map<std::string, Selection>& into) {
  for (const Selection& alternative : s.alternatives) collect(alternative, into);
  Selection alone = s;
  alone.alternatives.clear();
  into.emplace(text_by_itself(alone), std::move(alone));
}
/// @param alternatives not empty; restricts nothing when one of them does.
Selection any_of(std::map<std::string, Selection> alternatives) {
  if (alternatives.contains("")) return {};
  Selection first = std::move(alternatives.begin()->second);
  for (auto it = std::next(alternatives.begin()); it != alternatives.end(); ++it)
    first.alternatives.push_back(std::move(it->second));
  return first;
}

Result<Selection> parse_by_itself(std::string_view text) {
  Selection made;
  auto bad = [&](const std::string& why) { return Error{Errc::BadInput, "not a file selection: " + why}; };
  for (const std::string_view part : split(text, '&')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return bad("\"" + printable(part) + "\" has no '='");
    const std::string_view key = part.substr(0, equals);
    std::string value = percent_decode(part.substr(equals + 1));
    if (value.empty()) return bad("\"" + printable(key) + "\" has no value");
    if (key == "exclude")
      made.exclude.push_back(std::move(value));
    else if (key == "include")
      made.include.push_back(std::move(value));
    else if (key == "formats")
      made.formats.push_back(std::move(value));
    else if (key == "max-file-size") {
      made.file_bytes_max = parse_u64(value);
      if (!made.file_bytes_max) return bad("max-file-size \"" + printable(value) + "\" is not a number of bytes");
    } else
      return bad("unknown part \"" + printable(key) + "\"");
  }
  HM_TRY(check_formats(made.formats));
  return made;
}
}  // namespace

std::vector<std::string> known_formats() {
  std::vector<std::string> names;
  for (const FormatRule& rule : kFormatRules) names.emplace_back(rule.format);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string format_of(std::string_view path) { return std::string(format_in(ascii_lower(path))); }

bool Selection::selects_all() const {
  return restricts_nothing(*this) ||
         std::any_of(alternatives.begin(), alternatives.end(), [](const Selection& s) { return s.selects_all(); });
}

bool Selection::wants(std::string_view path, std::uint64_t size_bytes) const {
  if (restricts_nothing(*this)) return true;
  const std::string lower = ascii_lower(path);
  if (size_bytes <= kAlwaysKeptBytesMax && is_card_or_licence(lower)) return true;
  return wants_by_itself(*this, path, lower, size_bytes) ||
         std::any_of(alternatives.begin(), alternatives.end(),
                     [&](const Selection& s) { return s.wants(path, size_bytes); });
}

std::string Selection::text() const {
  if (alternatives.empty()) return text_by_itself(*this);
  std::map<std::string, Selection> all;
  collect(*this, all);
  std::string out;
  if (all.contains("")) return out;
  for (const auto& [text, selection] : all) out += (out.empty() ? "" : "|") + text;
  return out;
}

Result<Selection> Selection::parse(std::string_view text) {
  if (text.empty()) return Selection{};
  auto bad = [&](const std::string& why) { return Error{Errc::BadInput, "not a file selection: " + why}; };
  if (text.size() > kSelectionTextBytesMax)
    return bad("longer than " + std::to_string(kSelectionTextBytesMax) + " bytes");
  std::map<std::string, Selection> all;
  for (const std::string_view part : split(text, '|')) {
    HM_TRY(Selection one, parse_by_itself(part));
    std::string canonical = text_by_itself(one);
    all.emplace(std::move(canonical), std::move(one));
  }
  Selection made = any_of(std::move(all));
  if (made.text() != text) return bad("not in canonical form, which is \"" + made.text() + "\"");
  return made;
}

Selection united(const Selection& a, const Selection& b) {
  std::map<std::string, Selection> all;
  collect(a, all);
  collect(b, all);
  return any_of(std::move(all));
}

Result<> check_selection(const Selection& selection) {
  for (const Selection& alternative : selection.alternatives) {
    HM_TRY(check_selection(alternative));
  }
  for (const auto* patterns : {&selection.include, &selection.exclude}) {
    for (const std::string& pattern : *patterns) {
      if (pattern.empty())
        return Error{Errc::BadInput, "an empty file pattern matches nothing; write e.g. \"*.safetensors\""};
    }
  }
  if (selection.text().size() > kSelectionTextBytesMax) {
    return Error{Errc::BadInput, "the file filters are longer than " + std::to_string(kSelectionTextBytesMax) +
                                     " bytes together; use wider patterns"};
  }
  return check_formats(selection.formats);
}

Result<> check_formats(const std::vector<std::string>& formats) {
  const std::vector<std::string> known = known_formats();
  for (const std::string& format : formats) {
    if (std::find(known.begin(), known.end(), format) != known.end()) continue;
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    return Error{Errc::BadInput, "unknown weight format \"" + printable(format) + "\"" + did_you_mean(format, known) +
                                     "; known are " + names};
  }
  return ok();
}
}  // namespace hm::config
