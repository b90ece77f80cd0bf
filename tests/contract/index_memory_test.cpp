// The index in memory keeps the contract of all indexes, so that what is tested on it holds on the real one.
#include "tests/contract/index_contract.hpp"
#include "tests/support/memory_index.hpp"

namespace hm::test {
namespace {
class MemoryHarness final : public IndexHarness {
 public:
  MemoryHarness() { reopen(); }
  Index& index() override { return *index_; }
  void reopen() override { index_ = open_memory_index(disk_); }

 private:
  const std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  std::unique_ptr<Index> index_;
};
std::unique_ptr<IndexHarness> make_memory_harness() { return std::make_unique<MemoryHarness>(); }
}  // namespace

INSTANTIATE_TEST_SUITE_P(Memory, IndexContract, ::testing::Values(&make_memory_harness));
}  // namespace hm::test
