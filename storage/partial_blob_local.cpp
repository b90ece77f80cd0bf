#include "storage/partial_blob_local.hpp"

#include <algorithm>

#include "base/crash_point.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "storage/file_hash.hpp"
#include "storage/partial_files.hpp"

namespace hm::storage {
namespace {
constexpr std::uint64_t kAllocateBytesMin = 4U << 20;  // below, reserving blocks costs more than it can save

std::string segment_text(std::uint64_t index) { return "segment " + std::to_string(index); }
}  // namespace

Result<PartialClaim> PartialClaim::take(std::shared_ptr<LocalContext> context, const BlobId& id) {
  const std::lock_guard lock(context->mutex);
  if (!context->open.insert(id).second)
    return Error{Errc::Busy, "blob " + id.hex() + " is being downloaded by this process already"};
  return PartialClaim(context, id);
}
PartialClaim::~PartialClaim() {
  if (!context_) return;
  fulfil();
  const std::lock_guard lock(context_->mutex);
  context_->open.erase(id_);
}
void PartialClaim::promise(std::uint64_t bytes) {
  context_->promised += bytes;
  promised_ += bytes;
}
void PartialClaim::fulfil() { context_->promised -= std::exchange(promised_, 0); }

LocalPartialBlob::LocalPartialBlob(std::shared_ptr<LocalContext> context, PartialClaim claim, const BlobId& id,
                                   SegmentLayout layout)
    : context_(std::move(context)),
      claim_(std::move(claim)),
      id_(id),
      layout_(layout),
      complete_(static_cast<std::size_t>(layout.count())),
      base_(hasher_.midstate()) {}

Result<std::unique_ptr<LocalPartialBlob>> LocalPartialBlob::open(std::shared_ptr<LocalContext> context,
                                                                 const BlobId& id, std::uint64_t size_bytes) {
  HM_TRY(PartialClaim claim, PartialClaim::take(context, id));
  HM_TRY(std::optional<PartialState> state, take_up_state(*context, id, size_bytes));
  const SegmentLayout layout = state ? state->header.layout : SegmentLayout{size_bytes, context->options.segment_bytes};
  if (layout.size_bytes > (1ULL << 62) || layout.count() > kSegmentsMax) {
    return Error{Errc::Refused, "blob " + id.hex() + " is announced with " + std::to_string(size_bytes) +
                                    " bytes, more than the " + human_bytes(kSegmentsMax * layout.segment_bytes) +
                                    " this store can hold in one blob"};
  }
  std::unique_ptr<LocalPartialBlob> partial(new LocalPartialBlob(std::move(context), std::move(claim), id, layout));
  HM_TRY(partial->open_files(std::move(state)));
  HM_CRASH_POINT("blob.created");
  return partial;
}

Result<> LocalPartialBlob::open_files(std::optional<PartialState> state) {
  FileSystem& fs = context_->fs;
  std::uint64_t there_bytes = 0;
  if (state) {
    HM_TRY(data_, fs.open_existing(data_path()));
    HM_TRY(const std::uint64_t length, data_->size());
    drop_beyond(*state, length);
    there_bytes = allocated_bytes(*data_, state->complete_bytes());
  }
  const std::uint64_t more_bytes = layout_.size_bytes - std::min(layout_.size_bytes, there_bytes);
  HM_TRY(within(context_->check_space(more_bytes), [&] { return "beginning blob " + id_.hex(); }));
  claim_.promise(more_bytes);
  if (!state) {
    HM_TRY(data_, create_or_empty(fs, data_path()));
  }
  if (layout_.count() <= 1) return ok();
  if (!state)
    state =
        PartialState{{id_, layout_, context_->options.boot_id}, std::vector<bool>(complete_.size()), {}, false, 0, 0};
  complete_ = state->complete;
  complete_count_ = static_cast<std::uint64_t>(std::count(complete_.begin(), complete_.end(), true));
  while (complete_prefix_ < complete_.size() && complete_[complete_prefix_]) ++complete_prefix_;
  if (state->midstate) {
    base_ = state->midstate;
    hasher_ = Sha256Hasher(*base_);
    hash_segment_ = base_->hashed_bytes / layout_.segment_bytes;
    recorded_base_ = base_->hashed_bytes;
  }
  return open_log(*state);
}

Result<> LocalPartialBlob::open_log(const PartialState& state) {
  const std::string path = context_->state_path(id_);
  if (state.clean) {
    log_writer_ = PartialLogWriter(state.chain);
    log_records_ = state.records;
    HM_TRY(log_, context_->fs.open_existing(path));
    return ok();
  }
  const std::string& boot = context_->options.boot_id;
  const bool other_boot = state.header.boot_id != boot;  // then only what was on the medium is left in `state`
  const std::string text = render_partial_state(state, boot, other_boot);
  HM_TRY(const PartialState again, parse_partial_state(text, boot));
  log_writer_ = PartialLogWriter(again.chain);
  log_records_ = again.records;
  if (log_records_ != 0) {
    HM_TRY(replace_file(context_->fs, path, text));
    HM_TRY(log_, context_->fs.open_existing(path));
    return ok();
  }
  HM_TRY(log_, create_or_empty(context_->fs, path));
  return log_->write_at(0, as_bytes(text));
}

bool LocalPartialBlob::has_segment(std::uint64_t index) const {
  const std::lock_guard lock(state_mutex_);
  return index < complete_.size() && complete_[index];
}

Result<> LocalPartialBlob::usable() const {
  if (broken_)
    return Error{broken_->code, broken_->what + "; the download of blob " + id_.hex() + " has to start over"};
  return ok();
}

Result<> LocalPartialBlob::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return ok();
  const std::uint64_t segment = offset / layout_.segment_bytes;
  if (offset >= layout_.size_bytes || bytes.size() > layout_.end(segment) - offset) {
    return Error{Errc::BadInput, "write of " + std::to_string(bytes.size()) + " bytes at " + std::to_string(offset) +
                                     " leaves " + segment_text(segment) + " of blob " + id_.hex()};
  }
  HM_TRY(begin_write(segment, offset));
  HM_TRY(data_->write_at(offset, bytes));
  {
    const std::lock_guard lock(state_mutex_);
    covered_to_[segment] = offset + bytes.size();
  }
  return hash_written(segment, offset, bytes);
}

