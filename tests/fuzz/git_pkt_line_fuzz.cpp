// git's packets: what is read does not depend on how the bytes were split on their way. The readers of whole answers
// keep to their limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mirror/git/packed_refs.hpp"
#include "mirror/git/pkt_line.hpp"
#include "mirror/git/protocol_v2.hpp"

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

constexpr std::uint64_t kRefsMax = 8;

template <class Reader>
void read_refs(std::string_view bytes) {
  Reader reader({"refs/"}, kRefsMax);
  if (!reader.feed(bytes.substr(0, bytes.size() / 2)) || !reader.feed(bytes.substr(bytes.size() / 2))) return;
  (void)reader.finish().has_value();
  if (reader.refs().size() > kRefsMax) std::abort();
  for (const auto& [name, oid] : reader.refs()) {
    if (!hm::mirror::is_valid_ref_name(name)) std::abort();
  }
  if (!reader.head().empty() && !hm::mirror::is_valid_ref_name(reader.head())) std::abort();
}

void read_pack(std::string_view bytes) {
  hm::mirror::FetchResponseReader reader;
  std::size_t pack_bytes = 0;
  const auto fed = reader.feed(bytes, [&](std::string_view pack) -> hm::Result<> {
    pack_bytes += pack.size();
    return hm::ok();
  });
  if (fed) (void)reader.finish().has_value();
  if (pack_bytes > bytes.size()) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(bytes, size + 1);
  for (std::size_t piece = 1; piece <= 9; ++piece) {
    if (read(bytes, piece) != whole) std::abort();
  }
  read_refs<hm::mirror::AdvertisementReader>(bytes);
  read_refs<hm::mirror::LsRefsReader>(bytes);
  read_pack(bytes);
  return 0;
}
