#include "config/filter_use.hpp"

#include "base/text.hpp"

namespace hm::config {
void FilterUse::see(std::string_view path) {
  for (auto* patterns : {&include_, &exclude_})
    std::erase_if(*patterns, [&](const std::string& pattern) { return glob_match(pattern, path); });
  if (formats_.empty()) return;
  const std::string format = format_of(path);
  std::erase_if(formats_, [&](const std::string& wanted) { return wanted == format; });
}

std::vector<std::string> FilterUse::unmatched() const {
  std::vector<std::string> out;
  const auto add = [&](const char* option, const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns)
      out.push_back(std::string(option) + " \"" + printable(pattern) + "\" matches no file");
  };
  add("--include", include_);
  add("--exclude", exclude_);
  add("--formats", formats_);
  return out;
}
}  // namespace hm::config
