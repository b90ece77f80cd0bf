// server/http/response.hpp: one answer: status, fields, and a body that is bytes at hand, a range of a file, or comes
// as it is made. Layer 5; values. docs/hub_protocol.md has the Hub's fields.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::server {
/// Bytes shared with a cache. `offset` and `length` cut out a range.
struct SharedBytes {
  std::shared_ptr<const std::string> bytes;
  std::uint64_t offset = 0, length = 0;
};
/// Leaves by sendfile(2) where the connection allows.
struct FileBytes {
  std::shared_ptr<const File> file;
  std::uint64_t offset = 0, length = 0;
};
/// A body that is made while it is sent: a program's output, a download under way. Lives on the connection's loop; it
/// is destroyed early when the other end has gone.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes, good until the next call; empty at the end. An error ends the connection before the body's end, so
  /// that no client takes what it has for whole.
  virtual boost::asio::awaitable<Result<std::span<const std::byte>>> next() = 0;
};

struct Response {
  int status = 200;
  std::string fields;  ///< "Name: value\r\n" each; use add()
  std::variant<std::string, SharedBytes, FileBytes, std::unique_ptr<BodySource>> body;
  /// Of a BodySource, when it is known; else the body goes out in chunks. Of a HEAD without body: what GET would send.
  std::optional<std::uint64_t> length;
  bool close = false;  ///< end the connection after it
  // For the access log and the counters.
  std::string caller, repo, revision, file;
  bool fetched = false;  ///< upstream was asked for it

  /// @pre name is a token; line ends in the value become blanks
  Response& add(std::string_view name, std::string_view value);
  std::uint64_t body_bytes() const;  ///< of what is at hand
};

std::string_view reason_of(int status);

Response text_response(int status, std::string body);
/// Hub's JSON form: application/json; charset=utf-8.
Response json_response(std::string body, int status = 200);
Response json_response(std::shared_ptr<const std::string> body);
/// The Hub's contract: headers decide, the body repeats. `code`: RepoNotFound, RevisionNotFound, EntryNotFound,
/// GatedRepo, or "" for none.
Response hub_error(int status, std::string_view code, std::string_view message, bool as_text = false);
}  // namespace hm::server
