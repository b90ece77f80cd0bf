// hub/rate_window.hpp: what is left of one bucket's window, counted so that neither answers that overtake each other
// nor a window that ends while requests are under way can make it more than it is. Layer 3; a value, time comes in from
// outside.
//
// The upstream counts in fixed windows; an answer says what was left when it was made (r) and when its window ends (t).
// What is left now is known without guessing from two numbers:
//   left = r of the answer that a count began with - requests under way at that moment - admitted since
// Those that were under way at that moment (`Charge::epoch` older than the count) may have been in that r already, or
// in the window before. Their own answers tell, by an earlier end or a larger r, and then one comes back. Where an
// answer has less left than was counted, somebody else uses the same identity: the lower number holds.
#pragma once
#include <cstdint>
#include <optional>

#include "hub/wire/headers.hpp"

namespace hm::hub {
class RateWindow {
 public:
  /// One admitted request, from take() to exactly one of answered(), lost() and give_back().
  struct Charge {
    std::uint64_t epoch = 0;   ///< which count it was taken from
    std::int64_t sent_ms = 0;  ///< how old an answer can be
  };

  /// Milliseconds until a request may be taken; 0: now. A tenth of the quota is never taken, but of any quota something
  /// is. Nothing is limited that no answer has spoken about.
  std::int64_t wait_ms(std::int64_t now_ms);
  /// @pre wait_ms(now_ms) == 0
  Charge take(std::int64_t now_ms);
  /// The answer named this bucket.
  void answered(const Charge& charge, const RateLimit& limit, std::int64_t now_ms);
  /// No answer came, or one that says nothing: it may have been counted.
  void lost() { --in_flight_; }
  /// It was never sent, or another bucket has it.
  void give_back();
  /// An answer names this bucket for a request that was taken from another.
  void answered_elsewhere(const RateLimit& limit, std::int64_t sent_ms, std::int64_t now_ms);
  /// An answer tells about this bucket too, in which its request does not count.
  void observed(const RateLimit& limit, std::int64_t sent_ms, std::int64_t now_ms);
  /// The upstream said when it wants to hear from anybody again. The later of two such times holds.
  void close_until(std::int64_t at_ms);
  /// Milliseconds until then; 0: open.
  std::int64_t closed_ms(std::int64_t now_ms) const;

  bool limited() const { return limited_; }
  /// The tenth included.
  std::uint64_t remaining() const { return remaining_ > 0 ? static_cast<std::uint64_t>(remaining_) : 0; }
  std::uint64_t quota() const { return quota_; }  ///< 0: not known; then only an empty window waits
  std::uint64_t window_ms() const { return static_cast<std::uint64_t>(window_ms_); }  ///< 0: not known
  std::int64_t reset_ms() const { return reset_ms_; }  ///< not before the window's end; on the caller's clock
  std::uint64_t in_flight() const { return in_flight_; }

 private:
  void begin_if_over(std::int64_t now_ms);
  void begin_with(const RateLimit& limit, std::int64_t reset_ms, bool sure);
  std::int64_t length_ms() const;

  bool limited_ = false;
  bool reset_is_sure_ = false;  ///< told by an answer, and far less old than a window is long
  std::uint64_t epoch_ = 0;     ///< of the count
  std::uint64_t begun_with_ = 0, quota_ = 0, in_flight_ = 0;
  std::int64_t remaining_ = 0;  ///< below 0 when more is under way than is left
  std::int64_t window_ms_ = 0, reset_ms_ = 0;
  std::optional<std::int64_t> before_ended_ms_;  ///< the end of the window before, when it was sure
  std::int64_t closed_until_ms_ = 0;
};
}  // namespace hm::hub
