// base/crash_point.hpp: named places where a test may kill the process with SIGKILL. Layer 0.
// Compiled to nothing unless the build sets HM_CRASH_POINTS; then HUBMIRROR_CRASH_AT=name[:n] kills at the n-th passage
// (default 1), and HUBMIRROR_CRASH_LOG=file gets a line for each passage of any. docs/developing.md lists the names.
#pragma once
#ifdef HM_CRASH_POINTS
namespace hm {
void crash_point(const char* name);
}
#define HM_CRASH_POINT(name) ::hm::crash_point(name)
#else
#define HM_CRASH_POINT(name) static_cast<void>(0)
#endif
