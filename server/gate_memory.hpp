// server/gate_memory.hpp: what the upstream said of callers lately, so that it is asked once and not for every range of
// a file. Layer 5. Threads: safe; callers wait on their own loops, questions run on the executor given.
// Bounded in every direction: how long an answer holds, how many are kept, how many questions are open, and how many
// are asked a minute, since whoever makes up tokens makes us ask.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::server {
using boost::asio::awaitable;

enum class GateAnswer : std::uint8_t { Yes, No, Unknown };

struct GateLimits {
  std::int64_t yes_ms = 600'000;        ///< access that was taken back upstream ends here after so long
  std::int64_t no_ms = 30'000;          ///< somebody who was let in upstream waits so long
  std::int64_t unknown_ms = 5'000;      ///< an upstream that does not answer is left alone for so long
  std::size_t remembered_max = 65'536;  ///< of Yes, and as many of the rest; 100 bytes each
  std::size_t open_max = 64;            ///< questions under way
  std::size_t per_minute_max = 600;     ///< questions begun; the Hub grants an address 100 anonymous ones a minute
};

class GateMemory {
 public:
  using Question = std::function<awaitable<Result<bool>>()>;
  /// @param asks_on where questions run; its context ends before the clock and what the questions use do
  GateMemory(boost::asio::any_io_executor asks_on, const Clock& clock, GateLimits limits = {});
  ~GateMemory();
  GateMemory(const GateMemory&) = delete;
  GateMemory& operator=(const GateMemory&) = delete;

  /// The answer as remembered; else asks. All who want the same at once share one question, which goes on when they
  /// leave. @param subject names caller and repository, and must not be a token or a plain hash of one
  /// @returns Unknown when the upstream could not say, or may not be asked now.
  awaitable<GateAnswer> ask(Sha256 subject, Question question);

 private:
  struct State;
  const std::shared_ptr<State> state_;  ///< questions that come back after us find it
};
}  // namespace hm::server
