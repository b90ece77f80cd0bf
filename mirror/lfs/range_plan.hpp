// mirror/lfs/range_plan.hpp: which connection fetches which segments of one file. Layer 4; a value, one thread, no I/O.
//
// Segments are handed out in ascending order, a run of neighbours at a time: one request per run, and the hash, which
// follows the lowest missing byte, finds most of its bytes in the buffers or at least still in the page cache. While
// several connections share a file, runs get shorter towards its end, and a connection without work takes half of what
// another has not begun: so all of them end at about the same time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace hm::mirror {
/// Longest run. Long enough that a request costs little against its body (one round trip per 128 MiB); short enough
/// that what is written ahead of the hash (connections × this) stays in the page cache and that a signed URL is rarely
/// used beyond its life.
inline constexpr std::uint64_t kRunBytesMax = 128ULL << 20;
/// A connection that has fewer unbegun segments than this keeps them: ending its request early costs a new connection.
inline constexpr std::uint64_t kStealSegmentsMin = 2;

class RangePlan {
 public:
  using RunId = std::size_t;
  /// @param present one flag per segment: it is stored already. @param segment_bytes > 0; the last segment may be
  /// shorter.
  RangePlan(std::uint64_t size_bytes, std::uint32_t segment_bytes, const std::vector<bool>& present,
            std::uint64_t run_bytes_max = kRunBytesMax);

  /// The next run for a connection, or nullopt when there is nothing (worth) taking. @param connections that share the
  /// file now.
  std::optional<RunId> take(int connections);
  /// True while some run could still be taken.
  bool has_more() const { return free_count_ > 0 || victim().has_value(); }
  std::uint64_t left(RunId run) const { return runs_[run].end - runs_[run].next; }  ///< segments; others may lower it
  std::uint64_t segment(RunId run) const { return runs_[run].next; }  ///< the one being fetched; left() > 0
  std::uint64_t offset_bytes(RunId run) const { return runs_[run].next * segment_bytes_; }
  std::uint64_t end_bytes(RunId run) const { return segment_end_bytes(runs_[run].end - 1); }  ///< left() > 0
  std::uint64_t segment_end_bytes(std::uint64_t segment) const;
  /// The segment being fetched is in hand: the next one follows. @returns false when that was the run's last: its id is
  /// then void.
  [[nodiscard]] bool advance(RunId run);
  /// Ends the run; what is left of it can be taken again. The id is void.
  void give_back(RunId run);
  /// Every segment was handed out and advanced past.
  bool complete() const { return free_count_ == 0 && open_segments_ == 0; }

 private:
  struct Run {
    std::uint64_t next = 0, end = 0;  // segments [next, end)
  };
  std::optional<RunId> victim() const;
  RunId open(std::uint64_t first, std::uint64_t end);

  std::uint64_t size_bytes_;
  std::uint64_t segment_bytes_;
  std::uint64_t run_segments_max_;
  std::vector<bool> free_;  // missing and in no run
  std::uint64_t free_count_ = 0;
  std::uint64_t first_free_ = 0;  // no free segment lies before it
  std::uint64_t open_segments_ = 0;
  std::vector<Run> runs_;  // ended ones (next == end) are used again
};
}  // namespace hm::mirror
