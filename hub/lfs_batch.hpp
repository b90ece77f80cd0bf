// hub/lfs_batch.hpp: Git LFS pointers and the batch API, download side, transfer "basic". Layer 3; pure functions.
// docs/hub_protocol.md
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::hub {
struct LfsPointer {
  Sha256 oid;
  std::uint64_t size_bytes = 0;
  auto operator<=>(const LfsPointer&) const = default;
};
inline constexpr std::size_t kLfsPointerBytesMax = 1023;  ///< a blob of 1024 bytes or more is no pointer
/// The pointer that `text` (a whole git blob) is, or nullopt: then it is an ordinary file. Lines `key value`, `version`
/// first, the other keys sorted. Tolerated: further keys, the version URLs of before 2015, and what git-lfs reads
/// though it does not write it: CR LF, empty lines, blanks around the whole, no end of the last line, `size +012`.
std::optional<LfsPointer> parse_lfs_pointer(std::string_view text);
/// The three canonical lines.
std::string render_lfs_pointer(const LfsPointer& pointer);

/// Where one object's bytes are.
struct LfsDownload {
  std::string href;      ///< absolute http(s) URL
  net::Headers headers;  ///< to send along; those that belong to the transfer itself (Host, Range, …) are left out
  std::optional<std::int64_t> expires_unix_ms;
};
/// The answer for one object: a download or an error.
struct LfsObject {
  Sha256 oid;
  std::uint64_t size_bytes = 0;
  std::optional<LfsDownload> download;
  int error_code = 0;         ///< as HTTP: 404 not there, 410 removed, 422 wrong size; 0 when `download` is set
  std::string error_message;  ///< printable
};

inline constexpr std::size_t kLfsBatchMax = 256;  ///< objects of one call: what the Hub's own client sends
std::string render_lfs_batch_request(std::span<const LfsPointer> objects);
/// @param now_unix_ms what `expires_in` counts from. @returns BadInput with the JSON path; also when the transfer is
/// not "basic" or the hash not sha256.
Result<std::vector<LfsObject>> parse_lfs_batch(std::string_view body, std::int64_t now_unix_ms);
/// `answer` in the order of `asked`. What was left out, or came with another size, becomes an error of that object;
/// what was not asked for is dropped.
std::vector<LfsObject> match_lfs_answer(std::span<const LfsPointer> asked, std::vector<LfsObject> answer);
}  // namespace hm::hub
