#include "server/gunzip.hpp"

#include <zlib.h>

#include <algorithm>

#include "base/text.hpp"

namespace hm::server {
namespace {
constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kStepBytes = 256U << 10;

struct Stream {
  Stream() { ready = ::inflateInit2(&z, kGzipOnly) == Z_OK; }
  ~Stream() {
    if (ready) ::inflateEnd(&z);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  z_stream z{};
  bool ready = false;
};
}  // namespace

Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  Stream stream;
  if (!stream.ready) return Error{Errc::Internal, "zlib has no memory"};
  stream.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.z.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  for (int rc = Z_OK; rc != Z_STREAM_END;) {
    const std::size_t done = out.size();
    out.resize(done + std::min(kStepBytes, bytes_max + 1 - done));
    stream.z.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.z.avail_out = static_cast<uInt>(out.size() - done);
    rc = ::inflate(&stream.z, Z_NO_FLUSH);
    const bool stuck = stream.z.avail_out != 0 && stream.z.avail_in == 0 && rc != Z_STREAM_END;
    if ((rc != Z_OK && rc != Z_STREAM_END) || stuck)
      return Error{Errc::BadInput, "the request is no whole gzip stream"};
    out.resize(out.size() - stream.z.avail_out);
    if (out.size() > bytes_max)
      return Error{Errc::Refused, "the request inflates to more than " + human_bytes(bytes_max)};
  }
  if (stream.z.avail_in != 0) return Error{Errc::BadInput, "something stands behind the request's gzip stream"};
  return out;
}
}  // namespace hm::server
