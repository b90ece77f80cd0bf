#include "base/clock.hpp"

#include <chrono>

namespace hm {
namespace {
class SystemClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return milliseconds(std::chrono::system_clock::now().time_since_epoch()); }
  std::int64_t monotonic_ms() const override {
    return milliseconds(std::chrono::steady_clock::now().time_since_epoch());
  }

 private:
  template <class D>
  static std::int64_t milliseconds(D d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  }
};
}  // namespace
const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}
}  // namespace hm
