// app/daemon/gate.hpp: who may be at work in the daemon at the same time. Layer 6. docs/threads.md "The daemon".
// Whoever comes first goes first; what nobody waits for by hand makes way for those who do. Threads: safe; enter()
// blocks.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/store_access.hpp"
#include "base/result.hpp"

namespace hm::app {
/// True when the two cannot be at work at once.
bool exclude_each_other(Claim a, Claim b);

class Gate {
 public:
  struct Wish {
    Claim claim = Claim::Share;
    std::string who;  ///< for those who wait: "mirror", "sync of the schedule"
    /// Of work in the background: it is stopped as soon as somebody by hand waits for it, and it lets everybody else in
    /// first. It is taken up again by whoever runs it.
    std::optional<std::stop_source> makes_way;
  };
  /// Whoever holds a copy is inside.
  using Ticket = std::shared_ptr<void>;

  /// @param waits told once, when it has to wait, whom it waits for. @returns Cancelled when `give_up` fires first.
  Result<Ticket> enter(Wish wish, const std::stop_token& give_up,
                       const std::function<void(const std::string& whom)>& waits = {});

  struct Standing {
    std::string who;
    bool inside = false;
  };
  std::vector<Standing> standing() const;

 private:
  struct Entry {
    Wish wish;
    bool inside = false;
  };
  using Place = std::list<Entry>::iterator;
  bool is_in_the_way(const Entry& other, Place mine) const;
  std::string in_the_way_of(Place mine) const;
  void ask_to_make_way(Place mine);
  void leave(Place mine);

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Entry> entries_;  ///< in the order of coming
};
}  // namespace hm::app
