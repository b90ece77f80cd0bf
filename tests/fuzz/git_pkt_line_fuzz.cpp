// git's packets: what is read does not depend on how the bytes were split on their way.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mirror/git/pkt_line.hpp"

namespace {
std::string read(std::string_view bytes, std::size_t piece) {
  hm::mirror::PktLineReader reader;
  std::string seen;
  const hm::mirror::PktSink sink = [&](const hm::mirror::Pkt& pkt) -> hm::Result<> {
    if (pkt.payload.size() + 4 > hm::mirror::kPktBytesMax) std::abort();
    seen.push_back(static_cast<char>('0' + static_cast<int>(pkt.kind)));
    seen.append(pkt.payload).push_back('|');
    return hm::ok();
  };
  while (!bytes.empty()) {
    const auto fed = reader.feed(bytes.substr(0, piece), sink);
    if (!fed) return seen + "refused";
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return seen + (reader.at_boundary() ? "whole" : "cut");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(bytes, size + 1);
  for (std::size_t piece = 1; piece <= 9; ++piece) {
    if (read(bytes, piece) != whole) std::abort();
  }
  return 0;
}
