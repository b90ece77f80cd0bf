// app/daemon/ground.hpp: what commands and jobs in the daemon stand on, and how they are lent the store. Layer 6.
// Threads: safe, each part as it says itself.
#pragma once
#include <iosfwd>
#include <optional>
#include <stop_token>
#include <string>

#include "app/daemon/gate.hpp"
#include "app/daemon/in_force.hpp"
#include "app/metrics.hpp"
#include "app/services.hpp"
#include "app/store_access.hpp"

namespace hm::app {
struct Ground {
  WriteServices& store;
  NetworkServices& network;
  Metrics& metrics;
  Gate gate;
  InForce in_force;

  Ground(WriteServices& s, NetworkServices& n, Metrics& m, RulesView rules)
      : store(s), network(n), metrics(m), in_force(std::move(rules)) {}
};

/// The daemon's own store and network, to one command after it has come through the gate.
class LentStores : public StoreAccess {
 public:
  /// @param whose "the schedule", "pid 4711": told to those who wait. @param give_up while it waits
  /// @param makes_way as Gate::Wish
  LentStores(Ground& ground, std::string whose, std::stop_token give_up,
             std::optional<std::stop_source> makes_way = std::nullopt)
      : ground_(ground), whose_(std::move(whose)), give_up_(std::move(give_up)), makes_way_(std::move(makes_way)) {}
  /// Says on the command's standard error whom it waits for.
  Result<StoreLease> open(const Context& context, const StoreRequest& request) override;
  Result<NetworkLease> open_network(const Context& context, WriteServices& store, NetworkServices::Plan plan) override;
  Result<FullDiskLease> open_on_full_disk(const Context& context, std::string_view command) override;

 private:
  Result<Gate::Ticket> enter(const Context& context, std::string_view command, Claim claim);

  Ground& ground_;
  const std::string whose_;
  const std::stop_token give_up_;
  const std::optional<std::stop_source> makes_way_;
};
}  // namespace hm::app
