#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/crash_point.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kIndexVersion = "5";
// The same facts as now; what is derived from them was in other families and keys.
constexpr std::array<std::string_view, 3> kVersionsToDeriveAnew{"2", "3", "4"};
constexpr std::string_view kVersionKey = "index/version";
constexpr std::size_t kMemtableBytesMax =
    40U << 20;  // all families together; a flush under way may add half as much, which keeps them below 64 MiB
constexpr double kMemtableFilterShare = 0.02;
constexpr std::uint64_t kWalBytesMax = 64U << 20;  // what an open after a kill has to replay
constexpr std::size_t kLineBytesMax = 1024;        // of what RocksDB says in one line
constexpr int kOpenFilesMax = 512;                 // of the writer; the soft limit of most systems is 1,024
constexpr std::uint64_t kValueApartBytesMin =
    4096;  // longer values of documents and manifests go to blob files, so that compaction does not rewrite them
constexpr int kReadAttemptsMax = 50;  // the writer may delete a file between our reading its name and opening it
constexpr std::uint64_t kFileBytes = 16U << 20;
constexpr int kFilesBeforeRewriteAll = 8;  // twice the usual
constexpr std::string_view kFirstManifest = "MANIFEST-000001";
constexpr std::chrono::milliseconds kFamilyPause(5);  // 50 of them are longer than RocksDB takes to make a family
// Less free space than this and nothing is written: RocksDB as Debian builds it aborts the process when it goes on with
// a file whose last write failed. Room for a log of one large batch, a manifest and the files of a small flush.
constexpr std::uint64_t kFreeBytesMin = 8U << 20;
constexpr std::uint64_t kSyncSliceBytes = 1U << 20;  // background writes reach the disk in slices, not in one burst

/// Of some errors the rest is a whole record, a field on each line.
std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

/// RocksDB's own words of what went wrong, as lines of ours. Its file LOG would be one more that a full disk can break.
class RocksLog final : public rocksdb::Logger {
 public:
  /// @param errors level of what it calls an error: readers meet files that the writer deletes, and try again
  explicit RocksLog(LogLevel errors) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), errors_(errors) {}
  void LogHeader(const char* /*format*/, va_list /*values*/) override {}  // all options, at each opening
  void Logv(const char* format, va_list values) override { Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, values); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list values) override {
    if (level < GetInfoLogLevel() || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
    std::array<char, kLineBytesMax> line{};
    static_cast<void>(std::vsnprintf(line.data(), line.size(), format, values));
    log(level >= rocksdb::InfoLogLevel::ERROR_LEVEL ? errors_ : LogLevel::Debug, "rocksdb",
        {{"says", std::string(first_line(trim(line.data())))}});
  }

 private:
  const LogLevel errors_;
};

Error failure(const rocksdb::Status& s, const std::string& directory, std::string_view doing) {
  Errc code = Errc::Io;
  if (s.IsNoSpace()) code = Errc::NoSpace;
  if (s.IsCorruption()) code = Errc::Corrupt;
  if (s.IsPathNotFound()) code = Errc::Corrupt;  // a file that another one names
  if (s.IsNotFound()) code = Errc::NotFound;
  if (s.IsBusy() || s.IsTryAgain() || s.IsTimedOut()) code = Errc::Busy;
  if (s.IsInvalidArgument() || s.IsNotSupported()) code = Errc::Internal;
  std::string what = "index " + directory + ": " + s.ToString() + "; while " + std::string(doing);
  if (code == Errc::Corrupt) {
    what +=
        "; the blobs and git repositories are not touched by this: put back index/ from a backup and run `hubmirror "
        "verify`; without a backup move index/ away and mirror the repositories again (what is stored is not fetched "
        "twice, the journal is lost)";
  }
  return {code, std::move(what)};
}

bool lacks_a_family(const rocksdb::Status& s) {
  return s.IsInvalidArgument() && s.ToString().find("Column family not found") != std::string::npos;
}

/// The first key behind all that begin with `prefix`; empty when there is none.
std::string behind(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

rocksdb::Slice slice(std::string_view s) { return {s.data(), s.size()}; }
std::string_view view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

/// key::edges_to(): files that hold no edge to a target say so in their filters, without a look at their blocks. The
/// name is in those files, and what it stands for must never change.
class EdgesToOfKey final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "hubmirror.EdgesTo"; }
  rocksdb::Slice Transform(const rocksdb::Slice& k) const override { return {k.data(), key::edges_to_bytes(view(k))}; }
  bool InDomain(const rocksdb::Slice& k) const override { return key::edges_to_bytes(view(k)) != 0; }
};

