#include "crawler/pipeline.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/crash_point.hpp"
#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "crawler/file_reading.hpp"
#include "crawler/visit.hpp"
#include "mirror/snapshot.hpp"
#include "provenance/card.hpp"

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

awaitable<Result<>> Pipeline::include_present(RepoKey key, Commit commit) {
  HM_CO_TRY(const AtWork::Hold hold, co_await at_work_.hold(key));
  co_return co_await run_on(p_.git_pool, [this, &key, &commit] { return include_present_in(key, commit); });
}

Result<> Pipeline::include_present_in(const RepoKey& key, const Commit& commit) {
  const mirror::Catalog catalog(p_.index, p_.blobs, p_.dir);
  HM_TRY(const auto row, catalog.find(key));
  if (!row || row->removed) return ok();
  HM_TRY(const storage::SnapshotRow snapshot, catalog.resolve(*row, commit.hex()));
  if (!snapshot.partial()) return ok();
  HM_TRY(const storage::Manifest before, catalog.manifest(snapshot.manifest));
  HM_TRY(const auto repository, mirror::Repository::open(p_.dir.git(key)));
  mirror::BlobFactsCache facts;
  HM_TRY(mirror::RevisionPlan plan, mirror::plan_revision(repository, commit, config::Selection(), &before, facts,
                                                          p_.git_limits.object_bytes_max, nullptr, &p_.blobs));
  if (plan.manifest.files.size() == before.files.size()) return ok();
  provenance::PublishedRevision revision;
  revision.commit = commit;
  revision.tree = plan.tree;
  revision.left_out_files = plan.left_out_files;
  revision.left_out_bytes = plan.left_out_bytes;
  if (plan.left_out_files != 0) revision.selection = kOnDemandSelection;
  revision.card_front_matter = provenance::front_matter(plan.readme);
  provenance::FileReader reader;
  HM_TRY(revision.said, read_files(reader, plan.manifest, repository, p_.blobs));
  revision.manifest = std::move(plan.manifest);
  HM_TRY(const auto refs, catalog.refs(key));
  for (const storage::RefRow& ref : refs)
    if (ref.commit == commit) revision.refs.emplace(ref.ref, ref.target);
  return p_.recorder.publish(row->src, key, {revision});
}
}  // namespace hm::crawler
