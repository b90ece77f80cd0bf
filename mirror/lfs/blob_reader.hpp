// mirror/lfs/blob_reader.hpp: a large file, read while it comes. Layer 4. Interface, so that a server can be tested
// without a download; the one implementation is in arriving_blob.cpp. Threads: one coroutine, on its own loop.
#pragma once
#include <cstddef>
#include <span>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::mirror {
using net::awaitable;

/// A stretch of a large file that is on its way. The last byte of the file is given out after the file's digest was
/// checked and its bytes are durable; all others as soon as they were written.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  /// The next bytes, good until the next call; empty at the end of the stretch. @returns Corrupt when bytes that were
  /// given out, or are about to be, are not the file's; else why it did not come.
  virtual awaitable<Result<std::span<const std::byte>>> next() = 0;
};
}  // namespace hm::mirror
