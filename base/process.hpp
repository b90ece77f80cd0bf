// base/process.hpp: another program, started in a process group of its own and always reaped. Layer 0. No shell, no
// inherited descriptors but those it is given. Threads: a ChildProcess belongs to one thread at a time; nothing
// blocks but starting (until the program is loaded), wait_for(), and ending what was killed, which takes milliseconds.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm {
/// A file descriptor with one owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();

 private:
  int fd_ = -1;
};
struct Pipe {
  Descriptor read_end, write_end;  ///< both closed on exec
};
Result<Pipe> make_pipe();
/// A file without a name, in memory, that holds `bytes` and is at its beginning: what a program reads or writes beside
/// its pipe, so that nobody has to feed or drain it.
Result<Descriptor> make_memory_file(std::string_view bytes);
/// The first bytes of such a file, whoever wrote them.
std::string read_memory_file(const Descriptor& file, std::size_t bytes_max);

/// What a program may take of the machine; 0: as much as we.
struct ProcessLimits {
  std::uint64_t cpu_seconds = 0;    ///< of one process
  std::uint64_t file_bytes = 0;     ///< of one file it writes, in memory or on disk; pipes are no files
  std::uint64_t private_bytes = 0;  ///< memory that is not a file's
};

struct Program {
  std::vector<std::string> arguments;    ///< the first one names the program, looked for in our PATH
  std::vector<std::string> environment;  ///< "NAME=value", and nothing of ours
  int in = -1, out = -1, err = -1;       ///< -1: /dev/null
  int extra = -1;                        ///< becomes descriptor 3 of it; -1: none
  ProcessLimits limits;
};

class ChildProcess {
 public:
  /// @returns NotFound when there is no such program; Io.
  static Result<ChildProcess> start(const Program& program);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  /// Kills what still runs of the group and waits for its end.
  ~ChildProcess();

  /// Readable once the process has ended; stays ours.
  int ended_descriptor() const { return ended_.get(); }
  /// SIGKILL to the process and all that it started.
  void kill_group();
  /// Once the process has ended: its wait status, after whatever it left of its group was killed. Nullopt while it
  /// runs.
  std::optional<int> try_reap();
  /// try_reap(), waiting so long for it.
  std::optional<int> wait_for(std::int64_t timeout_ms);

 private:
  ChildProcess(pid_t pid, Descriptor ended) : pid_(pid), ended_(std::move(ended)) {}
  pid_t pid_ = -1;  ///< -1: reaped
  Descriptor ended_;
};
/// "exit status 128", "killed by signal 9".
std::string describe_exit(int wait_status);
}  // namespace hm
