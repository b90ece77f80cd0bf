// net/curl_transfer.hpp: one request on libcurl, from its options to its last byte. Layer 2, private to net/.
// Threads: the client's executor. Bytes come in through libcurl's write callback into one block while the reader holds
// another.
#pragma once
#include <curl/curl.h>

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/address_policy.hpp"
#include "net/curl_core.hpp"
#include "net/http_client.hpp"
#include "net/response_head.hpp"
#include "net/stall_clock.hpp"
#include "net/url.hpp"

namespace hm::net {
/// What a request became after the checks that need no network.
struct PreparedRequest {
  HttpRequest request;
  Url url;
  std::string proxy;            ///< empty = direct
  bool may_be_private = false;  ///< the host may resolve to addresses inside
  bool gets_token = false;
};

class CurlTransfer final : private CurlListener, private CoreMember {
 public:
  CurlTransfer(std::shared_ptr<CurlCore> core, PreparedRequest prepared);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  Result<> start();
  /// Suspends until the head is complete. Afterwards status(), headers() and content_length() have their values.
  awaitable<Result<>> wait_head();
  /// The contract of HttpBody::next().
  awaitable<Result<std::span<const std::byte>>> next();

  ResponseHead& head() { return head_; }
  const Url& url() const { return prepared_.url; }

 private:
  template <class Ready>
  awaitable<bool> wait_until(Ready ready);
  void wake();
  void log_request() const;

  bool set_up();
  void set_up_request();
  bool add_request_headers();
  bool add_header(std::string_view name, std::string_view value);
  std::size_t on_header(std::string_view line);
  std::size_t on_body(std::span<const std::byte> bytes);
  curl_socket_t on_open_socket(const curl_sockaddr& address);
  bool address_is_allowed(const curl_sockaddr& address);

  void on_finished(CURLcode result) override;
  void on_settled() override;
  void abandon(Error why) override;
  std::optional<std::int64_t> check_stall(std::int64_t now_ms) override;

  bool fits_another_read() const;
  std::size_t ahead_bytes_max() const;
  void note_pause();
  std::span<const std::byte> take_filled();
  bool body_is_complete() const;
  Error failure_of(CURLcode result) const;
  Error connect_failure() const;
  Error refused_address() const;
  std::string detail_of(CURLcode result) const;
  void detach();

  std::shared_ptr<CurlCore> core_;
  PreparedRequest prepared_;
  EasyHandle easy_;  ///< null once the transfer has ended
  SlistHandle header_list_;
  boost::asio::steady_timer wake_;  ///< cancelled to resume the one coroutine that waits
  ResponseHead head_;
  StallClock stall_;
  std::optional<Error> failure_;
  std::optional<IpAddress> refused_;  ///< an address the policy did not allow
  Block filling_;                     ///< libcurl writes here …
  std::size_t filled_bytes_ = 0;
  Block handed_out_;  ///< … while the reader has this
  std::int64_t begin_ms_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t unsettled_bytes_ = 0;  ///< not yet told to the stall clock
  std::int64_t uploaded_bytes_ = 0;
  bool started_ = false;  ///< in the multi and in the core's list
  bool finished_ = false;
  bool reader_waits_ = false;
  bool paused_ = false;
  bool touched_ = false;
  bool tried_address_ = false;  ///< at least one address was allowed
  bool doubted_ = false;        ///< seems stalled; one more look
  char error_text_[CURL_ERROR_SIZE] = {};
};
}  // namespace hm::net
