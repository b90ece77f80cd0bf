// config/toml_reading.hpp: a TOML file of sections with keys, and how it gets into a table of settings. Layer 1; values
// and pure functions; used by config/ and by provenance/licence/.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "config/suggest.hpp"
#include "config/value.hpp"

namespace hm::config {
inline constexpr std::size_t kTomlBytesMax = 1 << 20;  ///< such a file is written by hand

struct TomlKey {
  std::string name;
  std::string key_place, value_place;  ///< "file:line:column: "
  Result<Raw> raw;                     ///< BadInput that continues the key's name: "must be a list of texts only"
};
struct TomlSection {
  std::string name, place;
  std::vector<TomlKey> keys;
};
struct TomlFile {
  std::vector<TomlKey> outside;  ///< of any section
  std::vector<TomlSection> sections;
};
/// @returns BadInput with the place.
Result<TomlFile> read_toml(std::string_view text, std::string_view source_name);

/// Reads the sections of a file into what `each(into, visit)` walks: visit(section, key, member, rule), the sections
/// one after the other.
template <class Into, class Each>
class TomlReader {
 public:
  TomlReader(Into& into, Each each) : into_(into), each_(each) {}
  /// @returns BadInput with the place: an unknown section or key, with what was meant; a value that does not fit.
  Result<> read(const std::vector<TomlSection>& sections) {
    const std::vector<std::string> known = names();
    for (const TomlSection& section : sections) {
      if (std::find(known.begin(), known.end(), section.name) == known.end())
        return bad(section.place + "unknown section [" + printable(section.name) + "]" +
                   did_you_mean(section.name, known));
      for (const TomlKey& key : section.keys) {
        HM_TRY(read_key(section.name, key));
      }
    }
    return ok();
  }
  /// "; it belongs into [mirror]" when a section has that key; else "".
  std::string home_of(std::string_view wanted) {
    std::string found;
    each_(into_, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
      if (key == wanted && found.empty()) found = "; it belongs into [" + std::string(section) + "]";
    });
    return found;
  }

 private:
  static Error bad(std::string what) { return {Errc::BadInput, std::move(what)}; }
  std::vector<std::string> names(std::string_view of_section = {}) {
    std::vector<std::string> out;
    each_(into_, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
      if (of_section.empty() && (out.empty() || out.back() != section)) out.emplace_back(section);
      if (section == of_section) out.emplace_back(key);
    });
    return out;
  }
  Result<> read_key(const std::string& section, const TomlKey& key) {
    bool known = false;
    Result<> result = ok();
    each_(into_, [&](std::string_view s, std::string_view k, auto& member, const Rule& rule) {
      if (s != section || k != key.name) return;
      known = true;
      result = key.raw ? assign(member, rule, key.raw.assume_value()) : Result<>(key.raw.assume_error());
      if (!result) result = bad(key.value_place + section + "." + key.name + " " + result.assume_error().what);
    });
    if (known) return result;
    std::string hint = home_of(key.name);
    if (hint.empty()) hint = did_you_mean(key.name, names(section));
    return bad(key.key_place + "unknown key \"" + printable(key.name) + "\" in [" + section + "]" + hint);
  }
  Into& into_;
  Each each_;
};
}  // namespace hm::config
