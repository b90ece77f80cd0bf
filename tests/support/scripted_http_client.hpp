// tests/support/scripted_http_client.hpp: an HttpClient that gives prepared answers in order and keeps what it was
// asked.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::test {
/// One answer. Status 0 with `error` set: the request itself fails.
struct ScriptedAnswer {
  ScriptedAnswer() = default;
  ScriptedAnswer(int s, std::string b) : status(s), body(std::move(b)) {}
  explicit ScriptedAnswer(Error e) : error(std::move(e)) {}
  ScriptedAnswer& with(std::string name, std::string value) {
    headers.add(std::move(name), std::move(value));
    return *this;
  }
  int status = 200;
  net::Headers headers;
  std::string body;
  std::size_t chunk_bytes = 7;          ///< how much of the body one next() gives
  std::optional<Error> body_error;      ///< after the bytes of `body`, instead of its end
  std::optional<std::uint64_t> length;  ///< Content-Length; the size of `body` when not set
  std::optional<Error> error;
};

class ScriptedHttpClient final : public net::HttpClient {
 public:
  /// @returns the answer, to add to it; valid until the next answer().
  ScriptedAnswer& answer(int status, std::string body = {}) { return answers_.emplace_back(status, std::move(body)); }
  ScriptedAnswer& fail(Errc code, std::string what) { return answers_.emplace_back(Error(code, std::move(what))); }

  /// Takes the next answer. Without one left: Internal, which no test expects.
  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;

  const std::vector<net::HttpRequest>& requests() const { return requests_; }
  std::size_t left() const { return answers_.size(); }

 private:
  std::deque<ScriptedAnswer> answers_;
  std::vector<net::HttpRequest> requests_;
};
}  // namespace hm::test