Result<> LocalPartialBlob::begin_write(std::uint64_t segment, std::uint64_t offset) {
  {
    const std::lock_guard lock(state_mutex_);
    HM_TRY(usable());
    if (complete_[segment])
      return Error{Errc::BadInput, segment_text(segment) + " of blob " + id_.hex() + " is complete already"};
    const auto under_way = covered_to_.find(segment);
    const std::uint64_t covered = under_way == covered_to_.end() ? layout_.begin(segment) : under_way->second;
    if (offset > covered) {
      return Error{Errc::BadInput, "write at " + std::to_string(offset) + " leaves a gap of " +
                                       std::to_string(offset - covered) + " bytes in " + segment_text(segment) +
                                       " of blob " + id_.hex()};
    }
    if (!space_reserved_) {
      HM_TRY(reserve_space());
    } else if (under_way == covered_to_.end()) {
      HM_TRY(context_->check_space_under_way());
    }
    covered_to_.try_emplace(segment, covered);
    if (offset == covered) return ok();
  }
  return take_back(segment, offset);
}

/// Bytes of a segment under way come a second time, maybe different ones: neither coverage nor hash may hold on to the
/// first.
Result<> LocalPartialBlob::take_back(std::uint64_t segment, std::uint64_t offset) {
  const std::lock_guard hash_lock(hash_mutex_);
  const std::lock_guard state_lock(state_mutex_);
  covered_to_[segment] = offset;
  if (hash_segment_ == segment && hasher_.hashed_bytes() > offset) hasher_ = Sha256Hasher(*base_);
  return ok();
}

Result<> LocalPartialBlob::reserve_space() {
  if (layout_.size_bytes >= kAllocateBytesMin) {
    HM_TRY(data_->allocate(layout_.size_bytes));
    claim_.fulfil();
  }
  space_reserved_ = true;
  return ok();
}

/// Bytes that arrive where the hash stands are hashed from the caller's buffer; a short stretch before them is read
/// back.
Result<> LocalPartialBlob::hash_written(std::uint64_t segment, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (hash_segment_.load(std::memory_order_acquire) != segment) return ok();  // the follower comes by later
  const std::lock_guard lock(hash_mutex_);
  if (hash_segment_ != segment || hasher_.hashed_bytes() > offset) return ok();
  HM_TRY(hash_from_file(offset));
  hasher_.update(bytes);
  return ok();
}

Result<> LocalPartialBlob::hash_from_file(std::uint64_t end) {
  const std::uint64_t from = hasher_.hashed_bytes();
  if (from >= end) return ok();
  return within(hash_range(*data_, from, end, hasher_), [&] { return "reading back " + data_path(); });
}

void LocalPartialBlob::enter_segment(std::uint64_t index) {
  base_ = hasher_.midstate();  // absent only behind the last segment
  hash_segment_.store(index, std::memory_order_release);
}

Result<> LocalPartialBlob::follow() {
  for (;;) {
    const std::uint64_t segment = hash_segment_;
    if (segment >= layout_.count()) return ok();
    bool whole = false;
    std::uint64_t end = 0;
    {
      const std::lock_guard lock(state_mutex_);
      whole = complete_[segment];
      const auto under_way = covered_to_.find(segment);
      end = whole ? layout_.end(segment) : under_way != covered_to_.end() ? under_way->second : layout_.begin(segment);
    }
    HM_TRY(hash_from_file(end));
    if (!whole) return ok();
    enter_segment(segment + 1);
  }
}

Result<> LocalPartialBlob::append(std::string record) {
  if (!log_) return ok();
  HM_TRY(log_->write_at(kPartialHeaderBytes + log_records_ * kPartialRecordBytes, as_bytes(record)));
  ++log_records_;
  return ok();
}

Result<> LocalPartialBlob::record_midstate() {
  if (!log_ || !base_ || base_->hashed_bytes <= recorded_base_) return ok();
  const std::lock_guard lock(state_mutex_);
  HM_TRY(usable());
  PartialLogWriter next = log_writer_;
  HM_TRY(append(next.midstate(*base_)));
  log_writer_ = next;
  recorded_base_ = base_->hashed_bytes;
  return ok();
}

