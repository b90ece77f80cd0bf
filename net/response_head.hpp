// net/response_head.hpp: status line and header fields of a response, read line by line within limits. Layer 2; a
// value.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/http_client.hpp"

namespace hm::net {
// Real answers of Hubs and CDNs stay under 8 KiB and 60 fields (the content security policy is the longest).
inline constexpr std::size_t kHeaderBytesMax = 64U << 10;
inline constexpr std::size_t kHeaderFieldsMax = 100;

/// Interim (1xx) heads are read and forgotten; both limits count over all heads of one answer.
class ResponseHead {
 public:
  /// One line with its line end, as libcurl hands it out. @returns Refused beyond a limit, Unreachable for what is not
  /// HTTP.
  Result<> feed(std::string_view line);
  bool complete() const { return complete_; }
  int status() const { return status_; }
  const Headers& headers() const { return headers_; }
  Headers& headers() { return headers_; }
  /// Of the body as sent; nullopt when the answer is chunked or says nothing.
  std::optional<std::uint64_t> content_length() const { return content_length_; }

 private:
  Result<> begin(std::string_view status_line);
  Result<> add_field(std::string_view line);
  Result<> finish();

  Headers headers_;
  std::optional<std::uint64_t> content_length_;
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  int status_ = 0;  ///< 0 = no status line yet
  bool complete_ = false;
};
}  // namespace hm::net
