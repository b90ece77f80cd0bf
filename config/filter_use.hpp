// config/filter_use.hpp: which filters of a selection found a file to match, so that a misspelt one can be told of.
// Layer 1; values.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/policy.hpp"

namespace hm::config {
/// Of the selection itself; nobody types alternatives.
class FilterUse {
 public:
  explicit FilterUse(const Selection& selection)
      : include_(selection.include), exclude_(selection.exclude), formats_(selection.formats) {}
  /// One file of the repository, whether it is taken or not.
  void see(std::string_view path);
  /// `--include "*.gguf" matches no file`, one text per filter that matched none.
  std::vector<std::string> unmatched() const;

 private:
  std::vector<std::string> include_, exclude_, formats_;  ///< those without a match yet
};
}  // namespace hm::config
