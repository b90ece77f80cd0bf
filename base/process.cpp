#include "base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace hm {
namespace {
constexpr int kExtra = 3;  // descriptors from here on, or behind it, are closed in the child
constexpr std::int64_t kWaitMsMax = 60'000;

struct FileActions {
  FileActions() { ::posix_spawn_file_actions_init(&value); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&value); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t value{};
};
struct Attributes {
  Attributes() { ::posix_spawnattr_init(&value); }
  ~Attributes() { ::posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t value{};
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

void limit(pid_t pid, __rlimit_resource resource, std::uint64_t value) {
  struct rlimit now{};
  if (::prlimit(pid, resource, nullptr, &now) != 0) return;  // it has ended already
  const rlim_t wanted = std::min<rlim_t>(value, now.rlim_max);
  now.rlim_cur = now.rlim_max = wanted;
  ::prlimit(pid, resource, &now, nullptr);
}
}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}
Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}
int Descriptor::release() { return std::exchange(fd_, -1); }

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("make", "a pipe", errno);
  Pipe out;
  out.read_end = Descriptor(ends[0]);
  out.write_end = Descriptor(ends[1]);
  return out;
}

Result<Descriptor> make_memory_file(std::string_view bytes) {
  Descriptor file(::memfd_create("hubmirror", MFD_CLOEXEC));
  if (!file) return errno_error("make", "a file in memory", errno);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", "a file in memory", errno);
    done += static_cast<std::size_t>(n);
  }
  return file;
}

std::string read_memory_file(const Descriptor& file, std::size_t bytes_max) {
  std::string out(bytes_max, '\0');
  const ssize_t n = ::pread(file.get(), out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

Result<ChildProcess> ChildProcess::start(const Program& program) {
  FileActions actions;
  int standard = 0;
  for (const int fd : {program.in, program.out, program.err}) {
    if (fd >= 0)
      ::posix_spawn_file_actions_adddup2(&actions.value, fd, standard);
    else
      ::posix_spawn_file_actions_addopen(&actions.value, standard, "/dev/null", standard == 0 ? O_RDONLY : O_WRONLY, 0);
    ++standard;
  }
  // Not all of our descriptors are closed on exec: a client's socket held open by another client's git would never end.
  if (program.extra >= 0) ::posix_spawn_file_actions_adddup2(&actions.value, program.extra, kExtra);
  ::posix_spawn_file_actions_addclosefrom_np(&actions.value, program.extra >= 0 ? kExtra + 1 : kExtra);
  Attributes attributes;
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes.value, &none);
  ::posix_spawnattr_setsigdefault(&attributes.value, &all);
  ::posix_spawnattr_setpgroup(&attributes.value, 0);
  ::posix_spawnattr_setflags(&attributes.value, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const std::vector<char*> arguments = pointers(program.arguments), environment = pointers(program.environment);
  if (const int error =
          ::posix_spawnp(&pid, arguments[0], &actions.value, &attributes.value, arguments.data(), environment.data());
      error != 0) {
    Error out = errno_error("start", program.arguments[0], error);
    if (error == ENOENT) out.code = Errc::NotFound;
    return out;
  }
  limit(pid, RLIMIT_CORE, 0);
  if (program.limits.cpu_seconds != 0) limit(pid, RLIMIT_CPU, program.limits.cpu_seconds);
  if (program.limits.file_bytes != 0) limit(pid, RLIMIT_FSIZE, program.limits.file_bytes);
  if (program.limits.private_bytes != 0) limit(pid, RLIMIT_DATA, program.limits.private_bytes);
  ChildProcess child(pid, Descriptor(::pidfd_open(pid, 0)));
  if (!child.ended_) return errno_error("watch", program.arguments[0], errno);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), ended_(std::move(other.ended_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  kill_group();
  while (!wait_for(kWaitMsMax)) {
  }
}

void ChildProcess::kill_group() {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);  // not reaped, so nobody else can have this number
}

std::optional<int> ChildProcess::try_reap() {
  siginfo_t info{};
  if (pid_ < 0 || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
    return std::nullopt;
  kill_group();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  // As the first process of a container we inherit what the process left behind.
  while (::waitpid(-pid_, nullptr, 0) > 0) {
  }
  pid_ = -1;
  return status;
}

std::optional<int> ChildProcess::wait_for(std::int64_t timeout_ms) {
  struct pollfd ended{};
  ended.fd = ended_.get(), ended.events = POLLIN;
  ::poll(&ended, 1, static_cast<int>(std::min<std::int64_t>(timeout_ms, kWaitMsMax)));
  return try_reap();
}

std::string describe_exit(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "killed by signal " + std::to_string(WTERMSIG(wait_status));
  return "exit status " + std::to_string(WEXITSTATUS(wait_status));
}
}  // namespace hm
