#include "storage/partial_state.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kMagic = "hmpart\r\n";
constexpr std::size_t kChecksumBytes = 4;
enum RecordType : char { kSegment = 'S', kMidstate = 'M', kSynced = 'Y' };

void put32(std::string& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>((v >> shift) & 0xff));
}
void put64(std::string& out, std::uint64_t v) {
  put32(out, static_cast<std::uint32_t>(v >> 32));
  put32(out, static_cast<std::uint32_t>(v));
}
std::uint32_t get32(std::string_view bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = (v << 8) | static_cast<unsigned char>(bytes[at + i]);
  return v;
}
std::uint64_t get64(std::string_view bytes, std::size_t at) {
  return (std::uint64_t{get32(bytes, at)} << 32) | get32(bytes, at + 4);
}

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? 0x82f63b78U : 0U);
    table[i] = c;
  }
  return table;
}

Result<PartialHeader> parse_header(std::string_view bytes) {
  if (bytes.size() < kPartialHeaderBytes || !bytes.starts_with(kMagic))
    return Error{Errc::Corrupt, "download state has no header"};
  const std::uint32_t version = get32(bytes, 8);
  if (version != kPartialStateVersion) {
    return Error{Errc::Refused, "download state has version " + std::to_string(version) + ", this program knows " +
                                    std::to_string(kPartialStateVersion)};
  }
  const std::string_view body = bytes.substr(0, kPartialHeaderBytes - kChecksumBytes);
  if (get32(bytes, body.size()) != crc32c(0, body)) return Error{Errc::Corrupt, "download state has a damaged header"};
  PartialHeader header;
  header.layout = {get64(bytes, 16), get32(bytes, 12)};
  for (std::size_t i = 0; i < 32; ++i) header.id.bytes[i] = static_cast<std::uint8_t>(bytes[24 + i]);
  header.boot_id.assign(bytes.substr(56, kBootIdBytes));
  const std::uint32_t segment = header.layout.segment_bytes;
  if (segment < kSegmentBytesMin || segment > kSegmentBytesMax || segment % 64 != 0 ||
      header.layout.count() > kSegmentsMax) {
    return Error{Errc::Corrupt, "download state announces segments that nobody writes"};
  }
  return header;
}

/// Takes over the first `records` records, whose checksums are known to be right.
void replay(std::string_view log, std::uint64_t records, PartialState& state) {
  std::uint64_t prefix = 0;  // segments that are complete without a gap
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string_view record = log.substr(static_cast<std::size_t>(i) * kPartialRecordBytes, kPartialRecordBytes);
    const std::uint64_t number = get64(record, 4);
    if (record[0] == kSegment && number < state.complete.size()) state.complete[number] = true;
    if (record[0] != kMidstate) continue;
    while (prefix < state.complete.size() && state.complete[prefix]) ++prefix;
    // A midstate speaks of whole segments that are all here; anything else is of no use and of no harm.
    if (number == 0 || number % state.header.layout.segment_bytes != 0 ||
        number / state.header.layout.segment_bytes > prefix)
      continue;
    Sha256Hasher::Midstate midstate;
    midstate.hashed_bytes = number;
    for (std::size_t word = 0; word < 8; ++word) midstate.h[word] = get32(record, 12 + 4 * word);
    if (!state.midstate || state.midstate->hashed_bytes < number) state.midstate = midstate;
  }
}
}  // namespace

std::uint32_t crc32c(std::uint32_t seed, std::string_view bytes) {
  static constexpr auto kTable = make_table();
  std::uint32_t c = ~seed;
  for (char b : bytes) c = kTable[(c ^ static_cast<unsigned char>(b)) & 0xff] ^ (c >> 8);
  return ~c;
}

std::uint64_t PartialState::complete_bytes() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < complete.size(); ++i) sum += complete[i] ? header.layout.length(i) : 0;
  return sum;
}

std::string PartialLogWriter::sealed(std::string body) {
  chain_ = crc32c(chain_, body);
  put32(body, chain_);
  return body;
}

std::string PartialLogWriter::header(const PartialHeader& header) {
  HM_CHECK(header.boot_id.size() == kBootIdBytes);
  std::string out(kMagic);
  put32(out, kPartialStateVersion);
  put32(out, header.layout.segment_bytes);
  put64(out, header.layout.size_bytes);
  out.append(header.id.view()).append(header.boot_id);
  chain_ = 0;
  return sealed(std::move(out));
}

std::string PartialLogWriter::segment(std::uint64_t index) {
  std::string out{kSegment, 0, 0, 0};
  put64(out, index);
  out.resize(kPartialRecordBytes - kChecksumBytes, '\0');
  return sealed(std::move(out));
}

std::string PartialLogWriter::midstate(const Sha256Hasher::Midstate& midstate) {
  std::string out{kMidstate, 0, 0, 0};
  put64(out, midstate.hashed_bytes);
  for (std::uint32_t word : midstate.h) put32(out, word);
  return sealed(std::move(out));
}

std::string PartialLogWriter::synced(std::uint64_t records) {
  std::string out{kSynced, 0, 0, 0};
  put64(out, records);
  out.resize(kPartialRecordBytes - kChecksumBytes, '\0');
  return sealed(std::move(out));
}

Result<PartialState> parse_partial_state(std::string_view bytes, std::string_view boot_id) {
  PartialState state;
  HM_TRY(state.header, parse_header(bytes));
  state.complete.resize(static_cast<std::size_t>(state.header.layout.count()));
  const std::string_view log = bytes.substr(kPartialHeaderBytes);
  std::uint32_t chain = get32(bytes, kPartialHeaderBytes - kChecksumBytes);
  std::uint64_t valid = 0, synced = 0;
  for (std::size_t at = 0; log.size() - at >= kPartialRecordBytes; at += kPartialRecordBytes) {
    const std::string_view record = log.substr(at, kPartialRecordBytes),
                           body = record.substr(0, kPartialRecordBytes - kChecksumBytes);
    const std::uint32_t next = crc32c(chain, body);
    if (get32(record, body.size()) != next) break;  // torn: nothing behind it can be believed
    chain = next;
    ++valid;
    if (record[0] == kSynced && get64(record, 4) < valid) synced = std::max(synced, get64(record, 4));
  }
  const bool same_boot = state.header.boot_id == boot_id;
  state.records = same_boot ? valid : synced;
  state.chain = chain;
  state.clean = same_boot && valid * kPartialRecordBytes == log.size();
  replay(log, state.records, state);
  return state;
}

std::string render_partial_state(const PartialState& state, std::string_view boot_id, bool synced) {
  PartialLogWriter writer;
  PartialHeader header = state.header;
  header.boot_id = boot_id;
  std::string out = writer.header(header);
  std::uint64_t records = 0;
  for (std::size_t i = 0; i < state.complete.size(); ++i) {
    if (state.complete[i]) out += writer.segment(i), ++records;
  }
  if (state.midstate) out += writer.midstate(*state.midstate), ++records;
  if (synced && records != 0) out += writer.synced(records);
  return out;
}
}  // namespace hm::storage
