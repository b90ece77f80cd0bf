#include "server/git_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "mirror/git/git_program.hpp"

namespace hm::server {
namespace asio = boost::asio;
namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 64U << 10;  // a sideband packet of git has that much
constexpr int kPipeBytes = 256 << 10;           // git packs on while a piece is sent
constexpr std::size_t kWordsBytesMax = 4096;
constexpr std::size_t kWaitingPerTurn = 16;  // a longer line would not come to its turn in wait_ms_max anyway
// It writes to pipes only; its words go to a file in memory.
constexpr std::uint64_t kFileBytesMax = 1U << 20;
// Objects are streamed from 64 MiB on, so memory goes with the number of objects: about 500 bytes each.
constexpr std::uint64_t kPrivateBytesMax = 8ULL << 30;

std::vector<std::string> arguments_of(const UploadPackCall& call) {
  std::vector<std::string> out{
      // What git serves to protocol 2 in any case, it serves to older clients too: see the decision.
      "-c", "uploadpack.allowAnySHA1InWant=true", "-c", "include.path=/proc/self/fd/3", "-c",
      "uploadpack.allowFilter=true", "-c", "uploadpackfilter.allow=false", "-c",
      "uploadpackfilter.blob:none.allow=true", "-c", "uploadpackfilter.blob:limit.allow=true", "-c",
      "uploadpackfilter.tree.allow=true", "-c", "uploadpackfilter.object:type.allow=true", "-c",
      "uploadpackfilter.combine.allow=true",
      // One thread each: there may be as many of them as git_processes_max, and a repacked repository needs no deltas.
      "-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "-c", "pack.deltaCacheSize=64m", "-c",
      "core.bigFileThreshold=64m", "upload-pack", "--strict", "--stateless-rpc"};
  if (call.advertise) out.emplace_back("--http-backend-info-refs");
  out.push_back(call.repository);
  return out;
}

/// Settings as a file: there may be thousands of refs. Of those that match, the last one counts.
std::string settings_of(const UploadPackCall& call) {
  std::string out = "[transfer]\n\thideRefs = refs/\n\thideRefs = HEAD\n";
  for (const std::string& ref : call.refs) {
    if (ref.find_first_of("\"\\\n") != std::string::npos) continue;  // a name that git itself does not take, or a trap
    out.append("\thideRefs = \"!").append(ref).append("\"\n");
  }
  return out;
}

/// What the body and the coroutine that waits for the end have in common. All on one loop.
struct Run {
  Run(const asio::any_io_executor& executor, ChildProcess c, Descriptor w, Turns::Turn t, std::string r)
      : child(std::move(c)),
        words(std::move(w)),
        turn(std::move(t)),
        repository(std::move(r)),
        time_limit(executor),
        ended(executor, asio::steady_timer::time_point::max()) {}
  ChildProcess child;
  Descriptor words;
  Turns::Turn turn;
  const std::string repository;
  asio::steady_timer time_limit, ended;  ///< `ended` is cancelled at the end
  std::optional<int> status;
  bool too_long = false, abandoned = false;
};

/// Reaps the process whenever it ends, also when nobody wants its output any more.
asio::awaitable<void> reap(std::shared_ptr<Run> run) {
  asio::posix::stream_descriptor ended(co_await asio::this_coro::executor,
                                       ::fcntl(run->child.ended_descriptor(), F_DUPFD_CLOEXEC, 0));
  while (!(run->status = run->child.try_reap())) {
    const auto [error] = co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, kTuple);
    if (error) break;  // the loop ends; ~ChildProcess does the rest
  }
  run->time_limit.cancel();
  run->ended.cancel();
  run->turn = Turns::Turn();
  if (run->status == 0 || run->abandoned) co_return;
  log(LogLevel::Warning, "git upload-pack failed",
      {{"repository", run->repository},
       {"how", run->too_long ? "took longer than serve.git_seconds_max"
                             : (run->status ? describe_exit(*run->status) : "stopped")},
       {"said", printable(trim(read_memory_file(run->words, kWordsBytesMax)))}});
}

