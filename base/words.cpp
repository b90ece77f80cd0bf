#include "base/words.hpp"

namespace hm {
std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string out;
  bool first = true;
  for (const std::string& text : texts) {
    if (!first) out.append(between);
    first = false;
    out.append(text);
  }
  return out;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  const bool y = noun.ends_with('y');
  const std::string plural = y ? std::string(noun.substr(0, noun.size() - 1)) + "ies" : std::string(noun) + "s";
  return std::to_string(count) + " " + (count == 1 ? std::string(noun) : plural);
}
}  // namespace hm
