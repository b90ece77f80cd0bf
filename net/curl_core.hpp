// net/curl_core.hpp: what all transfers of one client share. Layer 2, private to net/. Threads: the client's executor.
// Kept alive by the client and by every transfer, so either may go first.
#pragma once
#include <curl/curl.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "net/curl_http_client.hpp"
#include "net/curl_multi.hpp"
#include "net/proxy.hpp"
#include "net/url.hpp"

namespace hm::net {
template <auto Free>
struct CurlFree {
  void operator()(auto* p) const noexcept { Free(p); }
};
using EasyHandle = std::unique_ptr<CURL, CurlFree<curl_easy_cleanup>>;
using SlistHandle = std::unique_ptr<curl_slist, CurlFree<curl_slist_free_all>>;
using ShareHandle = std::unique_ptr<CURLSH, CurlFree<curl_share_cleanup>>;
using Block = std::unique_ptr<std::byte[]>;

/// A transfer, as the core sees it.
class CoreMember {
 public:
  virtual void abandon(Error why) = 0;
  /// Judges the transfer's progress. @returns when to look again; nullopt = not before watch() is called.
  virtual std::optional<std::int64_t> check_stall(std::int64_t now_ms) = 0;

 protected:
  ~CoreMember() = default;
};

class CurlCore : public std::enable_shared_from_this<CurlCore> {
 public:
  CurlCore(boost::asio::any_io_executor executor, CurlOptions options, Url upstream, ProxySettings proxies);

  void close();  ///< the client goes: every transfer ends with Cancelled
  bool closed() const { return closed_; }

  EasyHandle take_easy();
  void give_back(EasyHandle easy);
  Block take_block();
  void give_back(Block block);
  std::size_t block_bytes() const { return block_bytes_; }

  void join(CoreMember& member) { members_.insert(&member); }
  void leave(CoreMember& member);
  /// Makes sure that check_stall() is called at `deadline_ms` or a little later.
  void watch(std::optional<std::int64_t> deadline_ms);

  CurlMulti& multi() { return *multi_; }
  CURLSH* share() { return share_.get(); }
  const boost::asio::any_io_executor& executor() const { return executor_; }
  const CurlOptions& options() const { return options_; }
  const Url& upstream() const { return upstream_; }
  const ProxySettings& proxies() const { return proxies_; }
  const std::string& ca_path() const { return ca_path_; }  ///< empty = the system's
  bool is_allowed_private(const Url& url) const;

 private:
  void check_stalls();

  boost::asio::any_io_executor executor_;
  CurlOptions options_;
  Url upstream_;
  ProxySettings proxies_;
  std::string ca_path_;
  std::size_t block_bytes_;
  ShareHandle share_;  // outlives the handles that use it
  std::vector<EasyHandle> easies_;
  std::vector<Block> blocks_;
  std::shared_ptr<CurlMulti> multi_;  // goes before the easy handles
  std::unordered_set<CoreMember*> members_;
  boost::asio::steady_timer stall_timer_;
  std::optional<std::int64_t> stall_deadline_ms_;
  bool closed_ = false;
};
}  // namespace hm::net
