#include "storage/publish.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <system_error>
#include <thread>

#include "base/clock.hpp"
#include "base/crash_point.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "storage/partial_files.hpp"

namespace hm::storage {
namespace {
constexpr std::size_t kSyncsAtOnce = 16;  // threads of one publish(), which do nothing but wait for the disk

std::size_t first_number(const std::string& hex) {
  return static_cast<std::size_t>(std::stoul(hex.substr(0, 2), nullptr, 16));
}
std::size_t second_number(const std::string& hex) {
  return static_cast<std::size_t>(std::stoul(hex.substr(0, 4), nullptr, 16));
}

/// Renames into ab/cd/, making the two directories where they are absent.
Result<> rename_to_name(LocalContext& context, const Publication& item) {
  const std::string to = context.dir.blob(item.id), second = parent_directory(to);
  auto renamed = context.fs.rename(item.from, to);
  if (renamed || renamed.error().code != Errc::NotFound) return renamed;
  HM_TRY(context.fs.make_directory(parent_directory(second)));
  HM_TRY(context.fs.make_directory(second));
  return context.fs.rename(item.from, to);
}

/// Calls work(0) … work(count-1), many at the same time. Each fsync ends with a flush of the device's own cache, and
/// the kernel serves all that wait for one with the same flush: sixteen at a time cost little more than one.
void at_once(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto take_turns = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> helpers;
  try {
    for (std::size_t i = 1; i < std::min(count, kSyncsAtOnce); ++i) helpers.emplace_back(take_turns);
  } catch (const std::system_error&) {  // no more threads to be had: those there are, and this one, do it
  }
  take_turns();
}

void sync_data(Publication& item) {
  auto synced = item.data->sync_data();
  if (synced) return;
  if (item.partial != nullptr) {
    item.result = item.partial->distrust(synced.error());
  } else {
    item.result = std::move(synced);
  }
}

/// A name whose directory is not durable is taken back, or a later run would take it for a promise.
void take_back(LocalContext& context, Publication& item, const Error& why) {
  item.result = why;
  if (auto undone = context.fs.rename(context.dir.blob(item.id), item.from); !undone) {
    log(LogLevel::Error, "a blob whose directory could not be synced keeps its name",
        {{"blob", item.id.hex()}, {"why", undone.error().what}});
  }
}

void sync_directories(LocalContext& context, KnownDirectories& known, std::vector<Publication>& items) {
  std::set<std::string> wanted;
  for (const Publication& item : items) {
    if (item.result) known.collect(context.dir, item.id.hex(), wanted);
  }
  const std::vector<std::string> directories(wanted.begin(), wanted.end());
  std::vector<Result<>> synced(directories.size(), ok());
  at_once(directories.size(), [&](std::size_t i) { synced[i] = context.fs.sync_directory(directories[i]); });
  std::map<std::string, Error> failed;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    if (!synced[i]) failed.emplace(directories[i], synced[i].error());
  }
  for (Publication& item : items) {
    if (!item.result) continue;
    std::set<std::string> own;
    known.collect(context.dir, item.id.hex(), own);
    const auto bad = std::find_if(own.begin(), own.end(), [&](const std::string& d) { return failed.contains(d); });
    if (bad == own.end()) {
      known.mark(item.id.hex());
    } else {
      take_back(context, item, failed.at(*bad));
    }
  }
}
}  // namespace

void KnownDirectories::collect(const DataDir& dir, const std::string& hex, std::set<std::string>& into) const {
  const std::lock_guard lock(mutex_);
  const std::string first = dir.blobs() + "/" + hex.substr(0, 2);
  into.insert(first + "/" + hex.substr(2, 2));
  if (!second_[second_number(hex)]) into.insert(first);
  if (!first_[first_number(hex)]) into.insert(dir.blobs());
}

void KnownDirectories::mark(const std::string& hex) {
  const std::lock_guard lock(mutex_);
  first_.set(first_number(hex));
  second_.set(second_number(hex));
}

void publish_all(LocalContext& context, KnownDirectories& known, std::vector<Publication>& items) {
  constexpr std::uint64_t kToEnd = 0;
  for (Publication& item : items) {
    if (item.result) item.data->start_writeback(0, kToEnd);
  }
  at_once(items.size(), [&](std::size_t i) {
    if (items[i].result) sync_data(items[i]);
  });
  HM_CRASH_POINT("blob.data_synced");
  for (Publication& item : items) {
    if (item.result) item.result = context.fs.set_read_only(item.from);
    if (item.result) item.result = rename_to_name(context, item);
    if (item.result) HM_CRASH_POINT("blob.renamed");
  }
  sync_directories(context, known, items);
  HM_CRASH_POINT("blob.directory_synced");
  for (Publication& item : items) {
    if (!item.result || item.partial == nullptr) continue;
    if (auto dropped = item.partial->drop_state();
        !dropped) {  // the blob is safe; the next look at its download drops the log
      log(LogLevel::Warning, "the state of a finished download stays behind",
          {{"blob", item.id.hex()}, {"why", dropped.error().what}});
    }
  }
}

Result<std::string> move_to_quarantine(LocalContext& context, const std::string& from, const BlobId& id,
                                       std::string_view reason) {
  static std::atomic<unsigned> number{0};
  const std::int64_t now = system_clock().unix_ms();
  const std::string name = id.hex() + "." + std::to_string(now) + "." + std::to_string(number++);
  const std::string to = context.dir.quarantine() + "/" + name;
  HM_TRY(context.fs.make_directories(context.dir.quarantine()));
  HM_TRY(context.fs.rename(from, to));
  const std::string text = "wanted sha256 " + id.hex() + "\nwhen " + iso8601(now) + "\nwhy " + printable(reason) + "\n";
  if (auto noted = replace_file(context.fs, to + ".txt", text); !noted) {  // also syncs the directory
    log(LogLevel::Warning, "the reason for a quarantined file could not be noted",
        {{"file", to}, {"why", noted.error().what}});
  }
  HM_TRY(context.fs.sync_directory(parent_directory(from)));
  return "quarantine/" + name;
}
}  // namespace hm::storage
