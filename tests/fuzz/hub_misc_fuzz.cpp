// Refs, commits, listings and whoami. Each item of a listing reads the same alone, from the fields that were kept of
// it.
#include <boost/json/serialize.hpp>
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
  for (const hm::hub::ListItem& item : page.assume_value().items) {
    const auto alone = hm::hub::parse_list("[" + boost::json::serialize(item.fields) + "]");
    if (!alone || alone.assume_value().items.size() != 1 || alone.assume_value().items[0].id != item.id ||
        alone.assume_value().items[0].rid != item.rid)
      std::abort();
  }
  return 0;
}
