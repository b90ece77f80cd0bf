#include "storage/blob_store_local.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "base/check.hpp"
#include "base/text.hpp"
#include "storage/partial_blob_local.hpp"
#include "storage/partial_files.hpp"
#include "storage/publish.hpp"

namespace hm::storage {
LocalContext::LocalContext(FileSystem& f, DataDir d, LocalBlobStoreOptions o)
    : fs(f), dir(std::move(d)), options([&] {
        if (o.boot_id.size() != kBootIdBytes) o.boot_id = kernel_boot_id(f);
        o.segment_bytes = std::clamp(o.segment_bytes - o.segment_bytes % 64, kSegmentBytesMin, kSegmentBytesMax);
        return std::move(o);
      }()) {}

Result<> LocalContext::require_free(std::uint64_t more_bytes, bool under_way) const {
  HM_TRY(const DiskSpace space, fs.space(dir.root));
  const std::uint64_t percent =
      std::min(options.reserve_percent_bytes_max, space.total_bytes / 100 * options.reserve_percent);
  const std::uint64_t whole = std::max(options.reserve_bytes, percent), reserve = under_way ? whole / 2 : whole;
  if (space.free_bytes >= reserve && space.free_bytes - reserve >= more_bytes) return ok();
  const bool reserve_is_why = space.free_bytes > more_bytes;
  return Error{
      Errc::NoSpace,
      "not enough space in " + dir.root + ": " + human_bytes(more_bytes) + " needed, " + human_bytes(space.free_bytes) +
          " free, of which " + human_bytes(reserve) + " stay reserved; free some space (`hubmirror gc`)" +
          (reserve_is_why ? ", choose a larger disk, or lower storage.reserve_bytes" : " or choose a larger disk")};
}
Result<> LocalContext::check_space(std::uint64_t more_bytes) const {
  const std::uint64_t already = promised;
  return require_free(more_bytes > ~already ? ~std::uint64_t{0} : more_bytes + already, false);
}
Result<> LocalContext::check_space_under_way() const { return require_free(0, true); }

namespace {
bool is_hex_name(std::string_view name, std::size_t digits) {
  return name.size() == digits &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Entries in byte order. A directory that is gone has none.
Result<std::vector<DirectoryEntry>> sorted_list(FileSystem& fs, const std::string& path) {
  auto entries = fs.list(path);
  if (!entries && entries.error().code == Errc::NotFound) return std::vector<DirectoryEntry>();
  if (entries)
    std::sort(entries.assume_value().begin(), entries.assume_value().end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

std::int64_t modified_unix_ms(const File& file) {
  struct stat st{};
  if (file.native_handle() < 0 || ::fstat(file.native_handle(), &st) != 0) return 0;
  return std::int64_t{st.st_mtim.tv_sec} * 1000 + st.st_mtim.tv_nsec / 1'000'000;
}

Error digest_error(const BlobId& wanted, const BlobId& actual, std::uint64_t size_bytes) {
  return {Errc::Corrupt, "sha256 differs: wanted " + wanted.hex() + ", the " + std::to_string(size_bytes) +
                             " bytes that came hash to " + actual.hex()};
}

class LocalBlobStore final : public BlobStore {
 public:
  LocalBlobStore(FileSystem& fs, DataDir dir, LocalBlobStoreOptions options)
      : context_(std::make_shared<LocalContext>(fs, std::move(dir), std::move(options))) {}

  Result<std::optional<std::uint64_t>> find(const BlobId& id) const override {
    auto size = context_->fs.file_size(context_->dir.blob(id));
    if (size) return std::optional(size.assume_value());
    // Something else under its name, a symlink or a directory, is not the blob either.
    if (size.error().code == Errc::NotFound || size.error().code == Errc::BadInput)
      return std::optional<std::uint64_t>();
    return size.error();
  }

  Result<std::unique_ptr<PartialBlob>> partial(const BlobId& id, std::uint64_t size_bytes) override {
    HM_TRY(std::unique_ptr<PartialBlob> made, LocalPartialBlob::open(context_, id, size_bytes));
    return made;
  }

  std::vector<Result<>> publish(std::vector<std::unique_ptr<PartialBlob>> done) override {
    std::vector<Publication> items;
    items.reserve(done.size());
    for (const auto& partial : done) items.push_back(verified(*partial));
    publish_all(*context_, known_, items);
    std::vector<Result<>> results;
    for (Publication& item : items) results.push_back(std::move(item.result));
    return results;
  }

  Result<> put(const BlobId& id, std::span<const std::byte> bytes) override {
    HM_TRY(const auto there, find(id));
    if (there) return ok();
    if (const BlobId actual = sha256(bytes); actual != id) return digest_error(id, actual, bytes.size());
    HM_TRY(context_->check_space(bytes.size()));
    static std::atomic<unsigned> number{0};
    const std::string temp = context_->dir.partials() + "/" + id.hex() + "." + std::to_string(number++) + ".put";
    HM_TRY(const auto file, create_or_empty(context_->fs, temp));
    std::vector<Publication> items(1);
    items[0].id = id;
    items[0].data = file.get();
    items[0].from = temp;
    items[0].result = file->write_at(0, bytes);
    publish_all(*context_, known_, items);
    if (!items[0].result) (void)context_->fs.remove(temp);
    return items[0].result;
  }

  Result<std::size_t> read(const BlobId& id, std::uint64_t offset_bytes, std::span<std::byte> into) const override {
    HM_TRY(const auto file, found(context_->fs.open_read(context_->dir.blob(id)), id));
    return file->read_at(offset_bytes, into);
  }

  Result<std::string> path(const BlobId& id) const override {
    std::string path = context_->dir.blob(id);
    HM_TRY(found(context_->fs.file_size(path), id));
    return path;
  }

  Result<> quarantine(const BlobId& id, std::string_view reason) override {
    HM_TRY(found(move_to_quarantine(*context_, context_->dir.blob(id), id, reason), id));
    return ok();
  }

  Result<> remove(const BlobId& id) override { return found(context_->fs.remove(context_->dir.blob(id)), id); }

  Result<> each(const std::function<bool(const BlobInfo&)>& visit,
                const std::function<void(const std::string&)>& foreign) const override {
    const std::string top = "blobs/sha256";
    HM_TRY(const auto firsts, sorted_list(context_->fs, context_->dir.blobs()));
    for (const DirectoryEntry& first : firsts) {
      const std::string first_path = top + "/" + first.name;
      if (!first.is_directory || !is_hex_name(first.name, 2)) {
        foreign(first_path);
        continue;
      }
      HM_TRY(const auto seconds, sorted_list(context_->fs, context_->dir.root + "/" + first_path));
      for (const DirectoryEntry& second : seconds) {
        const std::string second_path = first_path + "/" + second.name;
        if (!second.is_directory || !is_hex_name(second.name, 2)) {
          foreign(second_path);
          continue;
        }
        HM_TRY(const bool go_on, each_in(second_path, first.name + second.name, visit, foreign));
        if (!go_on) return ok();
      }
    }
    return ok();
  }

  Result<std::vector<Unfinished>> unfinished() const override {
    HM_TRY(const auto entries, sorted_list(context_->fs, context_->dir.partials()));
    std::map<BlobId, Unfinished> found_ones;
    for (const DirectoryEntry& entry : entries) {
      const auto id = BlobId::parse(std::string_view(entry.name).substr(0, 64));
      if (!entry.is_regular || !id || entry.name.size() <= 64 || entry.name[64] != '.') continue;
      HM_TRY(describe(*id, entry.name, found_ones[*id]));
    }
    std::vector<Unfinished> out;
    for (auto& [id, one] : found_ones) {
      one.id = id;
      out.push_back(one);
    }
    return out;
  }

  Result<> remove_unfinished(const BlobId& id) override {
    HM_TRY(const PartialClaim claim, PartialClaim::take(context_, id));  // Busy while it is being written
    HM_TRY(const auto entries, sorted_list(context_->fs, context_->dir.partials()));
    HM_TRY(remove_if_there(context_->fs, context_->state_path(id)));  // first: see take_up_state
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.starts_with(id.hex() + ".")) continue;
      HM_TRY(remove_if_there(context_->fs, context_->dir.partials() + "/" + entry.name));
    }
    return ok();
  }

  Result<> check_space(std::uint64_t more_bytes) const override { return context_->check_space(more_bytes); }

 private:
  template <class T>
  static Result<T> found(Result<T> result, const BlobId& id) {
    if (!result && result.error().code == Errc::NotFound)
      result = Error{Errc::NotFound, "blob " + id.hex() + " is not in the store"};
    return result;
  }

  /// Hashes the rest and compares; bytes that are not what they claim go to quarantine.
  Publication verified(PartialBlob& any) {
    auto* const partial = dynamic_cast<LocalPartialBlob*>(&any);
    HM_CHECK(partial != nullptr);  // partials of another store
    Publication item{partial->id(), &partial->data(), partial->data_path(), partial, ok()};
    auto actual = partial->finish_hash();
    if (!actual) {
      item.result = actual.error();
    } else if (actual.assume_value() != item.id) {
      item.result = reject(*partial, actual.assume_value());
    }
    return item;
  }

  Error reject(LocalPartialBlob& partial, const BlobId& actual) {
    Error error = digest_error(partial.id(), actual, partial.size_bytes());
    auto forgotten =
        partial.drop_state();  // before the bytes go: nobody may take up a download that is known to be wrong
    auto moved = move_to_quarantine(*context_, partial.data_path(), partial.id(), error.what);
    if (moved) {
      error.what += "; kept as " + moved.assume_value();
    } else {
      auto removed = remove_if_there(context_->fs, partial.data_path());
      error.what += "; they could not be kept in quarantine: " + moved.error().what;
      if (!forgotten && !removed) error.what += "; remove " + partial.data_path() + " by hand";
    }
    return error;
  }

  Result<bool> each_in(const std::string& directory, const std::string& prefix,
                       const std::function<bool(const BlobInfo&)>& visit,
                       const std::function<void(const std::string&)>& foreign) const {
    HM_TRY(const auto entries, sorted_list(context_->fs, context_->dir.root + "/" + directory));
    for (const DirectoryEntry& entry : entries) {
      const auto id = BlobId::parse(entry.name);
      if (!entry.is_regular || !id || !entry.name.starts_with(prefix)) {
        foreign(directory + "/" + entry.name);
        continue;
      }
      auto size = context_->fs.file_size(context_->dir.root + "/" + directory + "/" + entry.name);
      if (!size && size.error().code == Errc::NotFound) continue;  // removed meanwhile
      if (!size) return size.error();
      if (!visit({*id, size.assume_value()})) return false;
    }
    return true;
  }

  Result<> describe(const BlobId& id, const std::string& name, Unfinished& into) const {
    const std::string path = context_->dir.partials() + "/" + name;
    auto opened = context_->fs.open_read(path);
    if (!opened && opened.error().code == Errc::NotFound) return ok();  // finished meanwhile
    HM_TRY(const auto file, std::move(opened));
    into.last_write_unix_ms = std::max(into.last_write_unix_ms, modified_unix_ms(*file));
    if (path == context_->state_path(id)) {
      if (const auto state = read_partial_state(context_->fs, path, context_->options.boot_id)) {
        into.size_bytes = state.assume_value().header.layout.size_bytes;
        into.complete_bytes = state.assume_value().complete_bytes();
      }
    } else if (into.size_bytes == 0) {
      HM_TRY(into.size_bytes, file->size());  // without a log nothing else is known, and nothing counts as complete
    }
    return ok();
  }

  const std::shared_ptr<LocalContext> context_;
  KnownDirectories known_;
};
}  // namespace

std::unique_ptr<BlobStore> make_local_blob_store(FileSystem& fs, DataDir dir, LocalBlobStoreOptions options) {
  return std::make_unique<LocalBlobStore>(fs, std::move(dir), std::move(options));
}
}  // namespace hm::storage
