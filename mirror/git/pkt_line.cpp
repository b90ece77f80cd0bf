#include "mirror/git/pkt_line.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"

namespace hm::mirror {
namespace {
constexpr std::size_t kLengthDigits = 4;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Length of the packet that begins with these four digits: 0, 1, 2 (special) or 4 … kPktBytesMax.
Result<std::size_t> parse_length(std::string_view digits) {
  std::size_t length = 0;
  for (const char c : digits) {
    const int d = hex_digit(c);
    if (d < 0) return Error{Errc::BadInput, "not a git pkt-line: length digits \"" + printable(digits) + "\""};
    length = length * 16 + static_cast<std::size_t>(d);
  }
  if (length == 3 || length > kPktBytesMax) {
    return Error{Errc::BadInput, "git pkt-line with forbidden length " + std::to_string(length)};
  }
  return length;
}

Pkt make_pkt(std::size_t length, std::string_view whole) {
  switch (length) {
    case 0:
      return {PktKind::Flush, {}};
    case 1:
      return {PktKind::Delimiter, {}};
    case 2:
      return {PktKind::ResponseEnd, {}};
    default:
      return {PktKind::Data, whole.substr(kLengthDigits)};
  }
}

/// Bytes the packet takes in the stream; the special ones are just their digits.
std::size_t size_in_stream(std::size_t length) { return length < kLengthDigits ? kLengthDigits : length; }
}  // namespace

Result<> PktLineReader::feed(std::string_view bytes, const PktSink& sink) {
  while (!partial_.empty()) {  // complete the packet that the previous call left open; this is the only copy made
    const bool has_length = partial_.size() >= kLengthDigits;
    std::size_t need = kLengthDigits;
    if (has_length) {
      HM_TRY(const std::size_t length, parse_length(std::string_view(partial_).substr(0, kLengthDigits)));
      need = size_in_stream(length);
      if (partial_.size() == need) {
        const std::string whole = std::move(partial_);
        partial_.clear();
        HM_TRY(sink(make_pkt(length, whole)));
        break;
      }
    }
    if (bytes.empty()) return ok();
    const std::size_t take = std::min(bytes.size(), need - partial_.size());
    partial_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
  }
  while (bytes.size() >= kLengthDigits) {
    HM_TRY(const std::size_t length, parse_length(bytes.substr(0, kLengthDigits)));
    const std::size_t need = size_in_stream(length);
    if (bytes.size() < need) break;
    HM_TRY(sink(make_pkt(length, bytes.substr(0, need))));
    bytes.remove_prefix(need);
  }
  partial_.assign(bytes);
  return ok();
}

void append_pkt(std::string& out, std::string_view payload) {
  HM_CHECK(payload.size() + kLengthDigits <= kPktBytesMax);
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::size_t length = payload.size() + kLengthDigits;
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(length >> shift) & 15U];
  out += payload;
}
}  // namespace hm::mirror
