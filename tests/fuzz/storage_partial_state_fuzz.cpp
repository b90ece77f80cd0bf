// The log of an unfinished download: any bytes; and logs of our own that were cut and changed like a crash or a bad disk would.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "storage/partial_state.hpp"

namespace {
using namespace hm::storage;
const std::string kBoot = "00000000-0000-4000-8000-000000000001", kOtherBoot = "00000000-0000-4000-8000-000000000002";

void read_any(std::string_view bytes) {
  const auto read = parse_partial_state(bytes, kBoot);
  if (!read) return;
  const PartialState& state = read.assume_value();
  if (state.complete.size() != state.header.layout.count() || state.complete_bytes() > state.header.layout.size_bytes) std::abort();
  if (state.midstate && (state.midstate->hashed_bytes % 64 != 0 || state.midstate->hashed_bytes > state.complete_bytes())) std::abort();
  if (state.complete.size() > 4096) return;  // what follows writes as much as it read
  const auto again = parse_partial_state(render_partial_state(state, kOtherBoot, true), kBoot);
  if (!again || again.assume_value().complete != state.complete) std::abort();
}

/// Each byte of the script is an operation on a log for 16 segments; then the log is cut and one byte changed.
void read_own(const std::uint8_t* script, std::size_t count) {
  PartialHeader header;
  header.layout = {16 * kSegmentBytesMin - 100, kSegmentBytesMin};
  header.boot_id = kBoot;
  PartialLogWriter writer;
  std::string log = writer.header(header);
  std::vector<bool> written(16);
  std::uint64_t records = 0;
  const std::size_t operations = std::min<std::size_t>(count, 64);
  for (std::size_t i = 0; i < operations; ++i, ++records) {
    const unsigned number = script[i] & 15U;
    if (script[i] < 0xa0) log += writer.segment(number), written[number] = true;
    else if (script[i] < 0xd0) log += writer.midstate({{}, number * std::uint64_t{kSegmentBytesMin}});
    else log += writer.synced(std::min<std::uint64_t>(records, number));
  }
  if (count > operations + 3) {
    const std::size_t at = script[operations] * 256U + script[operations + 1];
    if (script[operations + 2] & 1) log.resize(std::max(kPartialHeaderBytes, std::min(log.size(), at)));
    else log[at % log.size()] = static_cast<char>(log[at % log.size()] ^ (script[operations + 2] | 1));
  }
  for (const std::string& boot : {kBoot, kOtherBoot}) {
    const auto read = parse_partial_state(log, boot);
    if (!read) continue;
    for (std::size_t i = 0; i < 16; ++i) {
      if (read.assume_value().complete[i] && !written[i]) std::abort();  // never believe what was not recorded
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_any({reinterpret_cast<const char*>(data), size});
  read_own(data, size);
  return 0;
}
