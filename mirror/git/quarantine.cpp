#include "mirror/git/quarantine.hpp"

#include <algorithm>
#include <filesystem>
#include <random>
#include <system_error>

#include "base/crash_point.hpp"
#include "base/text.hpp"
#include "mirror/git/pack_entries.hpp"
#include "mirror/git/pack_examination.hpp"

namespace hm::mirror {
namespace {
constexpr std::string_view kIncomingPrefix = "incoming-";
// The indexer writes through a memory map, where a full disk is SIGBUS and not an error: stop well before.
constexpr std::uint64_t kFreeBytesMin = 64U << 20;
constexpr std::size_t kIndexBytesPerObject = 32;          // id, crc, offset and slack
constexpr std::size_t kAllocationSlackBytes = 64U << 20;  // tables of the indexer, beside one object
constexpr std::size_t kTableBytesPerObject = 16;

std::string random_name() {
  std::random_device source;
  std::string out(kIncomingPrefix);
  for (int i = 0; i < 16; ++i) out += "0123456789abcdef"[source() & 15U];
  return out;
}

std::uint32_t read_be32(std::string_view s) {
  std::uint32_t v = 0;
  for (const char c : s.substr(0, 4)) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

int stop_when_asked(const git_indexer_progress*, void* payload) {
  return static_cast<const std::atomic<bool>*>(payload)->load() ? GIT_EUSER : 0;
}
}  // namespace

Result<> remove_stale_incoming(FileSystem& fs, const std::string& repository_path) {
  const std::string objects = repository_path + "/objects";
  HM_TRY(const auto entries, fs.list(objects));
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory && entry.name.starts_with(kIncomingPrefix)) {
      HM_TRY(remove_tree(fs, objects + "/" + entry.name));
    }
  }
  HM_TRY(const auto packs, fs.list(objects + "/pack"));
  for (const DirectoryEntry& entry : packs) {
    if (!entry.is_regular || !entry.name.ends_with(".pack")) continue;
    const std::string stem = objects + "/pack/" + entry.name.substr(0, entry.name.size() - 5);
    if (entry.name.starts_with("pack-") && !fs.exists(stem + ".idx")) {
      HM_TRY(fs.remove(stem + ".pack"));
    }
  }
  return ok();
}

Quarantine::Quarantine(FileSystem& fs, std::string repository_path, const GitLimits& limits,
                       const std::atomic<bool>& stop)
    : fs_(fs),
      repository_path_(std::move(repository_path)),
      incoming_path_(repository_path_ + "/objects/" + random_name()),
      limits_(limits),
      stop_(stop) {}

Result<std::unique_ptr<Quarantine>> Quarantine::begin(FileSystem& fs, const std::string& repository_path,
                                                      const GitLimits& limits, const std::atomic<bool>& stop) {
  std::unique_ptr<Quarantine> out(new Quarantine(fs, repository_path, limits, stop));
  std::error_code ec;  // not through make_directories: what need not survive a crash need not be fsynced
  std::filesystem::create_directories(out->incoming_path_ + "/pack", ec);
  if (ec) return errno_error("make directory", out->incoming_path_, ec.value());
  HM_TRY(out->open_stores());
  return out;
}

Quarantine::~Quarantine() {
  indexer_.reset();
  odb_.reset();
  (void)remove_tree(fs_, incoming_path_);  // what stays behind is removed at the next fetch
}

Result<> Quarantine::open_stores() {
  git_odb* odb = nullptr;
  const std::string objects = repository_path_ + "/objects";
  if (const int rc = git_odb_open(&odb, objects.c_str()); rc < 0) return git_failure(rc, "open " + objects);
  main_.reset(odb);
  odb = nullptr;
  if (const int rc = git_odb_open(&odb, incoming_path_.c_str()); rc < 0)
    return git_failure(rc, "open " + incoming_path_);
  odb_.reset(odb);
  if (const int rc = git_odb_add_disk_alternate(odb, objects.c_str()); rc < 0)
    return git_failure(rc, "open " + objects);
  return ok();
}

std::size_t Quarantine::allocation_bytes_max() const {
  return static_cast<std::size_t>(std::max(limits_.object_bytes_max, limits_.objects_max * kTableBytesPerObject)) +
         kAllocationSlackBytes;
}

Result<> Quarantine::check_limits(const git_indexer_progress& stats) const {
  if (stop_) return Error{Errc::Cancelled, "fetch stopped"};
  if (stats.total_objects > limits_.objects_max) {
    return Error{Errc::Refused, "pack of " + std::to_string(stats.total_objects) + " objects; at most " +
                                    std::to_string(limits_.objects_max) + " are accepted"};
  }
  const std::uint64_t bytes = std::max<std::uint64_t>(appended_bytes_, stats.received_bytes);
  if (bytes > limits_.pack_bytes_max)
    return Error{Errc::Refused, "pack is larger than " + human_bytes(limits_.pack_bytes_max)};
  HM_TRY(const DiskSpace space, fs_.space(incoming_path_));
  const std::uint64_t index_bytes = std::uint64_t{stats.total_objects} * kIndexBytesPerObject;
  if (space.free_bytes < kFreeBytesMin + index_bytes)
    return Error{Errc::NoSpace, "less than " + human_bytes(kFreeBytesMin + index_bytes) + " free at " + incoming_path_};
  return ok();
}

