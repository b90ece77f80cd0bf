// app/store_access.hpp: the one way in which commands come to the store and the network. Layer 6. A command of its own
// process opens them and closes them at its end; inside the daemon it is lent the daemon's, as soon as what else is at
// work there leaves it in. Threads: open calls block; what they return is used as docs/threads.md says.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

#include "app/services.hpp"
#include "base/result.hpp"

namespace hm::app {
struct Context;

/// What may go on beside a command in one process.
enum class Claim : std::uint8_t {
  Share,  ///< anything but Alone
  Sync,   ///< as Share, and there is one of these at a time: it works on the unfinished generation
  Crawl,  ///< as Share, and there is one of these at a time: listers have one position
  Alone,  ///< nothing: it removes what others may be about to use, or makes the index anew
};

struct StoreRequest {
  std::string_view command;  ///< named to whoever has to wait for it
  Claim claim = Claim::Share;
  Create create = Create::No;
  Completeness completeness = Completeness::Required;
};

/// Given back when the last copy goes.
using StoreLease = std::shared_ptr<WriteServices>;
using NetworkLease = std::shared_ptr<NetworkServices>;

/// The store as far as a disk without room allows: files can be removed, the index is only read.
struct FullDiskLease {
  std::shared_ptr<void> holds;
  const mirror::Catalog& catalog;
  storage::Index& index;
  storage::BlobStore& blobs;
  const storage::DataDir& dir;
};

class StoreAccess {
 public:
  virtual ~StoreAccess() = default;
  /// @returns Busy naming the process that writes; Cancelled: stopped while it waited; else as WriteServices::open().
  virtual Result<StoreLease> open(const Context& context, const StoreRequest& request) = 0;
  /// @param store outlives the lease. @param plan of the command's own configuration, for a process of its own
  virtual Result<NetworkLease> open_network(const Context& context, WriteServices& store,
                                            NetworkServices::Plan plan) = 0;
  /// Alone. For when open() returned NoSpace.
  virtual Result<FullDiskLease> open_on_full_disk(const Context& context, std::string_view command) = 0;
};

/// Of a process that runs one command.
class OwnStores : public StoreAccess {
 public:
  Result<StoreLease> open(const Context& context, const StoreRequest& request) override;
  Result<NetworkLease> open_network(const Context& context, WriteServices& store, NetworkServices::Plan plan) override;
  Result<FullDiskLease> open_on_full_disk(const Context& context, std::string_view command) override;
};
}  // namespace hm::app
