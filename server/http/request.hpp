// server/http/request.hpp: one HTTP/1.1 request, and the reader that makes it of bytes from the network. Layer 5.
// Values; the reader does no I/O, so that every split of its input can be tried. Boost.Beast parses heads, when they
// are whole, and stays in the .cpp; what it lets pass and a proxy in front may read otherwise (two lengths, folded
// fields) is refused here. Its reader of chunked bodies is not used: pieces of some lengths fail an assertion in it
// (1.81).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm::server {
enum class Method : std::uint8_t { Get, Head, Post, Put, Delete, Options, Patch, Other };
std::string_view name_of(Method method);  ///< "GET"

struct Request {
  Method method = Method::Get;
  std::string target;  ///< as sent, in origin form: begins with '/', nothing decoded
  bool http10 = false;
  bool keep_alive = true;
  std::string body;  ///< whole, chunks joined
  // What the connection knows.
  std::string peer;          ///< address of the other end, "unix" for a socket of this machine
  bool encrypted = false;    ///< it came over TLS
  std::uint64_t number = 0;  ///< of this process; X-Request-Id is made of it

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const;                        ///< behind the '?', "" without one
  std::string_view header(std::string_view name) const;  ///< first field of this name, without case; "" if none
  std::vector<std::string_view> headers(std::string_view name) const;  ///< all fields of this name, in order
  bool has_header(std::string_view name) const;
  bool is_read() const { return method == Method::Get || method == Method::Head; }

  void add_field(std::string_view name, std::string_view value);
  std::size_t count_fields(std::string_view name) const;

 private:
  struct Span {
    std::uint32_t name, name_size, value, value_size;
  };
  std::string text_;  ///< names and values, one behind the other: a request is a handful of allocations
  std::vector<Span> fields_;
};

struct Parameter {
  std::string name, value;
};
/// Query parameters or a form's body, decoded, in order: '+' is a blank, %XX once; at most `count_max` are read.
std::vector<Parameter> parse_form(std::string_view text, std::size_t count_max = 10'000);

/// Why a request cannot be answered, and with which status; the connection ends after the answer.
struct BadRequest {
  int status = 400;
  std::string what;
};

struct ReadLimits {
  std::size_t head_bytes_max = 64U << 10;
  std::size_t fields_max = 100;
  std::size_t target_bytes_max = 16U << 10;
};

class RequestReader {
 public:
  explicit RequestReader(ReadLimits limits);
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class State : std::uint8_t {
    Head,  ///< more bytes are needed for the head
    Body,  ///< the head is complete: head() may be looked at, and accept_body() decides
    Done,  ///< take() gives the request
    Bad,   ///< problem() says why
  };
  State state() const { return state_; }
  /// Takes as much of `bytes` as belongs to this request; of those that end its head nothing behind the head, because
  /// accept_body() comes first. @returns how many were taken: less than all only when the head or the request ended.
  std::size_t feed(std::string_view bytes);
  /// Bytes of this request have arrived; before that an end of the connection is no error.
  bool begun() const { return begun_; }
  const Request& head() const { return request_; }
  /// Expect: 100-continue was sent and the body has not come yet.
  bool wants_continue() const;
  /// Needed in state Body before the body is fed. A longer one is Bad (413).
  void accept_body(std::uint64_t bytes_max);
  const BadRequest& problem() const { return problem_; }
  Request take();

 private:
  enum class Chunk : std::uint8_t {  ///< what the chunked coding has next
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerBegin,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
  };
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t scan_head(std::string_view bytes);
  void parse_head(std::string_view head);
  void step_chunk(char c);
  std::size_t take_data(std::string_view bytes);
  void fail(int status, std::string what);
  const ReadLimits limits_;
  Request request_;
  BadRequest problem_;
  State state_ = State::Head;
  bool begun_ = false;
  std::string kept_;                          ///< of a head that has not ended
  std::size_t scanned_ = 0, line_bytes_ = 0;  ///< of the head; of its present line
  char last_ = 0;                             ///< byte before, across feeds
  bool head_ended_ = false;
  bool chunked_ = false, size_begun_ = false;
  Chunk chunk_ = Chunk::Size;
  std::uint64_t left_ = 0;  ///< of the body, or of the present chunk
  std::uint64_t body_bytes_max_ = 0, framing_bytes_ = 0;
};
}  // namespace hm::server
