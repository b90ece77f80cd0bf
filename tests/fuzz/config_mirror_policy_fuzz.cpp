// Any bytes as a mirroring policy, and as the list that every policy names: read or refused, in one line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/mirror_policy.hpp"

namespace {
void check_words(const hm::Error& error) {
  if (error.what.empty() || error.what.find_first_of("\n\x1b") != std::string::npos) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto list = hm::config::parse_repo_list(text, "l.tsv");
  if (!list) check_words(list.assume_error());
  const auto policy = hm::config::parse_mirror_policy(
      text, "p.toml", [&](const std::string&) -> hm::Result<std::string> { return text; });
  if (!policy) {
    check_words(policy.assume_error());
  } else if (!policy.assume_value().select.has_conditions() && policy.assume_value().select.repos.empty() &&
             text.find("lists") == std::string::npos) {
    std::abort();  // it selects nothing
  }
  return 0;
}
