// The local blob store keeps the contract of all blob stores.
#include "storage/blob_store_local.hpp"
#include "tests/contract/blob_store_contract.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::test {
namespace {
class LocalHarness final : public BlobStoreHarness {
 public:
  LocalHarness() {
    if (!storage::create_data_dir(real_file_system(), dir_)) std::abort();
    reopen();
  }
  storage::BlobStore& store() override { return *store_; }
  void reopen() override {
    storage::LocalBlobStoreOptions options;
    options.reserve_bytes = 1;
    options.reserve_percent = 0;
    options.segment_bytes = kContractSegmentBytes;
    options.sync_every_bytes = 3 * kContractSegmentBytes;
    store_ = storage::make_local_blob_store(real_file_system(), dir_, options);
  }

 private:
  TempDirectory temp_;
  storage::DataDir dir_{temp_.path()};
  std::unique_ptr<storage::BlobStore> store_;
};
std::unique_ptr<BlobStoreHarness> make_local_harness() { return std::make_unique<LocalHarness>(); }
}  // namespace

INSTANTIATE_TEST_SUITE_P(Local, BlobStoreContract, ::testing::Values(&make_local_harness));
}  // namespace hm::test
