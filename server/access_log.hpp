// server/access_log.hpp: one JSON line for each request, for those who count downloads and those who ask who had what.
// Layer 5. docs/operations.md "The access log". Threads: note() from all loops, never blocks on the disk; one thread of
// its own writes.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace hm::server {
struct AccessEntry {
  std::int64_t unix_ms = 0;  ///< when the last byte had left
  std::string caller, peer, method;
  std::string path;  ///< as sent, without the query: that may hold what should not be kept
  int status = 0;
  std::string repo, revision, file;  ///< "" where the request names none
  std::uint64_t bytes = 0;           ///< of the body, that were sent
  std::int64_t elapsed_ms = 0;
  bool whole = true;     ///< the answer was sent to its end
  bool fetched = false;  ///< upstream was asked for it
  std::string user_agent;
};
/// One line with its end: keys in one order, printable ASCII and UTF-8 only, long texts cut.
std::string render(const AccessEntry& entry);

class AccessLog {
 public:
  /// Opens or creates the file (mode 0640), appends to it. @returns Io.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& path);
  ~AccessLog();  ///< writes what is queued
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Queues a line; drops it when the disk has fallen too far behind.
  void note(AccessEntry entry);
  /// After the file was moved away: what is noted from now on goes to a new one of that name. Where that cannot be
  /// opened, the old one goes on being written, and the log says why.
  void reopen();
  /// Blocks until everything noted so far was written, or dropped.
  void flush();
  std::uint64_t dropped() const { return dropped_; }  ///< lines that are missing in the file

 private:
  AccessLog(std::string path, int file);
  void run();
  void write(const std::vector<AccessEntry>& batch);
  void open_again();

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<AccessEntry> queue_;
  bool ending_ = false, reopen_ = false, writing_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  // The writer's own.
  int file_;
  bool torn_ = false;        ///< the file ends within a line
  bool complained_ = false;  ///< the log knows that it cannot be written
  std::uint64_t told_dropped_ = 0;
  std::thread thread_;
};
}  // namespace hm::server
