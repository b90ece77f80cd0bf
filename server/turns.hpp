// server/turns.hpp: so many at once, the rest waits in line. Layer 5. Threads: safe; those who wait stay on their own
// executors.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.hpp"

namespace hm::server {
class Turns {
 public:
  Turns(int at_once, std::size_t waiting_max);
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  /// The right to go on; given back by the destructor, on any thread, also after Turns is gone.
  class Turn {
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept = default;
    Turn& operator=(Turn&& other) noexcept;
    ~Turn() { give_back(); }

   private:
    friend class Turns;
    explicit Turn(std::shared_ptr<struct TurnsState> state) : state_(std::move(state)) {}
    void give_back();
    std::shared_ptr<struct TurnsState> state_;
  };
  /// First come, first served. @returns Busy when the line is full or `wait_ms_max` passed; Cancelled.
  boost::asio::awaitable<Result<Turn>> take(std::int64_t wait_ms_max);
  std::size_t taken() const;
  std::size_t waiting() const;

 private:
  std::shared_ptr<struct TurnsState> state_;
};
}  // namespace hm::server
