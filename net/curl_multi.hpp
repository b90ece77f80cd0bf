// net/curl_multi.hpp: libcurl's multi interface, driven by Asio instead of a loop of its own. Layer 2, private to net/.
// Threads: one executor. Its listeners are told outside of every libcurl callback, so they may do with handles what
// they like.
#pragma once
#include <curl/curl.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

namespace hm::net {
/// One transfer, as CurlMulti sees it; CURLOPT_PRIVATE of its handle points here.
class CurlListener {
 public:
  virtual void on_finished(CURLcode result) = 0;  ///< the handle is still in the multi; remove() it
  virtual void on_settled() = 0;                  ///< after libcurl has done all it could for now; once per touch()
 protected:
  ~CurlListener() = default;
};

class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  CurlMulti(boost::asio::any_io_executor executor, int connections_per_host_max, int connections_max);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  bool add(CURL* easy);
  void remove(CURL* easy, CurlListener* listener);
  void pause(CURL* easy) { curl_easy_pause(easy, CURLPAUSE_RECV); }
  /// May run the write callback before it returns, and may end the transfer.
  void resume(CURL* easy, CurlListener* listener);
  /// From a write callback: on_settled() is wanted.
  void touch(CurlListener* listener) { touched_.push_back(listener); }

 private:
  struct Watch;
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* watch);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  int watch_socket(curl_socket_t socket, int what);
  void forget_socket(curl_socket_t socket);
  void wait_readable(std::shared_ptr<Watch> watch);
  void wait_writable(std::shared_ptr<Watch> watch);
  void arm(const std::shared_ptr<Watch>& watch);
  void arm_timer(long timeout_ms);
  void act(curl_socket_t socket, int events);
  void settle();

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  unsigned timer_generation_ = 0;  ///< what was posted for an older setting of the timer is void
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::vector<CurlListener*> touched_;
  CURLM* multi_;
};
}  // namespace hm::net
