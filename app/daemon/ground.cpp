#include "app/daemon/ground.hpp"

#include <ostream>

#include "app/context.hpp"

namespace hm::app {
Result<Gate::Ticket> LentStores::enter(const Context& context, std::string_view command, Claim claim) {
  Gate::Wish wish;
  wish.claim = claim;
  wish.who = std::string(command) + " (" + whose_ + ")";
  wish.makes_way = makes_way_;
  return ground_.gate.enter(std::move(wish), give_up_, [&context](const std::string& whom) {
    if (context.shows_progress()) context.io.err << "hubmirror: waits for " << whom << "\n" << std::flush;
  });
}

Result<StoreLease> LentStores::open(const Context& context, const StoreRequest& request) {
  HM_TRY(const auto ticket, enter(context, request.command, request.claim));
  return StoreLease(ticket, &ground_.store);
}

Result<NetworkLease> LentStores::open_network(const Context&, WriteServices&, NetworkServices::Plan) {
  return NetworkLease(std::shared_ptr<void>(), &ground_.network);
}

Result<FullDiskLease> LentStores::open_on_full_disk(const Context& context, std::string_view command) {
  HM_TRY(auto ticket, enter(context, command, Claim::Alone));
  WriteServices& s = ground_.store;
  return FullDiskLease{std::move(ticket), s.catalog, *s.index, *s.blobs, s.dir};
}
}  // namespace hm::app
