// app/daemon/facts.hpp: figures that are looked up when somebody asks for them: the budget, the disk, the process.
// Layer 6. Threads: refresh() on any but the network thread, for which it waits a second at most.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/metrics.hpp"
#include "app/services.hpp"

namespace hm::app {
/// What the call returned on the network thread; nullopt: that did not come to it within a second.
std::optional<hub::BudgetStatus> budget_status(NetworkServices& network);

class DaemonFigures {
 public:
  DaemonFigures(Metrics& metrics, WriteServices& store, NetworkServices& network);
  void refresh();

 private:
  void take_budget(const hub::BudgetStatus& status);
  void take_process();

  Metrics& metrics_;
  WriteServices& store_;
  NetworkServices& network_;
};
}  // namespace hm::app
