// storage/scan_starts.hpp: remembers which keys of a queue were seen to be gone. Layer 3; values. What was removed from
// an LSM tree stays in it as tombstones until a compaction, and a scan from the front of a queue steps over every task
// that was ever done. Threads: none; whoever owns it locks.
#pragma once
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace hm::storage {
/// Holds as long as every key that is added is told of.
class ScanStarts {
 public:
  /// From where a scan that wants all keys from `from` on may start instead.
  std::string start(std::string_view from) const {
    std::string out(from);
    for (auto it = gone_.begin(); it != gone_.end() && it->first <= out; ++it)
      if (it->second > out) out = it->second;
    return out;
  }
  /// A scan found nothing from `from` to before `to`.
  void nothing_between(std::string_view from, std::string_view to) {
    if (to <= from) return;
    std::string& end = gone_.try_emplace(std::string(from)).first->second;
    if (end < to) end = to;
  }
  void added(std::string_view key) {
    for (auto it = gone_.begin(); it != gone_.end() && it->first <= key;) {
      if (it->second > key) it->second = key;
      it = it->second <= it->first ? gone_.erase(it) : std::next(it);
    }
  }

 private:
  std::map<std::string, std::string, std::less<>> gone_;  ///< from → to; a few for each lane and priority
};
}  // namespace hm::storage
