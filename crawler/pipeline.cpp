#include "crawler/pipeline.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/crash_point.hpp"
#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "crawler/visit.hpp"

namespace hm::crawler {
std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::Visit:
      return "visit";
    case Stage::Git:
      return "git";
    case Stage::Plan:
      return "plan";
    case Stage::Blobs:
      return "blobs";
    case Stage::Publish:
      return "publish";
    case Stage::Done:
      return "done";
  }
  return "unknown";
}

// The life of a revision, top to bottom. Each step leaves the store in a state from which the next run goes on.
awaitable<Result<>> Visit::run() {
  HM_CO_TRY(co_await look());  // info and refs: what upstream says it is
  HM_CRASH_POINT("pipeline.visited");
  HM_CO_TRY(co_await hold());  // one visit of a repository at a time
  if (co_await nothing_new()) co_return ok();
  HM_CO_TRY(co_await fetch_git());  // objects, quarantined and checked; no ref moves
  HM_CRASH_POINT("pipeline.git_fetched");
  HM_CO_TRY(co_await choose_revisions());  // which commits are to be published, and under which refs
  Result<> first_problem = ok();
  while (next_ < targets_.size()) {    // in groups, so that neither memory nor the number of durable commits grows with
                                       // the number of refs
    HM_CO_TRY(co_await plan_group());  // files of each revision; digests and sizes from the pointers
    HM_CRASH_POINT("pipeline.planned");
    auto fetched = co_await fetch_blobs();
    HM_CRASH_POINT("pipeline.blobs_fetched");
    const bool whole = fetched.has_value();
    if (!fetched && !first_problem.has_error()) first_problem = std::move(fetched);
    HM_CO_TRY(co_await publish_group(whole));  // manifest, journal and index in one durable batch
    HM_CRASH_POINT("pipeline.published");
    if (first_problem.has_error() && stops_everything(first_problem.error())) break;
  }
  HM_CO_TRY(co_await move_refs());  // names last, and only those of what is published
  HM_CRASH_POINT("pipeline.refs_moved");
  co_await pack_anew();
  co_return first_problem;
}

awaitable<MirrorReport> Pipeline::mirror(MirrorRequest request, std::function<void(const ProgressEvent&)> progress) {
  const std::int64_t begin_ms = p_.clock.monotonic_ms();
  Visit visit(p_, at_work_, std::move(request), std::move(progress));
  std::optional<Error> error;
  try {
    auto outcome = co_await visit.run();
    if (!outcome) error = std::move(outcome).assume_error();
  } catch (const boost::system::system_error& e) {  // how a cancelled coroutine ends inside Asio
    error = Error{Errc::Cancelled, e.what()};
  } catch (const std::bad_alloc&) {
    error = Error{Errc::Internal, "out of memory"};
  }
  MirrorReport report = visit.finish(std::move(error));
  report.elapsed_ms = p_.clock.monotonic_ms() - begin_ms;
  co_return report;
}
}  // namespace hm::crawler
