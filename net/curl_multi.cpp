#include "net/curl_multi.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "base/check.hpp"

namespace hm::net {
namespace asio = boost::asio;
using boost::system::error_code;

/// A descriptor that libcurl owns and Asio waits on. Handlers that come late see `gone` and touch nothing.
struct CurlMulti::Watch {
  Watch(const asio::any_io_executor& executor, curl_socket_t s) : descriptor(executor), socket(s) {}
  asio::posix::stream_descriptor descriptor;
  curl_socket_t socket;
  int wanted = 0;  ///< CURL_POLL_IN | CURL_POLL_OUT
  bool reading = false;
  bool writing = false;
  bool gone = false;
};

CurlMulti::CurlMulti(asio::any_io_executor executor, int connections_per_host_max, int connections_max)
    : executor_(std::move(executor)), timer_(executor_), multi_(curl_multi_init()) {
  HM_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(connections_per_host_max));
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(connections_max));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_max));
}

CurlMulti::~CurlMulti() {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  while (!watches_.empty()) forget_socket(watches_.begin()->first);
  curl_multi_cleanup(multi_);
}

bool CurlMulti::add(CURL* easy) { return curl_multi_add_handle(multi_, easy) == CURLM_OK; }

void CurlMulti::remove(CURL* easy, CurlListener* listener) {
  std::erase(touched_, listener);
  HM_CHECK(curl_multi_remove_handle(multi_, easy) == CURLM_OK);  // fails inside a callback, where nobody may call this
}

void CurlMulti::resume(CURL* easy, CurlListener* listener) {
  const CURLcode result = curl_easy_pause(easy, CURLPAUSE_CONT);
  if (result != CURLE_OK)
    listener->on_finished(result);  // the write callback refused bytes kept aside; libcurl tells it only here
  settle();
}

void CurlMulti::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  settle();
}

/// Tells the listeners what the last call into libcurl brought.
void CurlMulti::settle() {
  int queued = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;  // the message dies with the handle's removal
    CurlListener* listener = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &listener);
    listener->on_finished(result);
  }
  for (const auto touched = std::exchange(touched_, {}); CurlListener * listener : touched) listener->on_settled();
}

int CurlMulti::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  return static_cast<CurlMulti*>(self)->watch_socket(socket, what);
}

int CurlMulti::watch_socket(curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    forget_socket(socket);
    return 0;
  }
  auto found = watches_.find(socket);
  if (found == watches_.end()) {
    auto watch = std::make_shared<Watch>(executor_, socket);
    error_code error;
    watch->descriptor.assign(socket, error);
    if (error) return -1;  // ends the transfer; an exception must not cross libcurl's frames
    found = watches_.emplace(socket, std::move(watch)).first;
  }
  found->second->wanted = what;
  arm(found->second);
  return 0;
}

void CurlMulti::forget_socket(curl_socket_t socket) {
  const auto found = watches_.find(socket);
  if (found == watches_.end()) return;
  found->second->gone = true;
  found->second->descriptor.release();  // libcurl owns the descriptor and closes it
  watches_.erase(found);
}

void CurlMulti::arm(const std::shared_ptr<Watch>& watch) {
  if ((watch->wanted & CURL_POLL_IN) != 0 && !watch->reading) wait_readable(watch);
  if ((watch->wanted & CURL_POLL_OUT) != 0 && !watch->writing) wait_writable(watch);
}

void CurlMulti::wait_readable(std::shared_ptr<Watch> watch) {
  watch->reading = true;
  auto& descriptor = watch->descriptor;
  descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this, watch = std::move(watch)](error_code error) {
    watch->reading = false;
    if (watch->gone || error == asio::error::operation_aborted) return;
    if ((watch->wanted & CURL_POLL_IN) != 0) act(watch->socket, error ? CURL_CSELECT_ERR : CURL_CSELECT_IN);
    if (!watch->gone) arm(watch);
  });
}

void CurlMulti::wait_writable(std::shared_ptr<Watch> watch) {
  watch->writing = true;
  auto& descriptor = watch->descriptor;
  descriptor.async_wait(asio::posix::stream_descriptor::wait_write, [this, watch = std::move(watch)](error_code error) {
    watch->writing = false;
    if (watch->gone || error == asio::error::operation_aborted) return;
    if ((watch->wanted & CURL_POLL_OUT) != 0) act(watch->socket, error ? CURL_CSELECT_ERR : CURL_CSELECT_OUT);
    if (!watch->gone) arm(watch);
  });
}

int CurlMulti::on_timer(CURLM*, long timeout_ms, void* self) {
  static_cast<CurlMulti*>(self)->arm_timer(timeout_ms);
  return 0;
}

/// Runs inside a libcurl callback, so even "now" has to be posted.
void CurlMulti::arm_timer(long timeout_ms) {
  const unsigned generation = ++timer_generation_;
  auto fire = [weak = weak_from_this(), generation](error_code error = {}) {
    const auto self = weak.lock();
    if (error || !self || self->timer_generation_ != generation) return;
    self->act(CURL_SOCKET_TIMEOUT, 0);
  };
  timer_.cancel();
  if (timeout_ms < 0) return;
  if (timeout_ms == 0) {
    asio::post(executor_, std::move(fire));
  } else {
    timer_.expires_after(std::chrono::milliseconds(timeout_ms));
    timer_.async_wait(std::move(fire));
  }
}
}  // namespace hm::net
