// storage/partial_blob_local.hpp: one unfinished download on the filesystem. Layer 3; used by blob_store_local.cpp
// only. Files: blobs/partial/<hex>.data and, for more than one segment, <hex>.state (docs/formats/partial_blob.md).
// Threads: write() of different segments runs in parallel. `state_mutex_` guards coverage, completion and the log,
// `hash_mutex_` the hash; the order is hash before state, and no data is written under either.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/file.hpp"
#include "storage/blob_store.hpp"
#include "storage/blob_store_local.hpp"
#include "storage/data_dir.hpp"
#include "storage/partial_state.hpp"

namespace hm::storage {
/// What a store and its partials share; lives as long as the last of them. Thread-safe.
struct LocalContext {
  LocalContext(FileSystem& f, DataDir d, LocalBlobStoreOptions o);
  FileSystem& fs;
  const DataDir dir;
  const LocalBlobStoreOptions options;

  /// NoSpace when `more_bytes` beside what is promised to open downloads would leave less than the reserve.
  Result<> check_space(std::uint64_t more_bytes) const;
  /// The same for a download under way, which may use half of the reserve, so that the bookkeeping of its beginning
  /// does not end it.
  Result<> check_space_under_way() const;
  std::string data_path(const BlobId& id) const { return dir.partials() + "/" + id.hex() + ".data"; }
  std::string state_path(const BlobId& id) const { return dir.partials() + "/" + id.hex() + ".state"; }

  std::mutex mutex;
  std::unordered_set<BlobId> open;         ///< guarded by mutex
  std::atomic<std::uint64_t> promised{0};  ///< bytes that open downloads will still take from the free space

 private:
  Result<> require_free(std::uint64_t more_bytes, bool under_way) const;
};

/// The right to be the one partial of a blob in this process, and the space promised to it.
class PartialClaim {
 public:
  /// Busy when another one is open.
  static Result<PartialClaim> take(std::shared_ptr<LocalContext> context, const BlobId& id);
  PartialClaim(PartialClaim&&) noexcept = default;
  PartialClaim& operator=(PartialClaim&&) = delete;
  ~PartialClaim();
  void promise(std::uint64_t bytes);
  void fulfil();  ///< the space is taken now, or will not be

 private:
  PartialClaim(std::shared_ptr<LocalContext> context, const BlobId& id) : context_(std::move(context)), id_(id) {}
  std::shared_ptr<LocalContext> context_;
  BlobId id_;
  std::uint64_t promised_ = 0;
};

class LocalPartialBlob final : public PartialBlob {
 public:
  /// @returns as BlobStore::partial.
  static Result<std::unique_ptr<LocalPartialBlob>> open(std::shared_ptr<LocalContext> context, const BlobId& id,
                                                        std::uint64_t size_bytes);
  ~LocalPartialBlob() override = default;

  const BlobId& id() const override { return id_; }
  std::uint64_t size_bytes() const override { return layout_.size_bytes; }
  std::uint32_t segment_bytes() const override { return layout_.segment_bytes; }
  std::uint64_t segment_count() const override { return layout_.count(); }
  bool has_segment(std::uint64_t index) const override;
  Result<> write(std::uint64_t offset_bytes, std::span<const std::byte> bytes) override;
  Result<> complete_segment(std::uint64_t index) override;
  Result<> restart() override;
  Result<std::unique_ptr<File>> open_data() const override;

  // For publishing, when no other thread uses the partial any more:
  /// Reads what was not hashed on the way. BadInput when a segment is missing.
  Result<Sha256> finish_hash();
  File& data() { return *data_; }
  std::string data_path() const { return context_->data_path(id_); }
  /// Removes the log: the data is named, or is not worth anything. Absent is success.
  Result<> drop_state();
  /// After a failed fdatasync the kernel may have dropped pages it calls clean: nothing of this download may be
  /// believed any more.
  Result<> distrust(Error cause);

 private:
  LocalPartialBlob(std::shared_ptr<LocalContext> context, PartialClaim claim, const BlobId& id, SegmentLayout layout);
  Result<> open_files(std::optional<PartialState> state);
  Result<> open_log(const PartialState& state);
  Result<> reserve_space();
  Result<> begin_write(std::uint64_t segment, std::uint64_t offset);
  Result<> take_back(std::uint64_t segment, std::uint64_t offset);
  Result<> hash_written(std::uint64_t segment, std::uint64_t offset, std::span<const std::byte> bytes);
  Result<> follow();                           // hash_mutex_ held
  Result<> hash_from_file(std::uint64_t end);  // hash_mutex_ held
  void enter_segment(std::uint64_t index);     // hash_mutex_ held
  Result<> record_midstate();
  Result<> sync_if_due();
  Result<> append(std::string record);  // state_mutex_ held
  Result<> usable() const;              // state_mutex_ held

  const std::shared_ptr<LocalContext> context_;
  PartialClaim claim_;
  const BlobId id_;
  const SegmentLayout layout_;
  std::unique_ptr<File> data_;

  mutable std::mutex state_mutex_;
  std::unique_ptr<File> log_;  // null for a single segment: there is nothing to resume
  PartialLogWriter log_writer_;
  std::uint64_t log_records_ = 0;
  std::vector<bool> complete_;
  std::uint64_t complete_count_ = 0, complete_prefix_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t>
      covered_to_;  // segment under way → end of what was written without a gap
  std::uint64_t unsynced_bytes_ = 0;
  bool syncing_ = false, directory_synced_ = false, space_reserved_ = false;
  std::optional<Error> broken_;

  std::mutex hash_mutex_;
  Sha256Hasher hasher_;                         // of the bytes [0, hasher_.hashed_bytes())
  std::optional<Sha256Hasher::Midstate> base_;  // at the beginning of segment hash_segment_
  std::uint64_t recorded_base_ = 0;             // hashed bytes of the newest midstate in the log
  std::atomic<std::uint64_t> hash_segment_{0};  // written under hash_mutex_; all segments before it are complete
};
}  // namespace hm::storage
