#include "server/http/response.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <type_traits>

namespace hm::server {
Response& Response::add(std::string_view name, std::string_view value) {
  fields.append(name).append(": ");
  const std::size_t at = fields.size();
  fields.append(value).append("\r\n");
  for (std::size_t i = at; i + 2 < fields.size(); ++i)
    if (static_cast<unsigned char>(fields[i]) < 0x20 || fields[i] == 0x7f) fields[i] = ' ';
  return *this;
}

std::uint64_t Response::body_bytes() const {
  return std::visit(
      [](const auto& b) -> std::uint64_t {
        using T = std::decay_t<decltype(b)>;
        if constexpr (std::is_same_v<T, std::string>)
          return b.size();
        else if constexpr (std::is_same_v<T, std::unique_ptr<BodySource>>)
          return 0;
        else
          return b.length;
      },
      body);
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

Response text_response(int status, std::string body) {
  Response out;
  out.status = status;
  out.add("Content-Type", "text/plain; charset=utf-8");
  out.body = std::move(body);
  return out;
}

Response json_response(std::string body, int status) {
  Response out;
  out.status = status;
  out.add("Content-Type", "application/json; charset=utf-8");
  out.body = std::move(body);
  return out;
}

Response json_response(std::shared_ptr<const std::string> body) {
  Response out;
  out.add("Content-Type", "application/json; charset=utf-8");
  const std::uint64_t size = body->size();
  out.body = SharedBytes{std::move(body), 0, size};
  return out;
}

Response hub_error(int status, std::string_view code, std::string_view message, bool as_text) {
  Response out =
      as_text ? text_response(status, std::string(message))
              : json_response("{\"error\":" + boost::json::serialize(boost::json::string(message)) + "}", status);
  if (!code.empty()) out.add("X-Error-Code", code);
  out.add("X-Error-Message", message);
  return out;
}
}  // namespace hm::server
