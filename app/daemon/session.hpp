// app/daemon/session.hpp: commands that come through the socket: each runs in the daemon as it would in a process of
// its own, with the client's streams. Layer 6. Threads: one that accepts, one for each command; the rest is safe.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/daemon/ground.hpp"
#include "app/daemon/socket.hpp"
#include "base/canonical_json.hpp"
#include "base/result.hpp"

namespace hm::app {
class Sessions {
 public:
  /// What is asked that is no command.
  struct Answers {
    std::function<std::string()> status, metrics;
  };
  /// Makes the socket. @returns Io.
  static Result<std::unique_ptr<Sessions>> open(Ground& ground, Answers answers);
  /// As stop().
  ~Sessions();
  /// Takes no more, removes the socket, asks what runs to end.
  void request_stop();
  /// Until all have ended.
  void join();
  json::array status() const;

  Sessions(Ground& ground, Answers answers, Descriptor listening, Descriptor wake);

 private:
  struct Session {
    explicit Session(Descriptor socket) : talk(std::move(socket)) {}
    Conversation talk;
    std::string command;  ///< guarded by mutex_
    std::int64_t since_ms = 0;
    std::atomic<bool> ended{false};
    std::thread thread;
  };
  void accept_all();
  void begin(Descriptor socket);
  void reap();
  void run(Session& session);
  int answer(Session& session, const DaemonRequest& request);
  int run_command_of(Session& session, const DaemonRequest& request);

  Ground& ground_;
  const Answers answers_;
  const Descriptor listening_, wake_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::list<std::unique_ptr<Session>> sessions_;
  std::thread thread_;
};
}  // namespace hm::app
