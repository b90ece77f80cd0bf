// mirror/git/smart_transport.hpp: fetching from servers without protocol v2, with libgit2's own smart protocol over
// net::HttpClient. Layer 4; private to this folder. The list of refs that was read before is replayed to libgit2, so
// that exactly those are asked for. Threads: blocks a thread of the git pool while the network thread carries the bytes
// (never call it on the network thread).
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "mirror/git/fetch.hpp"
#include "mirror/git/git2_handles.hpp"
#include "mirror/git/pool_work.hpp"
#include "mirror/git/quarantine.hpp"

namespace hm::mirror {
struct SmartFetch {
  net::HttpClient& client;
  boost::asio::any_io_executor network;
  std::shared_ptr<Stop> stop;
  const std::string& repository_path;
  const Advertisement& advertisement;
  const GitLimits& limits;
  Quarantine& quarantine;                                        ///< gets the pack
  std::function<void(const git_indexer_progress&)> on_progress;  ///< on the pool thread
};
/// @returns as GitRemote::fetch.
Result<> fetch_with_smart_transport(const SmartFetch& fetch);
}  // namespace hm::mirror
