// app/daemon/frames.hpp: what a command line and the daemon say to each other through the socket of the data directory.
// Layer 6; values.
//
//   frame = length kind payload        length: of the payload, 4 bytes, most significant first; kind: 1 byte
//
// Payloads are bytes as they are: what a command prints need not be UTF-8, and may be large.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm::app {
enum class FrameKind : char {
  // from the client
  Request = 'r',  ///< first, JSON: what is wanted
  Input = 'i',    ///< of standard input, after WantInput; empty: its end
  Stop = 's',     ///< the command is to end; so is it when the connection does
  // from the daemon
  Out = 'o',        ///< for standard output
  Err = 'e',        ///< for standard error
  WantInput = 'w',  ///< the command waits for input
  Exit = 'x',       ///< last, the exit code as a decimal number
};
struct Frame {
  FrameKind kind = FrameKind::Request;
  std::string payload;
};
inline constexpr std::size_t kFrameBytesMax = 16U << 20;  ///< of a payload: a request has up to 100,000 arguments

/// @pre payload is no longer than kFrameBytesMax
std::string pack_frame(FrameKind kind, std::string_view payload);

/// Frames out of bytes as they come.
class FrameReader {
 public:
  void add(std::string_view bytes) { buffer_.append(bytes); }
  /// The next frame; nullopt when it is not whole yet. @returns Refused for a kind or a length that nobody sends.
  Result<std::optional<Frame>> next();

 private:
  std::string buffer_;
};

/// What a client wants.
struct DaemonRequest {
  std::string what = "command";        ///< command, status, metrics
  std::vector<std::string> arguments;  ///< of the command line, the program's name first
  std::string directory;               ///< that the command line was typed in
  std::string input_name;              ///< what the input is called; "": standard input
  bool in_is_terminal = false, err_is_terminal = false;
};
std::string pack_request(const DaemonRequest& request);
/// @returns BadInput.
Result<DaemonRequest> unpack_request_frame(std::string_view json_text);
}  // namespace hm::app
