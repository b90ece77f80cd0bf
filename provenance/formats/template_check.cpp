#include "provenance/formats/template_check.hpp"

#include <algorithm>
#include <array>

namespace hm::provenance::formats {
namespace {
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

struct Troubles {
  bool dunder = false, attr = false, import = false, walk = false, escape = false;

  /// `before` and `after`: the nearest bytes that are no blanks, or 0.
  void word(std::string_view word, char before, char after) {
    static constexpr std::array<std::string_view, 6> kWalkers{"cycler", "joiner", "lipsum", "request", "self", "popen"};
    static constexpr std::array<std::string_view, 3> kImports{"import", "include", "from"};
    dunder = dunder || (word.size() > 4 && word.starts_with("__") && word.ends_with("__"));
    attr = attr || (word == "attr" && before == '|');
    import = import ||
             ((before == '%' || before == '-') && std::find(kImports.begin(), kImports.end(), word) != kImports.end());
    walk = walk ||
           ((after == '.' || after == '[') && before != '.' && before != '\'' && before != '"' &&
            std::find(kWalkers.begin(), kWalkers.end(), word) != kWalkers.end()) ||
           (word == "popen" && after == '(');
  }

  void tag(std::string_view text) {
    escape = escape || text.find("\\x5f") != text.npos || text.find("\\x5F") != text.npos ||
             text.find("\\u005f") != text.npos || text.find("\\u005F") != text.npos || text.find("\\137") != text.npos;
    auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    char before = '%';
    for (std::size_t i = 0; i < text.size();) {
      if (!is_word(text[i])) {
        if (!is_blank(text[i])) before = text[i];
        ++i;
        continue;
      }
      std::size_t end = i;
      while (end < text.size() && is_word(text[end])) ++end;
      std::size_t next = end;
      while (next < text.size() && is_blank(text[next])) ++next;
      word(text.substr(i, end - i), before, next < text.size() ? text[next] : '\0');
      before = 'a';
      i = end;
    }
  }
};
}  // namespace

std::vector<std::string> template_troubles(std::string_view source) {
  Troubles found;
  for (std::size_t at = 0; (at = source.find('{', at)) != source.npos;) {
    const char kind = at + 1 < source.size() ? source[at + 1] : '\0';
    if (kind != '{' && kind != '%') {
      ++at;
      continue;
    }
    const auto end = source.find(kind == '{' ? "}}" : "%}", at + 2);
    found.tag(source.substr(at + 2, end == source.npos ? source.npos : end - at - 2));
    if (end == source.npos) break;
    at = end + 2;
  }
  std::vector<std::string> out;
  if (found.dunder) out.emplace_back("the chat template uses a name with two underscores on both sides");
  if (found.attr) out.emplace_back("the chat template uses the attr filter");
  if (found.import) out.emplace_back("the chat template imports or includes");
  if (found.walk) out.emplace_back("the chat template walks from a builtin object");
  if (found.escape) out.emplace_back("the chat template spells an underscore as an escape");
  return out;
}
}  // namespace hm::provenance::formats
