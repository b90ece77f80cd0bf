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
/// (README.md, LICENSE*, NOTICE*, COPYING*, .gitattributes) always pass, because a copy without them answers no audit.
struct Selection {
  std::vector<std::string> include;       ///< globs over the whole path, any match (base/text.hpp glob_match)
  std::vector<std::string> exclude;       ///< globs; wins over include
  std::optional<std::uint64_t> file_bytes_max;
  std::vector<std::string> formats;       ///< weight formats to keep ("safetensors", "gguf", …): files of OTHER known weight formats are left out; other files stay

  bool selects_all() const { return include.empty() && exclude.empty() && !file_bytes_max && formats.empty(); }
  bool wants(std::string_view path, std::uint64_t size_bytes) const;
  /// Canonical text, stored with a partial snapshot: "" for everything, else e.g. "exclude=*.bin&formats=gguf&max-file-size=1048576".
  std::string text() const;
  static Result<Selection> parse(std::string_view text);
};
/// The formats known to `formats`, and the suffixes of each. @returns BadInput naming the known ones.
Result<> check_formats(const std::vector<std::string>& formats);
}  // namespace hm::config
