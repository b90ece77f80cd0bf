#include "app/daemon/session.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <istream>
#include <ostream>
#include <streambuf>

#include "app/commands/commands.hpp"
#include "app/context.hpp"
#include "app/output.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kSessionsMax = 64;  // each has two threads
constexpr int kRestMs = 100;              // after a client that could not be let in

class TalkOut : public std::streambuf {
 public:
  TalkOut(Conversation& talk, bool is_err) : talk_(talk), is_err_(is_err) {
    setp(room_.data(), room_.data() + room_.size());
  }
  ~TalkOut() override { send(); }

 private:
  int_type overflow(int_type c) override {
    send();
    if (c != traits_type::eof()) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    send();
    return 0;
  }
  void send() {
    const std::string_view bytes(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    if (!bytes.empty()) is_err_ ? talk_.err(bytes) : talk_.out(bytes);
    setp(room_.data(), room_.data() + room_.size());
  }
  Conversation& talk_;
  const bool is_err_;
  std::array<char, 16384> room_;
};

class TalkIn : public std::streambuf {
 public:
  explicit TalkIn(Conversation& talk) : talk_(talk) {}

 private:
  int_type underflow() override {
    if (!ended_) bytes_ = talk_.input();
    ended_ = ended_ || bytes_.empty();
    if (ended_) return traits_type::eof();
    setg(bytes_.data(), bytes_.data(), bytes_.data() + bytes_.size());
    return traits_type::to_int_type(bytes_.front());
  }
  Conversation& talk_;
  std::string bytes_;
  bool ended_ = false;
};

std::string absolute(const std::string& path, const std::string& directory) {
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

/// The daemon's configuration counts: an option that says otherwise would be disobeyed unseen.
Result<> check_options(const GlobalOptions& options, const Rules& rules, const std::string& directory) {
  auto refuse = [](const std::string& what) {
    return Error{Errc::BadInput, what +
                                     ": a daemon holds this data directory and does the work with its own "
                                     "configuration; leave the option out, or end the daemon first"};
  };
  const config::Config& config = rules.settings.config;
  if (options.upstream) {
    HM_TRY(const net::Url asked, net::parse_url(*options.upstream));
    HM_TRY(const net::Url own, net::parse_url(config.upstream.url));
    if (asked.origin() != own.origin()) return refuse("--upstream is " + own.origin() + ", not " + asked.origin());
  }
  if (options.config_file &&
      absolute(*options.config_file, directory) != absolute(rules.settings.config_file, directory))
    return refuse("--config is " +
                  (rules.settings.config_file.empty() ? "no file" : printable(rules.settings.config_file)) + ", not " +
                  printable(*options.config_file));
  for (const std::string& host : options.allow_private)
    if (std::ranges::find(config.upstream.allow_private, host) == config.upstream.allow_private.end())
      return refuse("--allow-private " + printable(host) + " is not among the daemon's");
  return ok();
}

void refuse(const Descriptor& socket) {
  const Error full{Errc::Busy, "the daemon is at work on " + std::to_string(kSessionsMax) +
                                   " commands already; wait for one of them to end"};
  const std::string words = pack_frame(FrameKind::Err, error_line(full) + "\n") +
                            pack_frame(FrameKind::Exit, std::to_string(static_cast<int>(Exit::CannotContinue)));
  const ssize_t ignored = ::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL);
  static_cast<void>(ignored);  // a new socket has room for that, unless the client is gone
}

/// As the command is to be run here: paths start where it was typed.
void adapt(Command& command, const DaemonRequest& request) {
  if (auto* sync = std::get_if<SyncCommand>(&command); sync != nullptr && !sync->directory.empty())
    sync->directory = absolute(sync->directory, request.directory);
  // The client reads the list: it may be where only the client can read.
  if (auto* mirror = std::get_if<MirrorCommand>(&command); mirror != nullptr && !mirror->from.empty())
    mirror->from = "-";
}
}  // namespace

Sessions::Sessions(Ground& ground, Answers answers, Descriptor listening, Descriptor wake)
    : ground_(ground), answers_(std::move(answers)), listening_(std::move(listening)), wake_(std::move(wake)) {}

Result<std::unique_ptr<Sessions>> Sessions::open(Ground& ground, Answers answers) {
  HM_TRY(Descriptor wake, make_wake_descriptor());
  HM_TRY(Descriptor listening, listen_in(ground.store.dir.root));
  auto made = std::make_unique<Sessions>(ground, std::move(answers), std::move(listening), std::move(wake));
  made->thread_ = std::thread([sessions = made.get()] { sessions->accept_all(); });
  return made;
}

Sessions::~Sessions() {
  request_stop();
  join();
}

