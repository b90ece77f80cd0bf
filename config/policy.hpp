// config/policy.hpp: which files of a revision are wanted. Layer 1; values.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm::config {
/// File filters of one run. Empty lists mean "no restriction". A file must pass all of them; cards and licence texts
/// (README.md, LICENSE*, NOTICE*, COPYING*, .gitattributes, in any folder and case, up to 16 MiB) always pass, because
/// a copy without them answers no audit.
struct Selection {
  std::vector<std::string> include;  ///< globs over the whole path, any match (base/text.hpp glob_match)
  std::vector<std::string> exclude;  ///< globs; wins over include
  std::optional<std::uint64_t> file_bytes_max;
  std::vector<std::string> formats;  ///< weight formats to keep ("safetensors", "gguf", …): files of OTHER known weight
                                     ///< formats are left out; other files stay

  std::vector<Selection> alternatives;  ///< of united(): what one of them wants is wanted too

  bool selects_all() const;
  bool wants(std::string_view path, std::uint64_t size_bytes) const;
  /// Canonical text, stored with a partial snapshot: "" for everything, else e.g.
  /// "exclude=*.bin&formats=gguf&max-file-size=1048576"; alternatives are joined by '|'.
  std::string text() const;
  /// The inverse of text(). @returns BadInput for anything that text() would not write.
  static Result<Selection> parse(std::string_view text);
};
/// Wants a file exactly when one of the two does. Its text may be too long to be stored: check_selection().
Selection united(const Selection& a, const Selection& b);
/// The weight formats known to `formats`, sorted. Which file names belong to each: the table in policy.cpp.
std::vector<std::string> known_formats();
/// The weight format of a path, judged by its name alone; "" for every other file.
std::string format_of(std::string_view path);
/// @returns BadInput naming the known ones.
Result<> check_formats(const std::vector<std::string>& formats);
/// What a person typed: no empty pattern, known formats, short enough to be stored. BadInput otherwise.
Result<> check_selection(const Selection& selection);
}  // namespace hm::config
