// Refs, commits, listings and whoami. Each item of a listing reads the same alone, from the text that was kept of it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/wire/misc.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)hm::hub::parse_refs(text);
  (void)hm::hub::parse_commits(text);
  (void)hm::hub::parse_whoami(text);
  const auto page = hm::hub::parse_list(text);
  if (!page) {
    if (page.assume_error().code != hm::Errc::BadInput) std::abort();
    return 0;
  }
  for (const hm::hub::RepoInfo& item : page.assume_value().items) {
    const auto alone = hm::hub::parse_repo_info(item.raw);
    if (!alone || alone.assume_value().id != item.id || alone.assume_value().tags != item.tags) std::abort();
  }
  return 0;
}
