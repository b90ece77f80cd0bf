// crawler/at_work.hpp: which repositories a pipeline is at work on: one repository never twice at once, whoever asked
// for it and under whatever name. Two visits of one bare repository would trip over each other. Layer 5. Threads:
// everything runs on the network executor.
#pragma once
#include <map>
#include <memory>
#include <utility>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/lfs/tasks.hpp"

namespace hm::crawler {
using net::awaitable;

class AtWork {
 public:
  /// Held until it is destroyed. What it came from outlives it.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : of_(std::exchange(other.of_, nullptr)), key_(other.key_), waited_(other.waited_) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(key_, other.key_);
      std::swap(waited_, other.waited_);
      return *this;
    }
    ~Hold();
    /// Somebody else was at work on it first: what was learnt of it before may not hold any more.
    bool waited() const { return waited_; }

   private:
    friend class AtWork;
    AtWork* of_ = nullptr;
    RepoKey key_;
    bool waited_ = false;
  };
  /// Waits until nobody else is at work on it. @returns Cancelled.
  awaitable<Result<Hold>> hold(RepoKey key);

 private:
  std::map<RepoKey, std::shared_ptr<mirror::Signal>> held_;  ///< the signal tells that it is free again
};
}  // namespace hm::crawler