void Sessions::request_stop() {
  if (!stopping_.exchange(true)) ::unlink(daemon_socket_path(ground_.store.dir.root).c_str());
  wake(wake_);
  const std::lock_guard lock(mutex_);
  for (const auto& session : sessions_) session->talk.stop_source().request_stop();
}

void Sessions::join() {
  if (thread_.joinable()) thread_.join();
  for (const auto& session : sessions_)  // nobody adds to them any more
    if (session->thread.joinable()) session->thread.join();
}

void Sessions::accept_all() {
  while (!stopping_) {
    std::array<pollfd, 2> watched{pollfd{listening_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
    if (watched[1].revents != 0) clear_wake(wake_);  // before the looks below: what ends after them wakes us again
    reap();
    if (stopping_ || (watched[0].revents & POLLIN) == 0) continue;
    if (auto socket = accept_from(listening_))
      begin(std::move(*socket));
    else  // for want of descriptors, as a rule: who waits to be let in makes the socket readable all the time
      ::poll(&watched[1], 1, kRestMs);
  }
}

void Sessions::begin(Descriptor socket) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;  // the client hears that it was cut off
  if (sessions_.size() >= kSessionsMax) return refuse(socket);
  Session& session = *sessions_.emplace_back(std::make_unique<Session>(std::move(socket)));
  session.since_ms = system_clock().unix_ms();
  session.thread = std::thread([this, &session] { run(session); });
}

void Sessions::reap() {
  std::list<std::unique_ptr<Session>> over;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto next = std::next(at);
      if ((*at)->ended) over.splice(over.end(), sessions_, at);
      at = next;
    }
  }
  for (const auto& session : over) session->thread.join();
}

void Sessions::run(Session& session) {
  const auto request = session.talk.request(session.talk.stopped());
  if (request) session.talk.exit(answer(session, request.assume_value()));
  session.talk.close();
  session.ended = true;
  wake(wake_);  // to be reaped
}

int Sessions::answer(Session& session, const DaemonRequest& request) {
  if (request.what == "status" || request.what == "metrics") {
    session.talk.out(request.what == "status" ? answers_.status() : answers_.metrics());
    return 0;
  }
  try {
    return run_command_of(session, request);
  } catch (const std::exception& e) {
    log(LogLevel::Error, "a command came to harm", {{"why", e.what()}});
    return static_cast<int>(Exit::CannotContinue);
  }
}

int Sessions::run_command_of(Session& session, const DaemonRequest& request) {
  TalkOut out_bytes(session.talk, false), err_bytes(session.talk, true);
  TalkIn in_bytes(session.talk);
  std::ostream out(&out_bytes), err(&err_bytes);
  std::istream in(&in_bytes);
  Streams streams{in, out, err, request.in_is_terminal, request.err_is_terminal};
  if (!request.input_name.empty()) streams.in_name = request.input_name;
  std::vector<const char*> arguments;
  for (const std::string& argument : request.arguments) arguments.push_back(argument.c_str());
  auto parsed = parse_command_line(static_cast<int>(arguments.size()), arguments.data());
  const auto* invocation = parsed ? std::get_if<Invocation>(&parsed.assume_value()) : nullptr;
  if (invocation == nullptr || !changes_the_store(invocation->command))
    return static_cast<int>(report({Errc::BadInput, "the daemon does not know this command; is it of another version?"},
                                   Exit::Usage, streams, false));
  const RulesView rules = ground_.in_force.get();
  const GlobalOptions& options = invocation->global;
  if (const auto fits = check_options(options, *rules, request.directory); !fits)
    return static_cast<int>(report(fits.error(), Exit::Usage, streams, options.json));
  {
    const std::lock_guard lock(mutex_);
    session.command = joined({request.arguments.begin() + 1, request.arguments.end()}, " ");
  }
  Command command = invocation->command;
  adapt(command, request);
  StopOrder interrupt(session.talk.stop_source());
  LentStores stores(ground_, "by hand", session.talk.stopped());
  Context context{streams,
                  options,
                  rules->settings.config,
                  rules->settings.config_file,
                  rules->settings.data_dir,
                  interrupt,
                  stores,
                  ground_.metrics,
                  rules->policies};
  if (options.jobs) context.config.mirror.repos_parallel = *options.jobs;
  const auto exit = static_cast<int>(run_to_end(context, command));
  ground_.metrics
      .counter("hubmirror_daemon_commands_total", "Commands by hand that ended, by exit code.",
               {{"exit", std::to_string(exit)}})
      .add();
  return exit;
}

json::array Sessions::status() const {
  const std::lock_guard lock(mutex_);
  json::array out;
  for (const auto& session : sessions_)
    if (!session->ended && !session->command.empty())
      out.emplace_back(
          json::object{{"command", json_text(fit(session->command, 200))}, {"since", time_text(session->since_ms)}});
  return out;
}
}  // namespace hm::app
