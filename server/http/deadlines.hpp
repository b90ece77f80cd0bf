// server/http/deadlines.hpp: the deadlines of all connections of one event loop. Layer 5. One coarse tick for all of
// them costs less than a timer for each operation, and a deadline moves by a store. Threads: the loop's only.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>

namespace hm::server {
/// One deadline; out of the list when it is destroyed. `on_passed` runs at each tick from then on until clear(): an
/// operation of many steps (TLS) may have been between two of them when it was cancelled first.
class Deadline {
 public:
  explicit Deadline(std::function<void()> on_passed) : on_passed_(std::move(on_passed)) {}
  ~Deadline() { unlink(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  void set(std::int64_t after_ms);
  void clear() { at_ms_ = 0; }

 private:
  friend class Deadlines;
  void unlink();
  std::function<void()> on_passed_;
  std::int64_t at_ms_ = 0;  ///< monotonic; 0: none
  Deadline *before_ = nullptr, *behind_ = nullptr;
};

class Deadlines {
 public:
  static constexpr std::int64_t kTickMs = 200;
  Deadlines() : head_([] {}) {}
  void add(Deadline& deadline);        ///< takes it out of the list that it was in
  boost::asio::awaitable<void> run();  ///< until the loop ends

 private:
  void look();
  Deadline head_;  ///< ends of a ring
};
}  // namespace hm::server