rocksdb::ColumnFamilyOptions family_options(Family family, const Index::Options& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = 16U << 10;
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (family != Family::Edges) {     // small, and a walk looks into it tens of thousands of times
    table.partition_filters = true;  // a filter as large as a cache shard would never be cached
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  }
  table.metadata_block_size = 4096;
  table.pin_top_level_index_and_filter = true;
  rocksdb::ColumnFamilyOptions out;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = options.write_buffer_bytes;
  out.max_write_buffer_number = 2;
  out.memtable_whole_key_filtering = true;  // most keys that a listing asks for are not there
  out.memtable_prefix_bloom_size_ratio = kMemtableFilterShare;
  out.arena_block_size =
      64U << 10;  // the default, an eighth of the buffer, would take 1 MiB for each family that holds one key
  // One compression on all levels: what is only appended moves down as it is. Files that are small beside a level keep
  // what has to be rewritten there small.
  // Names and tags are searched whole and do not fit a cache: unpacking them would take longer than all else. So would
  // unpacking a block of edges for each look of a walk over a large family.
  const bool is_plain = family == Family::ColumnTexts || family == Family::Edges;
  out.compression = is_plain ? rocksdb::kNoCompression : rocksdb::kLZ4Compression;
  if (family == Family::Edges) {
    out.prefix_extractor = std::make_shared<EdgesToOfKey>();
  }
  out.target_file_size_base = kFileBytes;
  if (family == Family::Names || family == Family::Meta)  // keys come in no order: each compaction rewrites all
    out.level0_file_num_compaction_trigger = kFilesBeforeRewriteAll;
  out.level_compaction_dynamic_level_bytes = true;
  if (family == Family::Documents || family == Family::Manifests) {
    out.enable_blob_files = true;
    out.min_blob_size = kValueApartBytesMin;
    out.blob_compression_type = rocksdb::kZSTD;
    out.enable_blob_garbage_collection = true;
  }
  return out;
}

/// One open database; the handles go before it.
struct Opened {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  Opened() = default;
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    for (auto* handle : handles) {
      if (handle != nullptr) (void)db->DestroyColumnFamilyHandle(handle);
    }
    if (db) (void)db->Close();
  }
  rocksdb::ColumnFamilyHandle* handle(Family family) const { return handles[1 + static_cast<std::size_t>(family)]; }
  rocksdb::ColumnFamilyHandle*& handle(Family family) { return handles[1 + static_cast<std::size_t>(family)]; }
};

/// What a cursor is for: any keys, or keys with the beginning that it is put at, as prefix_extractor has it.
enum class Reach { Any, SamePrefix };

/// An iterator that ends before `end`, which outlives it; to the end of the family when `end` is empty.
struct Cursor {
  std::unique_ptr<rocksdb::Slice> bound;  // RocksDB keeps its address
  std::unique_ptr<rocksdb::Iterator> it;
  rocksdb::Iterator* operator->() const { return it.get(); }
};
Cursor cursor_of(const Opened& opened, Family family, const std::string& end, Reach reach = Reach::Any) {
  Cursor cursor{std::make_unique<rocksdb::Slice>(slice(end)), nullptr};
  rocksdb::ReadOptions options;
  options.fill_cache = family != Family::ColumnTexts;  // one search would drive everything else out
  options.total_order_seek = reach == Reach::Any;
  options.prefix_same_as_start = reach == Reach::SamePrefix;
  if (!end.empty()) options.iterate_upper_bound = cursor.bound.get();
  cursor.it.reset(opened.db->NewIterator(options, opened.handle(family)));
  return cursor;
}

