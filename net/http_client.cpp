#include "net/http_client.hpp"

#include "base/text.hpp"

namespace hm::net {
std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (ascii_equal_fold(field, name)) return trim(value);
  }
  return std::nullopt;
}

awaitable<Result<std::string>> read_all(HttpBody& body, std::uint64_t size_max) {
  std::string text;
  for (;;) {
    const auto chunk = co_await body.next();
    if (!chunk) co_return chunk.assume_error();
    const auto bytes = chunk.assume_value();
    if (bytes.empty()) co_return text;
    if (bytes.size() > size_max - text.size()) {
      co_return Error(Errc::Refused, "answer is larger than " + human_bytes(size_max));
    }
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}
}  // namespace hm::net