Result<> Quarantine::start_indexer(std::string_view header) {
  const std::uint32_t version = read_be32(header.substr(4)), objects = read_be32(header.substr(8));
  if (!header.starts_with("PACK") || (version != 2 && version != 3))
    return Error{Errc::Corrupt, "upstream sent no git pack"};
  git_indexer_progress announced{};
  announced.total_objects = objects;
  HM_TRY(check_limits(announced));
  stats_.total_objects = objects;
  if (objects == 0) {  // upstream thinks that we have everything
    empty_pack_ = true;
    return ok();
  }
  git_indexer_options options = GIT_INDEXER_OPTIONS_INIT;
  options.verify =
      0;  // 1 costs 38 times as much; ids and the checksum are computed in any case, connectivity is examine()'s
  options.progress_cb = stop_when_asked;
  options.progress_cb_payload = const_cast<std::atomic<bool>*>(&stop_);
  git_indexer* indexer = nullptr;
  const std::string directory = incoming_path_ + "/pack";
  if (const int rc = git_indexer_new(&indexer, directory.c_str(), 0444, odb_.get(), &options); rc < 0)
    return git_failure(rc, "begin a pack in " + directory);
  indexer_.reset(indexer);
  return ok();
}

Result<> Quarantine::append(std::string_view bytes) {
  const AllocationLimit limit(allocation_bytes_max());
  appended_bytes_ += bytes.size();
  if (!indexer_ && !empty_pack_) {
    header_.append(bytes);
    if (header_.size() < kPackHeaderBytes) return ok();
    HM_TRY(start_indexer(header_));
    bytes = header_;
  }
  HM_TRY(check_limits(stats_));
  if (empty_pack_) {
    if (appended_bytes_ > kPackHeaderBytes + kPackTrailerBytes)
      return Error{Errc::Corrupt, "bytes behind an empty pack"};
    return ok();
  }
  if (const int rc = git_indexer_append(indexer_.get(), bytes.data(), bytes.size(), &stats_); rc < 0)
    return git_failure(rc, "index the pack", Errc::Corrupt);
  std::string().swap(header_);
  return ok();
}

Result<> Quarantine::complete() {
  if (empty_pack_ && appended_bytes_ == kPackHeaderBytes + kPackTrailerBytes) return ok();
  if (!indexer_ || stats_.received_objects < stats_.total_objects) {
    return Error{Errc::Corrupt, "pack ends after " + std::to_string(stats_.received_objects) + " of " +
                                    std::to_string(stats_.total_objects) + " objects"};
  }
  HM_TRY(check_limits(stats_));
  const AllocationLimit limit(allocation_bytes_max());
  if (const int rc = git_indexer_commit(indexer_.get(), &stats_); rc < 0)
    return git_failure(rc, "complete the pack", Errc::Corrupt);
  indexer_.reset();
  return ok();
}

Result<std::vector<std::string>> Quarantine::pack_names() const {
  HM_TRY(const auto entries, fs_.list(incoming_path_ + "/pack"));
  std::vector<std::string> names;
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.ends_with(".idx")) names.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  return names;
}

Result<> Quarantine::examine(const std::vector<GitOid>& wants, FetchOutcome& outcome) {
  const AllocationLimit limit(allocation_bytes_max());
  HM_TRY(const auto names, pack_names());
  if (names.size() > 1) return Error{Errc::Internal, "more than one pack in " + incoming_path_};
  std::unique_ptr<PackExamination> examination;
  if (!names.empty()) {
    HM_TRY(examination,
           PackExamination::open(incoming_path_ + "/pack/" + names[0] + ".idx", main_.get(), limits_, stop_));
    HM_TRY(examination->run());
    outcome.remarks = examination->take_remarks();
  }
  for (const GitOid& want : wants) {
    const git_oid oid = to_git(want);
    if (examination && examination->contains(want)) continue;
    if (git_odb_exists_ext(main_.get(), &oid, GIT_ODB_LOOKUP_NO_REFRESH) == 0)
      return Error{Errc::Corrupt, "upstream was asked for " + want.hex() + " and did not send it"};
  }
  outcome.new_objects = stats_.total_objects;
  outcome.pack_bytes = std::max<std::uint64_t>(appended_bytes_, stats_.received_bytes);
  return ok();
}

Result<> Quarantine::publish() {
  odb_.reset();  // no handle of libgit2 may know the pack by its old name
  HM_TRY(const auto names, pack_names());
  const std::string from = incoming_path_ + "/pack/", to = repository_path_ + "/objects/pack/";
  for (const std::string& name : names) {
    if (fs_.exists(to + name + ".idx")) continue;  // the same objects are there under the same name
    HM_TRY(fs_.rename(from + name + ".pack", to + name + ".pack"));
    HM_TRY(fs_.sync_directory(to));
    HM_TRY(fs_.rename(from + name + ".idx", to + name + ".idx"));  // last: a pack without index is not seen
  }
  HM_TRY(fs_.sync_directory(to));
  HM_CRASH_POINT("git.pack_moved");
  return remove_tree(fs_, incoming_path_);
}
}  // namespace hm::mirror
