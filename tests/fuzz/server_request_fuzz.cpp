// Requests from the network: what is read does not depend on how the bytes were split on their way, and every refusal
// has a status. The first byte of the input chooses the splits, the rest is what a client sends.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/http/request.hpp"

namespace {
using hm::server::RequestReader;
constexpr std::uint64_t kBodyMax = 4096;

struct Outcome {
  std::string told;
  std::size_t taken = 0;
  bool operator==(const Outcome&) const = default;
};

/// All requests of one connection, in pieces of `piece` bytes.
Outcome read(std::string_view bytes, std::size_t piece) {
  Outcome out;
  std::size_t arrived = 0;
  while (out.taken < bytes.size()) {
    RequestReader reader({});
    while (reader.state() == RequestReader::State::Head || reader.state() == RequestReader::State::Body) {
      if (out.taken == arrived) {
        if (arrived == bytes.size()) return out;  // the connection ends within a request
        arrived += std::min(piece, bytes.size() - arrived);
      }
      const bool in_head = reader.state() == RequestReader::State::Head;
      const std::size_t n = reader.feed(bytes.substr(out.taken, arrived - out.taken));
      if (n > arrived - out.taken || n == 0) std::abort();
      out.taken += n;
      if (in_head && reader.state() == RequestReader::State::Body) {
        static_cast<void>(reader.wants_continue());
        reader.accept_body(kBodyMax);
      }
    }
    if (reader.state() == RequestReader::State::Bad) {
      if (reader.problem().status < 400 || reader.problem().status > 599) std::abort();
      out.told += "bad";
      out.taken = 0;  // the connection ends here; how much more had come does not matter
      return out;
    }
    const hm::server::Request request = reader.take();
    if (request.target.empty() || request.target.front() != '/' || request.body.size() > kBodyMax) std::abort();
    if (request.count_fields("Host") > 1 || request.count_fields("Content-Length") > 1) std::abort();
    out.told.append(hm::server::name_of(request.method)).append(" ").append(request.target).append("|");
    out.told.append(request.header("Host")).append(request.keep_alive ? "|keep|" : "|close|").append(request.body);
  }
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 60'000) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const Outcome whole = read(bytes, bytes.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{data[0]} + 3})
    if (read(bytes, piece) != whole) std::abort();
  return 0;
}
