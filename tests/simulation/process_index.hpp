// tests/simulation/process_index.hpp: the index as one process has it: it can be killed around a commit, and what it
// stores can be looked at and falsified. Threads: as the index behind it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "storage/index.hpp"
#include "tests/simulation/trace.hpp"

namespace hm::test::sim {
class ProcessIndex final : public storage::Index {
 public:
  using BeforeCommit = std::function<void(const storage::Index& stored, storage::Batch& batch)>;
  /// @param before_commit looks at what is about to be stored, or falsifies it, for planted mistakes
  ProcessIndex(std::unique_ptr<storage::Index> inner, Trace& trace, BeforeCommit before_commit)
      : inner_(std::move(inner)), trace_(trace), before_commit_(std::move(before_commit)) {}

  /// The process ends at its n-th commit from now, which is durable or is not; whoever waits for it hears of an error.
  void kill_at_commit(std::uint64_t n, bool durable) { commits_left_ = n, last_is_durable_ = durable; }
  void kill() { dead_ = true; }  ///< from now on every call fails
  bool dead() const { return dead_; }

  Result<std::optional<std::string>> get(storage::Family family, std::string_view key) const override {
    if (dead_) return killed();
    return inner_->get(family, key);
  }
  Result<> scan(storage::Family family, std::string_view prefix,
                const std::function<bool(std::string_view, std::string_view)>& visit,
                std::string_view from) const override {
    if (dead_) return killed();
    return inner_->scan(family, prefix, visit, from);
  }
  Result<std::optional<std::pair<std::string, std::string>>> last(storage::Family family,
                                                                  std::string_view prefix) const override {
    if (dead_) return killed();
    return inner_->last(family, prefix);
  }
  Result<> commit(const storage::Batch& batch) override;
  Result<> clear(storage::Family family) override {
    if (dead_) return killed();
    return inner_->clear(family);
  }
  std::uint64_t version() const override { return inner_->version(); }
  Result<> refresh() override { return inner_->refresh(); }

 private:
  static Error killed() { return {Errc::Io, "the process was killed"}; }
  std::unique_ptr<storage::Index> inner_;
  Trace& trace_;
  const BeforeCommit before_commit_;
  std::uint64_t commits_left_ = 0;  ///< 0: no end is planned
  bool last_is_durable_ = false;
  bool dead_ = false;
};
}  // namespace hm::test::sim
