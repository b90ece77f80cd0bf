// A log never promises more than it says: complete segments exist, a midstate is covered by them, and rendering it
// again says the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "storage/partial_state.hpp"

using namespace hm::storage;

namespace {
constexpr std::size_t kSegmentsChecked =
    4096;  // more are legal, but walking over millions leaves no time for other inputs

void check(const PartialState& state) {
  if (state.complete.size() != state.header.layout.count() || state.complete_bytes() > state.header.layout.size_bytes)
    std::abort();
  if (!state.midstate) return;
  const std::uint64_t hashed = state.midstate->hashed_bytes / state.header.layout.segment_bytes;
  if (state.midstate->hashed_bytes % state.header.layout.segment_bytes != 0 || hashed > state.complete.size())
    std::abort();
  if (!std::all_of(state.complete.begin(), state.complete.begin() + static_cast<std::ptrdiff_t>(hashed),
                   [](bool b) { return b; }))
    std::abort();
}

/// The input with all checksums made right, so that the fuzzer gets past them.
std::string sealed(std::string log) {
  auto seal = [&](std::size_t begin, std::size_t length, std::uint32_t seed) {
    const std::uint32_t sum = crc32c(seed, std::string_view(log).substr(begin, length - 4));
    for (std::size_t i = 0; i < 4; ++i) log[begin + length - 4 + i] = static_cast<char>((sum >> (24 - 8 * i)) & 0xff);
    return sum;
  };
  std::uint32_t chain = seal(0, kPartialHeaderBytes, 0);
  for (std::size_t at = kPartialHeaderBytes; log.size() - at >= kPartialRecordBytes; at += kPartialRecordBytes)
    chain = seal(at, kPartialRecordBytes, chain);
  return log;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string log(reinterpret_cast<const char*>(data), size);
  const std::string boot(kBootIdBytes, 'b');
  (void)parse_partial_state(log, boot).has_value();
  if (size < kPartialHeaderBytes) return 0;
  log = sealed(log);
  for (const std::string& now : {boot, log.substr(56, kBootIdBytes)}) {
    const auto state = parse_partial_state(log, now);
    if (!state || state.assume_value().complete.size() > kSegmentsChecked) continue;
    check(state.assume_value());
    const auto again =
        parse_partial_state(render_partial_state(state.assume_value(), boot, true), std::string(kBootIdBytes, 'c'));
    if (!again || again.assume_value().complete != state.assume_value().complete) std::abort();
  }
  return 0;
}
