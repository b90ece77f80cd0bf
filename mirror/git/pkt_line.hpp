// mirror/git/pkt_line.hpp: git's pkt-line framing, read and written. Layer 4; values, no I/O.
// Four lowercase or uppercase hex digits give the length of a packet with these digits; 0000 flush, 0001 delimiter,
// 0002 response end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm::mirror {
/// Largest packet with its four digits; git's own LARGE_PACKET_MAX.
inline constexpr std::size_t kPktBytesMax = 65520;
inline constexpr std::string_view kFlushPkt = "0000";
inline constexpr std::string_view kDelimiterPkt = "0001";

enum class PktKind : std::uint8_t { Data, Flush, Delimiter, ResponseEnd };
struct Pkt {
  PktKind kind = PktKind::Data;
  std::string_view payload;  ///< of Data; lives during the call that hands it over
};
using PktSink = std::function<Result<>(const Pkt&)>;

/// Reads packets out of bytes that arrive in any split. Keeps at most one incomplete packet.
class PktLineReader {
 public:
  /// Hands every packet completed by `bytes` to `sink`, in order. An error of `sink` ends the reading and is passed on.
  /// @returns BadInput: a length that is not hex, is 0003 or exceeds kPktBytesMax. The reader is spent after an error.
  Result<> feed(std::string_view bytes, const PktSink& sink);
  /// True between two packets: the only place where a stream may end.
  bool at_boundary() const { return partial_.empty(); }

 private:
  std::string partial_;
};

/// Appends one data packet. `payload` is at most kPktBytesMax - 4 bytes (checked: it is ours).
void append_pkt(std::string& out, std::string_view payload);
}  // namespace hm::mirror