class RocksIndex final : public Index {
 public:
  static Result<std::unique_ptr<Index>> open(const std::string& directory, Mode mode, const Options& options) {
    std::unique_ptr<RocksIndex> index(new RocksIndex(directory, mode, options));
    HM_TRY(mode == Mode::Write ? index->open_to_write() : index->open_to_read());
    HM_TRY(index->check_version());
    return std::unique_ptr<Index>(std::move(index));
  }

  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    rocksdb::PinnableSlice value;
    rocksdb::Status s;
    for (int attempt = 0; attempt < kReadAttemptsMax; ++attempt) {
      const auto opened = current();
      s = opened->db->Get(rocksdb::ReadOptions(), opened->handle(family), slice(key), &value);
      if (s.ok()) return std::optional(value.ToString());
      if (s.IsNotFound()) return std::optional<std::string>();
      if (!catch_up_after(s)) break;
    }
    return failure(s, directory_, "reading from " + std::string(name_of(family)));
  }

  Result<> scan(Family family, std::string_view prefix,
                const std::function<bool(std::string_view, std::string_view)>& visit,
                std::string_view from) const override {
    const std::string end = behind(prefix);
    std::string start(std::max(prefix, from));
    rocksdb::Status s;
    for (int attempt = 0; attempt < kReadAttemptsMax; ++attempt) {
      const auto opened = current();
      const auto cursor = cursor_of(*opened, family, end);
      for (cursor->Seek(start); cursor->Valid(); cursor->Next()) {
        if (!view(cursor->key()).starts_with(prefix)) break;  // prefix of 0xff bytes only: there is no key behind it
        if (mode_ == Mode::Read) start.assign(view(cursor->key())).push_back('\0');
        if (!visit(view(cursor->key()), view(cursor->value()))) return ok();
      }
      s = cursor->status();
      if (s.ok()) return ok();
      if (!catch_up_after(s)) break;  // else go on behind the last key shown
    }
    return failure(s, directory_, "scanning " + std::string(name_of(family)));
  }

  Result<> scan_each(Family family, std::span<const std::string> prefixes,
                     const std::function<bool(std::size_t, std::string_view, std::string_view)>& visit) const override {
    std::size_t at = 0;
    std::string from = prefixes.empty() ? std::string() : prefixes[0];
    rocksdb::Status s;
    for (int attempt = 0; attempt < kReadAttemptsMax; ++attempt) {
      const auto opened = current();
      const auto cursor = cursor_of(*opened, family, {}, Reach::SamePrefix);
      while (at < prefixes.size()) {
        for (cursor->Seek(from); cursor->Valid() && view(cursor->key()).starts_with(prefixes[at]); cursor->Next()) {
          if (mode_ == Mode::Read) from.assign(view(cursor->key())).push_back('\0');
          if (!visit(at, view(cursor->key()), view(cursor->value()))) return ok();
        }
        s = cursor->status();
        if (!s.ok()) break;
        if (++at < prefixes.size()) from = prefixes[at];
      }
      if (at == prefixes.size()) return ok();
      if (!catch_up_after(s)) break;  // else go on behind the last key shown
    }
    return failure(s, directory_, "scanning " + std::string(name_of(family)));
  }

  Result<std::optional<std::pair<std::string, std::string>>> last(Family family,
                                                                  std::string_view prefix) const override {
    using Found = std::optional<std::pair<std::string, std::string>>;
    const std::string end = behind(prefix);
    rocksdb::Status s;
    for (int attempt = 0; attempt < kReadAttemptsMax; ++attempt) {
      const auto opened = current();
      const auto cursor = cursor_of(*opened, family, end);
      cursor->SeekToLast();
      if (cursor->Valid() && view(cursor->key()).starts_with(prefix))
        return Found(std::pair(cursor->key().ToString(), cursor->value().ToString()));
      s = cursor->status();
      if (s.ok()) return Found();
      if (!catch_up_after(s)) break;
    }
    return failure(s, directory_, "looking for the last key of " + std::string(name_of(family)));
  }

  Result<> commit(const Batch& batch) override {
    if (mode_ != Mode::Write) return Error{Errc::Internal, "the index is open for reading only"};
    if (batch.empty()) return ok();
    const auto opened = current();
    std::size_t bytes = 64;
    for (const Batch::Change& c : batch.changes()) bytes += c.key.size() + c.value.size() + 32;
    HM_TRY(require_free(bytes));
    rocksdb::WriteBatch writes(bytes);
    for (const Batch::Change& c : batch.changes()) {
      const auto added = c.removal ? writes.Delete(opened->handle(c.family), c.key)
                                   : writes.Put(opened->handle(c.family), c.key, c.value);
      if (!added.ok()) return failure(added, directory_, "building a batch");
    }
    rocksdb::WriteOptions durable;
    durable.sync = true;
    HM_CRASH_POINT("index.before_commit");
    rocksdb::Status s = opened->db->Write(durable, &writes);
    if (!s.ok() && opened->db->Resume().ok())
      s = opened->db->Write(durable, &writes);  // an earlier failure, e.g. a full disk, may be over
    if (!s.ok()) return failure(s, directory_, "committing " + std::to_string(batch.changes().size()) + " changes");
    if (std::any_of(batch.changes().begin(), batch.changes().end(),
                    [](const Batch::Change& c) { return is_of_published(c.family); }))
      ++version_;
    HM_CRASH_POINT("index.after_commit");
    return ok();
  }

  Result<> require_space(std::uint64_t bytes) const override { return require_free(bytes); }
  std::uint64_t bytes_of(Family family) const override {
    const auto opened = current();
    std::uint64_t bytes = 0;
    opened->db->GetIntProperty(opened->handle(family), rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    return bytes;
  }

  Result<> clear(Family family) override {
    if (mode_ != Mode::Write) return Error{Errc::Internal, "the index is open for reading only"};
    if (!is_derived(family))
      return Error{Errc::Refused, "family " + std::string(name_of(family)) + " holds facts and is never emptied"};
    // Dropped and made anew, which reads nothing of it: it may be emptied because it is damaged. Killed in between, the
    // next writer makes it.
    rocksdb::ColumnFamilyHandle*& handle = opened_->handle(family);
    rocksdb::Status s = opened_->db->DropColumnFamily(handle);
    if (s.ok()) s = opened_->db->DestroyColumnFamilyHandle(handle);
    if (!s.ok()) return failure(s, directory_, "emptying " + std::string(name_of(family)));
    handle = nullptr;
    ++version_;
    s = opened_->db->CreateColumnFamily(family_options(family, options_, cache_), std::string(name_of(family)),
                                        &handle);
    if (!s.ok()) return failure(s, directory_, "making " + std::string(name_of(family)) + " anew");
    return ok();
  }

  Result<> refresh() override {
    if (mode_ == Mode::Write) return ok();
    HM_TRY(const Seen now, look());
    {
      const std::lock_guard lock(mutex_);
      if (now == seen_) return ok();
    }
    return open_to_read();
  }

  std::uint64_t version() const override { return version_; }

 private:
  RocksIndex(std::string directory, Mode mode, Options options)
      : directory_(std::move(directory)),
        mode_(mode),
        options_(options),
        cache_(rocksdb::NewLRUCache(options.cache_bytes, /*num_shard_bits=*/2)) {}

  /// `directory` may not be there yet: then what is above it counts.
  Result<> require_free(std::uint64_t more_bytes) const {
    auto space = real_file_system().space(directory_);
    if (!space) space = real_file_system().space(std::filesystem::path(directory_).parent_path().string());
    HM_TRY(const DiskSpace there, std::move(space));
    const std::uint64_t needed = kFreeBytesMin + more_bytes;
    if (there.free_bytes >= needed) return ok();
    return Error{Errc::NoSpace, "not enough space for the index in " + directory_ + ": " +
                                    human_bytes(there.free_bytes) + " free, at least " + human_bytes(needed) +
                                    " needed, so " + human_bytes(needed - there.free_bytes) + " more"};
  }

  std::vector<rocksdb::ColumnFamilyDescriptor> families() const {
    std::vector<rocksdb::ColumnFamilyDescriptor> out;
    out.emplace_back(rocksdb::kDefaultColumnFamilyName,
                     family_options(Family::Meta, options_, cache_));  // RocksDB insists on it; it stays empty
    for (int i = 0; i < kFamilyCount; ++i) {
      const auto family = static_cast<Family>(i);
      out.emplace_back(std::string(name_of(family)), family_options(family, options_, cache_));
    }
    return out;
  }

  static rocksdb::DBOptions common_options(LogLevel errors) {
    rocksdb::DBOptions out;
    out.info_log = std::make_shared<RocksLog>(errors);
    out.stats_dump_period_sec = out.stats_persist_period_sec = 0;
    return out;
  }

  Result<> open_to_write() {
    HM_TRY(require_free(0));
    HM_TRY(check_not_beheaded());
    rocksdb::DBOptions o = common_options(LogLevel::Warning);
    o.create_if_missing = o.create_missing_column_families = true;
    o.max_background_jobs = 2;
    o.max_open_files = kOpenFilesMax;
    o.bytes_per_sync = o.wal_bytes_per_sync = kSyncSliceBytes;
    o.max_total_wal_size = kWalBytesMax;
    o.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(kMemtableBytesMax);
    const bool is_new = !real_file_system().exists(directory_ + "/CURRENT");
    auto opened = std::make_shared<Opened>();
    const auto s = is_new ? make_database(o, *opened) : open_database(o, *opened);
    if (!s.ok()) return failure(s, directory_, is_new ? "making it" : "opening it");
    set_current(std::move(opened));
    return ok();
  }

  rocksdb::Status open_database(const rocksdb::DBOptions& o, Opened& opened) const {
    rocksdb::DB* raw = nullptr;
    const auto s = rocksdb::DB::Open(o, directory_, families(), &opened.handles, &raw);
    opened.db.reset(raw);
    return s;
  }
  /// All families in one call: made one by one, the options of all are written durably once for each. Killed in
  /// between, open_database() makes the rest.
  rocksdb::Status make_database(const rocksdb::DBOptions& o, Opened& opened) const {
    auto wanted = families();
    rocksdb::DB* raw = nullptr;
    auto s = rocksdb::DB::Open(o, directory_, {wanted.front()}, &opened.handles, &raw);
    opened.db.reset(raw);
    if (!s.ok()) return s;
    wanted.erase(wanted.begin());
    std::vector<rocksdb::ColumnFamilyHandle*> made;
    s = raw->CreateColumnFamilies(wanted, &made);
    opened.handles.insert(opened.handles.end(), made.begin(), made.end());
    return s;
  }

  /// What the writer's directory looks like: its logs, and its manifests with their lengths. NotFound when there is no
  /// index.
  /// Sizes of the files that grow with every change.
  struct Seen {
    std::map<std::string, std::uint64_t> logs, manifests;
    bool operator==(const Seen&) const = default;
  };
  static bool has_all_names(const Seen& after, const Seen& before) {
    return std::all_of(before.logs.begin(), before.logs.end(),
                       [&](const auto& log) { return after.logs.contains(log.first); });
  }
  /// Without CURRENT RocksDB begins a new database in the same folder and clears the old one's files away.
  Result<> check_not_beheaded() const {
    FileSystem& fs = real_file_system();
    if (fs.exists(directory_ + "/CURRENT") || !fs.exists(directory_)) return ok();
    HM_TRY(const auto entries, fs.list(directory_));
    for (const DirectoryEntry& e : entries) {
      // A database that is killed while it is begun has its first manifest and nothing else yet.
      const bool holds_records = e.name.ends_with(".sst") || e.name.ends_with(".blob") || e.name.ends_with(".log") ||
                                 (e.name.starts_with("MANIFEST-") && e.name != kFirstManifest);
      if (!holds_records) continue;
      return Error{Errc::Corrupt, "index " + directory_ + ": CURRENT is missing beside " + e.name +
                                      "; put it back from a backup, or write the name of the newest MANIFEST file that "
                                      "is there and a line end into it"};
    }
    return ok();
  }

  Result<Seen> look() const {
    FileSystem& fs = real_file_system();
    if (!fs.exists(directory_ + "/CURRENT")) {
      HM_TRY(check_not_beheaded());
      return Error{Errc::NotFound,
                   "there is no index at " + directory_ + " yet; mirror something first, or name the right --data-dir"};
    }
    HM_TRY(const auto entries, fs.list(directory_));
    Seen out;
    for (const DirectoryEntry& e : entries) {
      const bool is_log = e.name.ends_with(".log");
      if (!is_log && !e.name.starts_with("MANIFEST")) continue;
      const auto bytes = fs.file_size(directory_ + "/" + e.name);
      (is_log ? out.logs : out.manifests)[e.name] = bytes ? bytes.assume_value() : 0;  // gone meanwhile
    }
    return out;
  }

  /// Reads the state the files have now. RocksDB's secondary instances would follow the writer in smaller steps, but
  /// those of 7.8 crash on values in blob files. Two things may happen beside us. A file goes between our reading its
  /// name and opening it, which RocksDB calls corruption: it was first written off in the manifest, which grew by that.
  /// And what the writer flushes between our reading its manifest and its logs is in neither of them: a log has gone
  /// then, the oldest first. In both cases we look again.
  Result<> open_to_read() const {
    rocksdb::DBOptions o = common_options(LogLevel::Debug);
    o.max_open_files = -1;  // hold all files open: the writer deletes them when it likes
    rocksdb::Status s;
    for (int attempt = 0; attempt < kReadAttemptsMax; ++attempt) {
      HM_TRY(const Seen before, look());
      auto opened = std::make_shared<Opened>();
      rocksdb::DB* raw = nullptr;
      s = rocksdb::DB::OpenForReadOnly(o, directory_, families(), &opened->handles, &raw);
      opened->db.reset(raw);
      HM_TRY(const Seen after, look());
      if (s.ok() && has_all_names(after, before)) {
        set_current(std::move(opened), before);
        return ok();
      }
      if (lacks_a_family(s)) {  // a rebuild drops one and makes it anew at once
        std::this_thread::sleep_for(kFamilyPause);
        continue;
      }
      if (!s.ok() && !s.IsIOError() && after.manifests == before.manifests)
        return failure(s, directory_, "opening it for reading");
    }
    if (s.ok()) return Error{Errc::Busy, "index " + directory_ + " changes faster than it can be opened; try again"};
    if (lacks_a_family(s))
      return Error{Errc::Busy, "the index at " + directory_ +
                                   " is just being made or derived anew, or that was interrupted (an index rebuild was "
                                   "interrupted); try again, or run: hubmirror index rebuild"};
    return failure(s, directory_, "opening it for reading");
  }

  Result<> check_version() {
    HM_TRY(const auto version, get(Family::Meta, kVersionKey));
    const bool is_older = version && std::find(kVersionsToDeriveAnew.begin(), kVersionsToDeriveAnew.end(), *version) !=
                                         kVersionsToDeriveAnew.end();
    if (version && *version != kIndexVersion && !is_older) {
      return Error{Errc::Refused, "index " + directory_ + " has format " + *version + ", this program knows " +
                                      std::string(kIndexVersion) + "; use the hubmirror version that wrote it"};
    }
    if (version && *version == kIndexVersion) return ok();
    if (mode_ == Mode::Read) {
      if (!version) return ok();
      return Error{Errc::Busy, "index " + directory_ +
                                   " was written by an older version of this program; run: hubmirror index rebuild"};
    }
    Batch batch;
    if (version)
      batch.put(Family::Meta, kRebuildMark, "an older version");  // whoever opens it to write derives it anew
    batch.put(Family::Meta, std::string(kVersionKey), std::string(kIndexVersion));
    return commit(batch);
  }

  /// A reader whose file the writer has removed meanwhile looks again; true when that is worth a try.
  bool catch_up_after(const rocksdb::Status& s) const {
    if (mode_ != Mode::Read || !(s.IsIOError() || s.IsPathNotFound())) return false;
    return open_to_read().has_value();
  }

  std::shared_ptr<Opened> current() const {
    const std::lock_guard lock(mutex_);
    return opened_;
  }
  void set_current(std::shared_ptr<Opened> opened, Seen seen = {}) const {
    const std::lock_guard lock(mutex_);
    opened_.swap(opened);  // readers under way keep the old one until they are done
    seen_ = std::move(seen);
    ++version_;
  }

  const std::string directory_;
  const Mode mode_;
  const Options options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Opened> opened_;  // guarded by mutex_; a reader replaces it when its files are gone
  mutable Seen seen_;                       // guarded by mutex_; what opened_ was read from
  mutable std::atomic<std::uint64_t> version_{0};
};
}  // namespace

Result<> Index::scan_each(Family family, std::span<const std::string> prefixes,
                          const std::function<bool(std::size_t, std::string_view, std::string_view)>& visit) const {
  bool goes_on = true;
  for (std::size_t i = 0; i < prefixes.size() && goes_on; ++i) {
    HM_TRY(scan(family, prefixes[i],
                [&](std::string_view key, std::string_view value) { return goes_on = visit(i, key, value); }));
  }
  return ok();
}

Result<std::unique_ptr<Index>> open_index(const std::string& directory, Index::Mode mode, Index::Options options) {
  return RocksIndex::open(directory, mode, options);
}
}  // namespace hm::storage
