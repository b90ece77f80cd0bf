// What a Hub says about a repository: what is read keeps its text, and the same text as the item of a listing reads the
// same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hub/wire/misc.hpp"
#include "hub/wire/repo_info.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto info = hm::hub::parse_repo_info(text);
  if (!info) {
    if (info.assume_error().code != hm::Errc::BadInput) std::abort();
    return 0;
  }
  if (info.assume_value().raw != text || info.assume_value().id.empty()) std::abort();
  const auto page = hm::hub::parse_list("[" + text + "]");
  if (!page) {  // one level deeper: only the bound on nesting may object
    if (page.assume_error().what.find("not valid JSON") == std::string::npos) std::abort();
    return 0;
  }
  if (page.assume_value().items.size() != 1) std::abort();
  const hm::hub::ListItem& item = page.assume_value().items[0];
  if (item.id != info.assume_value().id || item.rid != info.assume_value().rid || !item.fields.contains("id"))
    std::abort();
  return 0;
}