Result<> LocalPartialBlob::complete_segment(std::uint64_t index) {
  if (index >= layout_.count()) return Error{Errc::BadInput, "blob " + id_.hex() + " has no " + segment_text(index)};
  {
    const std::lock_guard lock(state_mutex_);
    HM_TRY(usable());
    if (complete_[index]) return ok();
    const auto under_way = covered_to_.find(index);
    if (under_way == covered_to_.end() || under_way->second != layout_.end(index)) {
      return Error{Errc::BadInput, segment_text(index) + " of blob " + id_.hex() + " was not written to its end"};
    }
  }
  data_->start_writeback(layout_.begin(index), layout_.length(index));
  HM_CRASH_POINT("blob.segment_written");
  {
    const std::lock_guard lock(state_mutex_);
    HM_TRY(usable());
    PartialLogWriter next = log_writer_;
    HM_TRY(append(next.segment(index)));
    log_writer_ = next;
    complete_[index] = true;
    ++complete_count_;
    while (complete_prefix_ < complete_.size() && complete_[complete_prefix_]) ++complete_prefix_;
    covered_to_.erase(index);
    unsynced_bytes_ += layout_.length(index);
  }
  HM_CRASH_POINT("blob.segment_recorded");
  if (const std::unique_lock lock(hash_mutex_, std::try_to_lock);
      lock.owns_lock()) {  // else somebody hashes; he, the next segment or finish_hash() gets to this one
    HM_TRY(follow());
    HM_TRY(record_midstate());
  }
  return sync_if_due();
}

Result<> LocalPartialBlob::sync_if_due() {
  std::uint64_t records = 0;
  bool sync_directory = false;
  {
    const std::lock_guard lock(state_mutex_);
    if (!log_ || syncing_ || unsynced_bytes_ < context_->options.sync_every_bytes) return ok();
    syncing_ = true;
    unsynced_bytes_ = 0;
    records = log_records_;  // their data was written before this moment, so the fdatasync below covers it
    sync_directory = !directory_synced_;
  }
  auto synced = data_->sync_data();
  if (!synced) {
    {
      const std::lock_guard lock(state_mutex_);
      syncing_ = false;
    }
    return distrust(synced.error());
  }
  {
    const std::lock_guard lock(state_mutex_);
    syncing_ = false;
    HM_TRY(usable());
    PartialLogWriter next = log_writer_;
    HM_TRY(append(next.synced(records)));
    log_writer_ = next;
  }
  HM_TRY(log_->sync_data());
  if (sync_directory) {
    HM_TRY(context_->fs.sync_directory(context_->dir.partials()));
    const std::lock_guard lock(state_mutex_);
    directory_synced_ = true;
  }
  return ok();
}

Result<> LocalPartialBlob::restart() {
  const std::lock_guard hash_lock(hash_mutex_);
  const std::lock_guard state_lock(state_mutex_);
  hasher_ = Sha256Hasher();
  base_ = hasher_.midstate();
  hash_segment_ = 0;
  recorded_base_ = 0;
  std::fill(complete_.begin(), complete_.end(), false);
  complete_count_ = complete_prefix_ = unsynced_bytes_ = 0;
  covered_to_.clear();
  if (layout_.count() <= 1) {
    broken_.reset();
    return ok();
  }
  broken_ = Error{Errc::Io, "its state could not be reset"};
  PartialState empty{{id_, layout_, context_->options.boot_id}, complete_, {}, false, 0, 0};
  log_.reset();
  HM_TRY(drop_state());
  HM_TRY(open_log(empty));
  broken_.reset();
  return ok();
}

Result<std::unique_ptr<File>> LocalPartialBlob::open_data() const { return context_->fs.open_read(data_path()); }

Result<Sha256> LocalPartialBlob::finish_hash() {
  const std::lock_guard lock(hash_mutex_);
  {
    const std::lock_guard state_lock(state_mutex_);
    HM_TRY(usable());
    if (complete_count_ != layout_.count()) {
      return Error{Errc::BadInput, "blob " + id_.hex() + " is not complete: " + segment_text(complete_prefix_) +
                                       " of " + std::to_string(layout_.count()) + " is missing"};
    }
  }
  HM_TRY(follow());
  return Sha256Hasher(hasher_).finish();
}

Result<> LocalPartialBlob::drop_state() {
  if (layout_.count() <= 1) return ok();
  return remove_if_there(context_->fs, context_->state_path(id_));
}

Result<> LocalPartialBlob::distrust(Error cause) {
  const std::lock_guard lock(state_mutex_);
  broken_ = cause;
  if (!drop_state() && !remove_if_there(context_->fs, data_path())) {
    log(LogLevel::Error, "a download that failed to reach the disk could not be removed",
        {{"blob", id_.hex()}, {"path", data_path()}});
  }
  return Error{cause.code, cause.what + "; while making blob " + id_.hex() + " durable; its download starts over"};
}
}  // namespace hm::storage
