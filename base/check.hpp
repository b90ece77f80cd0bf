// base/check.hpp: broken invariants of our own end the process, in release builds too. Layer 0.
// Never on remote input: a bad peer gets an Error, not a crash.
#pragma once

namespace hm {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}
#define HM_CHECK(condition) ((condition) ? static_cast<void>(0) : ::hm::check_failed(#condition, __FILE__, __LINE__))
