#include "mirror/lfs/range_plan.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace hm::mirror {
RangePlan::RangePlan(std::uint64_t size_bytes, std::uint32_t segment_bytes, const std::vector<bool>& present,
                     std::uint64_t run_bytes_max)
    : size_bytes_(size_bytes), segment_bytes_(segment_bytes), run_segments_max_(0), free_(present.size()) {
  HM_CHECK(segment_bytes > 0);
  HM_CHECK(present.size() == size_bytes / segment_bytes + (size_bytes % segment_bytes != 0));
  run_segments_max_ = std::max<std::uint64_t>(1, run_bytes_max / segment_bytes);
  for (std::size_t i = 0; i < present.size(); ++i) {
    free_[i] = !present[i];
    free_count_ += present[i] ? 0 : 1;
  }
}

std::optional<RangePlan::RunId> RangePlan::take(int connections) {
  if (free_count_ > 0) {
    while (!free_[first_free_]) ++first_free_;
    // With others around, at most half of an equal share: the file's end is then divided finely among them.
    const std::uint64_t share = connections <= 1 ? free_count_
                                                 : (free_count_ + 2 * static_cast<std::uint64_t>(connections) - 1) /
                                                       (2 * static_cast<std::uint64_t>(connections));
    const std::uint64_t most = std::min(share, run_segments_max_);
    std::uint64_t end = first_free_;
    while (end < free_.size() && free_[end] && end - first_free_ < most) free_[end++] = false;
    free_count_ -= end - first_free_;
    return open(first_free_, end);
  }
  const auto from = victim();
  if (!from) return std::nullopt;
  Run& run = runs_[*from];
  const std::uint64_t end = run.end;
  const std::uint64_t unbegun = end - run.next - 1;
  run.end = end - unbegun / 2 - unbegun % 2;
  const std::uint64_t first = run.end;
  open_segments_ -= end - first;
  return open(first, end);
}

std::uint64_t RangePlan::segment_end_bytes(std::uint64_t segment) const {
  return std::min(size_bytes_, (segment + 1) * segment_bytes_);
}

bool RangePlan::advance(RunId run) {
  HM_CHECK(left(run) > 0);
  ++runs_[run].next;
  --open_segments_;
  return left(run) > 0;
}

void RangePlan::give_back(RunId run) {
  Run& r = runs_[run];
  open_segments_ -= left(run);
  free_count_ += left(run);
  if (r.next < r.end) first_free_ = std::min(first_free_, r.next);
  for (; r.next < r.end; ++r.next) free_[r.next] = true;
}

std::optional<RangePlan::RunId> RangePlan::victim() const {
  std::optional<RunId> best;
  for (RunId i = 0; i < runs_.size(); ++i) {
    // The segment being fetched is not to be had: kStealSegmentsMin others have to be.
    if (left(i) > kStealSegmentsMin && (!best || left(i) > left(*best))) best = i;
  }
  return best;
}

RangePlan::RunId RangePlan::open(std::uint64_t first, std::uint64_t end) {
  open_segments_ += end - first;
  const Run run{first, end};
  for (RunId i = 0; i < runs_.size(); ++i) {
    if (runs_[i].next == runs_[i].end) {
      runs_[i] = run;
      return i;
    }
  }
  runs_.push_back(run);
  return runs_.size() - 1;
}
}  // namespace hm::mirror
