#include "server/access_log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::server {
namespace {
constexpr std::size_t kQueueMax = 16'384;     // lines: some 10 MB, half a second of the busiest server
constexpr std::size_t kTextBytesMax = 1'024;  // of one field; clients choose their lengths
constexpr mode_t kMode = 0640;                // addresses and names of people are not for everybody

std::string quoted(std::string_view text) {
  const std::string clean = printable(text.substr(0, kTextBytesMax));
  return boost::json::serialize(boost::json::string(clean));
}
void add(std::string& line, std::string_view key, const std::string& value) {
  line.append(line.empty() ? "{\"" : ",\"").append(key).append("\":").append(value);
}
void add_if(std::string& line, std::string_view key, const std::string& text) {
  if (!text.empty()) add(line, key, quoted(text));
}

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
}
/// @returns how much of it was written; all, or errno says why not.
std::size_t write_all(int file, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(file, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}
}  // namespace

std::string render(const AccessEntry& e) {
  std::string line;
  add(line, "time", "\"" + iso8601(e.unix_ms) + "\"");
  add(line, "caller", quoted(e.caller));
  add(line, "peer", quoted(e.peer));
  add(line, "method", quoted(e.method));
  add(line, "path", quoted(std::string_view(e.path).substr(0, e.path.find('?'))));
  add(line, "status", std::to_string(e.status));
  add_if(line, "repo", e.repo);
  add_if(line, "revision", e.revision);
  add_if(line, "file", e.file);
  add(line, "bytes", std::to_string(e.bytes));
  add(line, "ms", std::to_string(e.elapsed_ms));
  add(line, "source", e.fetched ? "\"fetched\"" : "\"warm\"");
  if (!e.whole) add(line, "whole", "false");
  add_if(line, "user_agent", e.user_agent);
  return line + "}\n";
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& path) {
  const int file = open_file(path);
  if (file < 0) return errno_error("open", path, errno);
  return std::unique_ptr<AccessLog>(new AccessLog(path, file));
}

AccessLog::AccessLog(std::string path, int file) : path_(std::move(path)), file_(file), thread_([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
  ::close(file_);
}

void AccessLog::note(AccessEntry entry) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueueMax) {
      ++dropped_;
      return;
    }
    queue_.push_back(std::move(entry));
    if (queue_.size() > 1 || writing_) return;  // the writer is awake, or about to be
  }
  wake_.notify_one();
}

void AccessLog::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  wake_.notify_one();
}

void AccessLog::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !writing_ && !reopen_; });
}

void AccessLog::run() {
  std::vector<AccessEntry> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return !queue_.empty() || reopen_ || ending_; });
    if (queue_.empty() && !reopen_ && ending_) return;
    batch.clear();
    std::swap(batch, queue_);
    const bool again = std::exchange(reopen_, false);
    writing_ = true;
    lock.unlock();
    if (again) open_again();
    write(batch);
    lock.lock();
    writing_ = false;
    idle_.notify_all();
  }
}

void AccessLog::open_again() {
  const int file = open_file(path_);
  if (file < 0) {
    log(LogLevel::Error, "access log not opened again", {{"why", errno_error("open", path_, errno).what}});
    return;
  }
  ::close(std::exchange(file_, file));
  torn_ = false;
}

void AccessLog::write(const std::vector<AccessEntry>& batch) {
  if (batch.empty()) return;
  const std::uint64_t dropped = dropped_;
  std::string before = torn_ ? "\n" : "";
  if (dropped != told_dropped_)
    before += "{\"time\":\"" + iso8601(batch.front().unix_ms) +
              "\",\"dropped\":" + std::to_string(dropped - told_dropped_) + "}\n";
  std::string lines;
  for (const AccessEntry& entry : batch) lines += render(entry);
  const std::size_t size = before.size() + lines.size();
  const std::size_t done = write_all(file_, before + lines);
  if (done == size) {
    torn_ = complained_ = false;
    told_dropped_ = dropped;
    return;
  }
  const int why = errno;
  const std::size_t written = done - std::min(done, before.size());
  if (done >= before.size()) told_dropped_ = dropped;
  if (done != 0) torn_ = done < before.size() || (written != 0 && lines[written - 1] != '\n');
  dropped_ +=
      static_cast<std::uint64_t>(std::count(lines.begin() + static_cast<std::ptrdiff_t>(written), lines.end(), '\n'));
  if (!std::exchange(complained_, true))
    log(LogLevel::Error, "access log not written", {{"why", errno_error("write", path_, why).what}});
}
}  // namespace hm::server
