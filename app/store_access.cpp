#include "app/store_access.hpp"

#include "app/context.hpp"

namespace hm::app {
Result<StoreLease> OwnStores::open(const Context& context, const StoreRequest& request) {
  HM_TRY(auto store,
         WriteServices::open(context.config, context.data_dir, request.command, request.create, request.completeness));
  return StoreLease(std::move(store));
}

Result<NetworkLease> OwnStores::open_network(const Context& context, WriteServices& store, NetworkServices::Plan plan) {
  HM_TRY(auto network, NetworkServices::open(context.config, store, std::move(plan)));
  return NetworkLease(std::move(network));
}

Result<FullDiskLease> OwnStores::open_on_full_disk(const Context& context, std::string_view command) {
  struct Held {
    std::unique_ptr<ReadServices> store;
    storage::WriterLock lock;
  };
  HM_TRY(auto store, ReadServices::open(context.config, context.data_dir));
  HM_TRY(auto lock, storage::WriterLock::acquire(store->dir, command));
  HM_TRY(store->index->refresh());  // what was committed before the lock was ours
  ReadServices& s = *store;
  auto held = std::make_shared<Held>(std::move(store), std::move(lock));
  return FullDiskLease{std::move(held), s.catalog, *s.index, *s.blobs, s.dir};
}
}  // namespace hm::app