class GitOutput final : public BodySource {
 public:
  GitOutput(const asio::any_io_executor& executor, Descriptor out, std::shared_ptr<Run> run)
      : out_(executor, out.release()), run_(std::move(run)), buffer_(new std::byte[kPieceBytes]) {}
  ~GitOutput() override {
    if (run_->status) return;
    run_->abandoned = true;
    run_->child.kill_group();
  }
  /// Waits for the first piece. @returns Internal when there is none and git failed.
  asio::awaitable<Result<>> begin() {
    HM_CO_TRY(first_, co_await read());
    if (first_->empty() && run_->status != 0) co_return Error(Errc::Internal, "git ended without a word");
    co_return ok();
  }
  asio::awaitable<Result<std::span<const std::byte>>> next() override {
    if (first_) co_return *std::exchange(first_, std::nullopt);
    co_return co_await read();
  }

 private:
  asio::awaitable<Result<std::span<const std::byte>>> read() {
    const auto [error, bytes] = co_await out_.async_read_some(asio::buffer(buffer_.get(), kPieceBytes), kTuple);
    if (!error) co_return std::span<const std::byte>(buffer_.get(), bytes);
    if (error != asio::error::eof) co_return Error(Errc::Cancelled, "output of git: " + error.message());
    if (!run_->status) co_await run_->ended.async_wait(kTuple);
    if (!run_->status) co_return Error(Errc::Cancelled, "git stopped");
    // A failure that git tells of in the protocol (exit status 128) is a whole answer; a killed one is none.
    if (run_->too_long || WIFSIGNALED(*run_->status)) co_return Error(Errc::Internal, "git was ended early");
    co_return std::span<const std::byte>();
  }
  asio::posix::stream_descriptor out_;
  std::shared_ptr<Run> run_;
  std::unique_ptr<std::byte[]> buffer_;
  std::optional<std::span<const std::byte>> first_;
};

/// After the time limit. Holds no Run: a timer that is never cancelled would keep it.
void limit_time(const std::shared_ptr<Run>& run, std::int64_t seconds_max) {
  run->time_limit.expires_after(std::chrono::seconds(seconds_max));
  run->time_limit.async_wait([weak = std::weak_ptr(run)](const boost::system::error_code& error) {
    const auto late = error ? nullptr : weak.lock();
    if (!late || late->status) return;
    late->too_long = true;
    late->child.kill_group();
  });
}
}  // namespace

GitProcesses::GitProcesses(Limits limits)
    : limits_(limits),
      packs_(limits.at_once, static_cast<std::size_t>(limits.at_once) * kWaitingPerTurn),
      briefs_(limits.at_once, static_cast<std::size_t>(limits.at_once) * kWaitingPerTurn) {}

asio::awaitable<Result<std::unique_ptr<BodySource>>> GitProcesses::upload_pack(UploadPackCall call) {
  const auto executor = co_await asio::this_coro::executor;
  HM_CO_TRY(auto turn, co_await (call.advertise || call.brief ? briefs_ : packs_).take(limits_.wait_ms_max));
  HM_CO_TRY(auto out, make_pipe());
  HM_CO_TRY(auto words, make_memory_file(""));
  HM_CO_TRY(const auto settings, make_memory_file(settings_of(call)));
  Descriptor in;
  if (!call.advertise) {
    HM_CO_TRY(in, make_memory_file(call.request));
    call.request = std::string();  // once is enough
  }
  ::fcntl(out.write_end.get(), F_SETPIPE_SZ, kPipeBytes);
  Program program = mirror::git_program(call.repository, arguments_of(call));
  if (!call.protocol.empty()) program.environment.push_back("GIT_PROTOCOL=" + call.protocol);
  program.in = in.get(), program.out = out.write_end.get(), program.err = words.get();
  program.extra = settings.get();
  program.limits.cpu_seconds = static_cast<std::uint64_t>(limits_.seconds_max);
  program.limits.file_bytes = kFileBytesMax;
  program.limits.private_bytes = kPrivateBytesMax;
  HM_CO_TRY(auto child, ChildProcess::start(program));
  out.write_end = Descriptor();
  auto run = std::make_shared<Run>(executor, std::move(child), std::move(words), std::move(turn), call.repository);
  limit_time(run, limits_.seconds_max);
  asio::co_spawn(executor, reap(run), asio::detached);
  auto output = std::make_unique<GitOutput>(executor, std::move(out.read_end), run);
  HM_CO_TRY(co_await output->begin());
  co_return std::unique_ptr<BodySource>(std::move(output));
}
}  // namespace hm::server
