// The index on RocksDB keeps the contract of all indexes.
#include "tests/contract/index_contract.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::test {
namespace {
class RocksDbHarness final : public IndexHarness {
 public:
  RocksDbHarness() { reopen(); }
  Index& index() override { return *index_; }
  void reopen() override {
    index_.reset();
    index_ = storage::open_index(temp_.path() + "/index", Index::Mode::Write, {}).value();
  }

 private:
  TempDirectory temp_;
  std::unique_ptr<Index> index_;
};
std::unique_ptr<IndexHarness> make_rocksdb_harness() { return std::make_unique<RocksDbHarness>(); }
}  // namespace

INSTANTIATE_TEST_SUITE_P(RocksDb, IndexContract, ::testing::Values(&make_rocksdb_harness));
}  // namespace hm::test
