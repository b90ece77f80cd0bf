#include "mirror/git/git_program.hpp"

#include <cstdlib>

#include "base/text.hpp"

namespace hm::mirror {
namespace {
constexpr const char* kPathIfUnset = "/usr/local/bin:/usr/bin:/bin";
constexpr std::int64_t kStopLookMs = 100;
constexpr std::size_t kOutputBytesMax = 64U << 10, kWordsBytesMax = 4096;
}  // namespace

Program git_program(const std::string& repository_path, const std::vector<std::string>& arguments) {
  Program out;
  // safe.directory: a data directory may belong to another user than the one who serves it.
  out.arguments = {"git", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"};
  out.arguments.push_back("--git-dir=" + repository_path);
  out.arguments.insert(out.arguments.end(), arguments.begin(), arguments.end());
  const char* path = std::getenv("PATH");
  out.environment = {std::string("PATH=") + (path == nullptr ? kPathIfUnset : path),
                     "LC_ALL=C",
                     "GIT_CONFIG_NOSYSTEM=1",
                     "GIT_CONFIG_GLOBAL=/dev/null",
                     "GIT_ATTR_NOSYSTEM=1",
                     "GIT_OPTIONAL_LOCKS=0",
                     "GIT_NO_REPLACE_OBJECTS=1",
                     "GIT_ALLOW_PROTOCOL=none",
                     "GIT_TERMINAL_PROMPT=0"};
  return out;
}

Result<std::string> run_git(Program program, const std::string& input, const std::atomic<bool>& stop) {
  HM_TRY(const Descriptor in, make_memory_file(input));
  HM_TRY(const Descriptor out, make_memory_file(""));
  HM_TRY(const Descriptor words, make_memory_file(""));
  program.in = in.get(), program.out = out.get(), program.err = words.get();
  HM_TRY(auto child, ChildProcess::start(program));
  std::optional<int> status;
  while (!(status = child.wait_for(kStopLookMs))) {
    if (stop) return Error{Errc::Cancelled, "git stopped"};
  }
  if (*status != 0)
    return Error{Errc::Internal,
                 "git: " + describe_exit(*status) + ": " + printable(trim(read_memory_file(words, kWordsBytesMax)))};
  return read_memory_file(out, kOutputBytesMax);
}
}  // namespace hm::mirror
