// server/published.hpp: what is served, held in memory as long as the index says the same: repositories by name, their
// refs, files of a revision by path, small files. Layer 5. Everything handed out is immutable and shared.
// Threads: safe. find_now() never blocks; what it does not know is read by load() on the disk pool.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "storage/blob_store.hpp"
#include "storage/index.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::server {
using boost::asio::awaitable;

/// One repository as of one state of the index.
struct PublishedRepo {
  storage::RepoRow row;
  RepoKey key;
  std::vector<storage::RefRow> refs;  ///< sorted by name; published ones only
  std::string git_path;               ///< bare repository on this machine

  /// Target of a branch, tag, full ref, "HEAD" or "" (upstream's default branch), or the commit itself when it is 40
  /// hex; not looked up whether it is published. Nullopt for what is none of these.
  std::optional<Commit> commit_of(std::string_view revision) const;
  bool is_private() const { return row.visibility == "private"; }
  bool is_gated() const { return row.visibility.starts_with("gated"); }
};
using RepoView = std::shared_ptr<const PublishedRepo>;
}  // namespace hm::server
