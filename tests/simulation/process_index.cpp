#include "tests/simulation/process_index.hpp"

namespace hm::test::sim {
Result<> ProcessIndex::commit(const storage::Batch& batch) {
  if (dead_) return killed();
  if (batch.empty()) return ok();
  storage::Batch stored = batch;
  before_commit_(*inner_, stored);
  std::uint64_t hash = 0;
  for (const auto& c : stored.changes())
    for (const std::string_view part : {std::string_view(c.key), std::string_view(c.value)})
      for (const char byte : part) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U + 1;
  const bool last = commits_left_ == 1;
  if (commits_left_ > 0) --commits_left_;
  trace_.note("commit of " + std::to_string(stored.changes().size()) + " changes, " + std::to_string(hash) +
              (!last              ? ""
               : last_is_durable_ ? ", killed behind it"
                                  : ", killed before it"));
  if (!last) return inner_->commit(stored);
  dead_ = true;
  if (last_is_durable_) {
    HM_TRY(inner_->commit(stored));
  }
  return killed();
}
}  // namespace hm::test::sim
