#include "app/daemon/frames.hpp"

#include <boost/json/serialize.hpp>

#include "app/output.hpp"
#include "base/json_fields.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kHeadBytes = 5;
constexpr std::string_view kKinds = "risoewx";
}  // namespace

std::string pack_frame(FrameKind kind, std::string_view payload) {
  std::string out;
  out.reserve(kHeadBytes + payload.size());
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((payload.size() >> shift) & 0xff);
  out += static_cast<char>(kind);
  return out.append(payload);
}

Result<std::optional<Frame>> FrameReader::next() {
  if (buffer_.size() < kHeadBytes) return std::optional<Frame>();
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(buffer_[i]);
  const char kind = buffer_[4];
  if (length > kFrameBytesMax || kKinds.find(kind) == std::string_view::npos)
    return Error{Errc::Refused, "bytes that are no frame"};
  if (buffer_.size() - kHeadBytes < length) return std::optional<Frame>();
  Frame frame{static_cast<FrameKind>(kind), buffer_.substr(kHeadBytes, length)};
  buffer_.erase(0, kHeadBytes + length);
  return std::optional(std::move(frame));
}

std::string pack_request(const DaemonRequest& request) {
  json::array arguments;
  for (const std::string& argument : request.arguments) arguments.emplace_back(json_text(argument));
  return json::serialize(json::object{{"what", request.what},
                                      {"arguments", std::move(arguments)},
                                      {"directory", json_text(request.directory)},
                                      {"input_name", json_text(request.input_name)},
                                      {"in_is_terminal", request.in_is_terminal},
                                      {"err_is_terminal", request.err_is_terminal}});
}

Result<DaemonRequest> unpack_request_frame(std::string_view json_bytes) {
  HM_TRY(const json::value value, parse_json(json_bytes));
  if (!value.is_object()) return Error{Errc::BadInput, "a request is no object"};
  const json::object& object = value.get_object();
  DaemonRequest request;
  request.what = text_of(object, "what");
  request.directory = text_of(object, "directory");
  request.input_name = text_of(object, "input_name");
  request.in_is_terminal = flag_of(object, "in_is_terminal");
  request.err_is_terminal = flag_of(object, "err_is_terminal");
  const json::value* arguments = object.if_contains("arguments");
  if (arguments == nullptr || !arguments->is_array()) return Error{Errc::BadInput, "a request without arguments"};
  for (const json::value& argument : arguments->get_array()) {
    if (!argument.is_string()) return Error{Errc::BadInput, "an argument is no text"};
    request.arguments.emplace_back(argument.get_string());
  }
  return request;
}
}  // namespace hm::app
