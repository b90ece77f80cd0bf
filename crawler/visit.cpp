#include "crawler/visit.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "crawler/file_reading.hpp"
#include "crawler/survey.hpp"
#include "mirror/git/repack.hpp"
#include "provenance/card.hpp"

namespace hm::crawler {
namespace {
// A group ends at whichever comes first: the manifests of a group are in memory together, and a durable commit costs
// milliseconds.
constexpr std::size_t kGroupRevisionsMax = 256;
constexpr std::size_t kGroupFilesMax = 20'000;
constexpr char kKeptPrefix[] = "refs/hubmirror/kept/";

std::string_view visibility_of(const hub::RepoInfo& info) {
  if (info.is_private) return "private";
  if (info.gated == hub::Gated::Auto) return "gated-auto";
  if (info.gated == hub::Gated::Manual) return "gated-manual";
  return "public";
}
}  // namespace

bool stops_everything(const Error& error) { return error.code == Errc::NoSpace || error.code == Errc::Cancelled; }

Visit::Visit(Pipeline::Parts& parts, AtWork& at_work, MirrorRequest request,
             std::function<void(const ProgressEvent&)> progress)
    : p_(parts),
      at_work_(at_work),
      catalog_(parts.index, parts.blobs, parts.dir),
      request_(std::move(request)),
      progress_(std::move(progress)),
      repo_(request_.spec.repo),
      git_client_(parts.client, parts.api.upstream(), parts.api.budget(), parts.api.retry()) {
  report_.repo = repo_;
  event_.repo = repo_;
  if (request_.filters_named) filter_use_.emplace(request_.selection);
}

/// From here on time is `stage`'s.
void Visit::account(Stage stage) {
  const std::int64_t now_ms = p_.clock.monotonic_ms();
  if (stage_since_ms_) report_.stage_ms[static_cast<std::size_t>(timed_stage_)] += now_ms - *stage_since_ms_;
  stage_since_ms_ = now_ms;
  timed_stage_ = stage;
}

void Visit::tell(Stage stage) {
  account(stage);
  if (stage != event_.stage || stage == Stage::Visit)
    log(LogLevel::Debug, "stage", {{"repo", repo_.text()}, {"stage", std::string(name_of(stage))}});
  event_.stage = stage;
  event_.file.clear();
  event_.file_bytes_more = event_.file_bytes_total = 0;
  event_.file_done = event_.file_failed = false;
  if (progress_) progress_(event_);
}

awaitable<Result<>> Visit::look() {
  tell(Stage::Visit);
  auto info = co_await p_.api.repo_info(repo_, std::nullopt);
  const std::string src = p_.api.upstream().host_port();
  if (!info) {
    if (info.error().code != Errc::NotFound || info.error().http_status == 0) co_return std::move(info).as_failure();
    auto known = co_await run_on(p_.git_pool, [this] { return catalog_.find(repo_); });
    const bool is_of_this_upstream =
        known && known.assume_value().repo.name == repo_.name && known.assume_value().src == src;
    if (!is_of_this_upstream) co_return std::move(info).as_failure();
    report_.row = known.assume_value();
    const int status = info.error().http_status;
    HM_CO_TRY(co_await run_on(p_.git_pool, [this, status] { return p_.recorder.record_gone(report_.row, status); }));
    co_return Error{Errc::NotFound, info.error().what + "; the copy that is here stays and was noted as gone upstream"};
  }
  const hub::RepoInfo& got = info.assume_value();
  if (got.disabled) co_return Error{Errc::Gated, "upstream has disabled this repository"};
  if (!is_valid_repo_name(got.id))
    co_return Error{Errc::BadInput, "upstream answers with the name \"" + printable(got.id.substr(0, 200)) +
                                        "\", which no repository can have"};
  repo_.name = got.id;

  remote_.emplace(git_client_, p_.git_pool, p_.api.git_url(repo_), p_.git_limits);
  account(Stage::Git);
  HM_CO_TRY(co_await list_refs());
  account(Stage::Visit);

  provenance::Observation seen;
  seen.src = src;
  seen.repo = repo_;
  seen.rid = got.rid ? *got.rid : derived_rid(src, repo_);
  if (request_.expected && *request_.expected != seen.rid)
    co_return Error{Errc::NotFound, "the name " + repo_.text() + " belongs to another repository now (" +
                                        seen.rid.text() + ", not " + request_.expected->text() + ")"};
  seen.visibility = std::string(visibility_of(got));
  seen.upstream_modified_ms = got.last_modified_ms.value_or(0);
  seen.head = seen_.head;
  seen.refs = seen_.refs;
  seen.info_json = got.raw;
  HM_CO_TRY(row_, co_await run_on(p_.git_pool, [this, &seen]() -> Result<storage::RepoRow> {
              HM_TRY(auto row, p_.recorder.record_visit(seen));
              // What was mirrored without a crawl is found by searches and listings all the same.
              HM_TRY(record_unlisted(p_.index, p_.recorder, seen.src, RepoKey{seen.repo.kind, row.rid}, seen.repo,
                                     seen.info_json));
              return row;
            }));
  report_.row = row_;
  report_.repo = repo_;
  event_.repo = repo_;
  co_return ok();
}

/// From here on no other visit touches this repository.
awaitable<Result<>> Visit::hold() {
  const RepoKey wanted = key();
  HM_CO_TRY(hold_, co_await at_work_.hold(wanted));
  if (!hold_.waited()) co_return ok();
  HM_CO_TRY(co_await look());  // what was seen before the other visit ended may be older than what that one published
  if (key() == wanted) co_return ok();
  co_return Error{Errc::Unreachable,
                  "the name " + repo_.text() + " became another repository's while this one was at work; run it again"};
}

/// Waits before the next attempt of a git request. @returns the error when trying again cannot help, or was tried often
/// enough.
awaitable<Result<>> Visit::pause_after(hub::Backoff& backoff, Error error) {
  if (!hub::is_retried_error(error) && error.code != Errc::RateLimited) co_return error;
  const auto asked_ms = git_client_.take_asked_wait_ms();
  co_return co_await backoff.pause(std::move(error), asked_ms);
}

awaitable<Result<>> Visit::list_refs() {
  std::vector<std::string> prefixes{"refs/heads/", "refs/tags/", "refs/convert/"};
  if (request_.pull_requests) prefixes.emplace_back("refs/pr/");
  hub::Backoff backoff(p_.api.retry());
  for (;;) {
    auto listed = co_await remote_->list_refs(prefixes);
    if (listed) {
      seen_ = std::move(listed).assume_value();
      co_return ok();
    }
    HM_CO_TRY(co_await pause_after(backoff, std::move(listed).assume_error()));
  }
}

/// A pack that broke off is fetched anew from its beginning: git has no ranges. Nothing of it stays.
awaitable<Result<mirror::FetchOutcome>> Visit::fetch_objects() {
  hub::Backoff backoff(p_.api.retry());
  const std::function<void(const mirror::FetchProgress&)> on_progress = [this](const mirror::FetchProgress& p) {
    event_.stage = Stage::Git;
    event_.bytes_done = p.received_bytes;
    if (progress_) progress_(event_);
  };
  for (;;) {
    auto fetched = co_await remote_->fetch(git_path(), seen_, on_progress);
    if (fetched) co_return std::move(fetched);
    HM_CO_TRY(co_await pause_after(backoff, std::move(fetched).assume_error()));
  }
}

bool Visit::is_satisfied_by(const storage::SnapshotRow& snapshot) const {
  return !snapshot.partial() || request_.large_files == LargeFiles::Present ||
         snapshot.selection == request_.selection.text();
}

// The shortest way out, three requests after the start: refs are as published, and so are the blobs. Anything odd takes
// the long way, which repairs.
Result<bool> Visit::everything_is_here() {
  if (request_.all_history) return false;
  auto repository = mirror::Repository::open(git_path());
  if (!repository || !mirror::wrong_form(p_.fs, git_path()).empty()) return false;
  HM_TRY(mirror::RefMap local, repository.assume_value().refs());
  std::erase_if(local, [](const auto& ref) { return ref.first.starts_with("refs/hubmirror/"); });
  if (local != seen_.refs) return false;
  const auto head = repository.assume_value().head();
  if (!head || (!seen_.head.empty() && head.assume_value() != seen_.head)) return false;
  HM_TRY(const auto published, catalog_.refs(key()));
  std::set<Commit> commits;
  for (const auto& [ref, target] : seen_.refs) {
    const bool wanted = request_.spec.revision
                            ? (ref == *request_.spec.revision || ref == "refs/heads/" + *request_.spec.revision ||
                               ref == "refs/tags/" + *request_.spec.revision)
                            : is_published_by_itself(ref);
    if (!wanted) continue;
    const auto row = std::find_if(
        published.begin(), published.end(),
        [&, &name = ref, &oid = target](const storage::RefRow& r) { return r.ref == name && r.target == oid; });
    if (row == published.end()) return false;
    commits.insert(row->commit);
  }
  if (request_.spec.revision && commits.empty()) {
    const auto commit = Commit::parse(*request_.spec.revision);
    if (!commit) return false;
    commits.insert(*commit);
  }
  for (const Commit& commit : commits) {
    auto snapshot = catalog_.resolve(row_, commit.hex());
    if (!snapshot || !is_satisfied_by(snapshot.assume_value())) return false;
    if (!repository.assume_value().tree_of(commit)) return false;  // its objects are gone
    HM_TRY(const auto manifest, catalog_.manifest(snapshot.assume_value().manifest));
    HM_TRY(const auto missing, catalog_.missing_blobs(manifest));
    if (!missing.empty()) return false;
    see_published(snapshot.assume_value(), manifest);
  }
  return true;
}

awaitable<bool> Visit::nothing_new() {
  auto here = co_await run_on(p_.git_pool, [this] { return everything_is_here(); });
  report_.unchanged = here && here.assume_value();
  co_return report_.unchanged;
}

awaitable<Result<>> Visit::fetch_git() {
  tell(Stage::Git);
  HM_CO_TRY(co_await run_on(p_.git_pool, [this]() -> Result<> {
    HM_TRY(p_.blobs.check_space(0));
    HM_TRY(p_.fs.make_directories(p_.dir.git(row_.repo.kind)));
    return mirror::create_bare_repository(p_.fs, git_path());
  }));
  HM_CO_TRY(auto fetched, co_await fetch_objects());
  event_.bytes_done = 0;
  report_.git_objects = fetched.new_objects;
  report_.git_bytes = fetched.pack_bytes;
  report_.remarks = std::move(fetched.remarks);
  co_return ok();
}

awaitable<Result<>> Visit::choose_revisions() {
  tell(Stage::Plan);
  HM_CO_TRY(co_await run_on(p_.git_pool, [this]() -> Result<> {
    HM_TRY(const auto repository, mirror::Repository::open(git_path()));
    return select_targets(repository);
  }));
  co_return ok();
}

/// The commit that the request names: a ref of upstream in short or full form, or a commit by id.
Result<std::optional<Commit>> Visit::commit_of_request(const mirror::Repository& repository,
                                                       const std::map<std::string, Commit>& commits) const {
  if (!request_.spec.revision) return std::optional<Commit>{};
  const std::string& wanted = *request_.spec.revision;
  for (const std::string& ref : {wanted, "refs/heads/" + wanted, "refs/tags/" + wanted, "refs/" + wanted,
                                 wanted == "HEAD" ? seen_.head : std::string()})
    if (const auto it = commits.find(ref); it != commits.end()) return std::optional(it->second);
  if (const auto commit = Commit::parse(wanted)) {
    HM_TRY(const bool here, repository.contains(*commit));
    if (here) {
      HM_TRY(const Commit peeled, repository.peel_to_commit(*commit));
      return std::optional(peeled);
    }
  }
  return Error{Errc::NotFound, "upstream has no revision \"" + printable(wanted) + "\" of " + repo_.text() +
                                   " (branches, tags and commits that its refs reach were looked at)"};
}

/// Tags and conversions are published when they name the commit of one of these, or are asked for.
bool Visit::is_published_by_itself(std::string_view ref) const {
  return ref.starts_with("refs/heads/") || (request_.pull_requests && ref.starts_with("refs/pr/"));
}

Result<> Visit::select_targets(const mirror::Repository& repository) {
  std::map<std::string, Commit>
      commits;  // ref → commit, tags peeled; a ref that leads to no commit names nothing we can publish
  for (const auto& [ref, oid] : seen_.refs)
    if (auto commit = repository.peel_to_commit(oid)) commits[ref] = commit.assume_value();
  HM_TRY(const auto fixed, commit_of_request(repository, commits));
  std::set<Commit> chosen;
  std::vector<Commit> order;
  auto choose = [&](const Commit& commit) {
    if (chosen.insert(commit).second) order.push_back(commit);
  };
  if (fixed) {
    choose(*fixed);
  } else {
    if (const auto head = commits.find(seen_.head); head != commits.end())
      choose(head->second);  // what most people ask for comes first
    for (const auto& [ref, commit] : commits)
      if (is_published_by_itself(ref)) choose(commit);
  }
  if (request_.all_history) {
    std::vector<GitOid> tips(order.begin(), order.end());
    if (!fixed)
      for (const auto& [ref, commit] : commits)
        if (ref.starts_with("refs/tags/")) tips.push_back(commit);
    HM_TRY(repository.walk_commits(tips, [&](const GitOid& commit) -> Result<> {
      choose(commit);
      return ok();
    }));
  }
  std::map<Commit, std::size_t> places;
  for (const Commit& commit : order) {
    places[commit] = targets_.size();
    targets_.emplace_back().commit = commit;
  }
  for (const auto& [ref, commit] : commits)
    if (const auto place = places.find(commit); place != places.end())
      targets_[place->second].refs[ref] = seen_.refs.at(ref);
  HM_TRY(const auto published, catalog_.revisions(key()));
  for (const auto& view : published)
    if (const auto place = places.find(view.snapshot.commit); place != places.end())
      targets_[place->second].published = view.snapshot;
  return ok();
}

/// A revision that is taken as it is published: whole, whatever the filters say, or under the same filters.
void Visit::see_published(const storage::SnapshotRow& snapshot, const storage::Manifest& manifest) {
  if (!filter_use_) return;
  if (snapshot.partial()) {  // what was left out is not in its manifest
    filter_use_.reset();
    return;
  }
  for (const storage::ManifestFile& file : manifest.files) {
    filter_use_->see(file.path);
    kept_whole_ = kept_whole_ || !request_.selection.wants(file.path, file.size_bytes);
  }
}

void Visit::note_filters() {
  if (filter_use_) report_.notes = filter_use_->unmatched();
  if (kept_whole_)
    report_.notes.emplace_back("what is here is kept whole already; the filters leave nothing of it out");
}

Result<> Visit::use_published(Target& target, const storage::Manifest& manifest) {
  see_published(*target.published, manifest);
  target.plan.commit = target.commit;
  target.plan.tree = target.published->tree;
  target.plan.manifest = manifest;
  target.plan.left_out_files = target.published->left_out_files;
  target.plan.left_out_bytes = target.published->left_out_bytes;
  return ok();
}

Result<> Visit::plan_target(const mirror::Repository& repository, Target& target) {
  std::optional<storage::Manifest> before;
  if (target.published) {
    HM_TRY(before, catalog_.manifest(target.published->manifest));
    if (is_satisfied_by(*target.published)) return use_published(target, *before);
  }
  HM_TRY(target.plan,
         mirror::plan_revision(repository, target.commit, request_.selection, before ? &*before : nullptr, facts_,
                               p_.git_limits.object_bytes_max, filter_use_ ? &*filter_use_ : nullptr,
                               request_.large_files == LargeFiles::Present ? &p_.blobs : nullptr));
  report_.files_left_out += target.plan.left_out_files;
  report_.bytes_left_out += target.plan.left_out_bytes;
  return ok();
}

awaitable<Result<>> Visit::plan_group() {
  tell(Stage::Plan);
  for (std::size_t i = first_; i < next_; ++i) targets_[i].plan = {};  // the last group's manifests are published
  first_ = next_;
  HM_CO_TRY(co_await run_on(p_.git_pool, [this]() -> Result<> {
    HM_TRY(const auto repository, mirror::Repository::open(git_path()));
    std::size_t files = 0;
    while (next_ < targets_.size() && next_ - first_ < kGroupRevisionsMax && files < kGroupFilesMax) {
      HM_TRY(plan_target(repository, targets_[next_]));
      files += targets_[next_++].plan.manifest.files.size();
    }
    return ok();
  }));
  co_return ok();
}

/// What the group needs and the store lacks, each digest once. The space for all of it must be there before the first
/// byte is asked for.
Result<std::vector<mirror::WantedBlob>> Visit::missing_blobs() {
  std::vector<mirror::WantedBlob> missing;
  std::unordered_set<storage::BlobId> seen;
  std::uint64_t bytes = 0;
  for (std::size_t i = first_; i < next_; ++i) {
    for (mirror::WantedBlob& blob : mirror::blobs_of(targets_[i].plan)) {
      if (failed_.contains(blob.id) || !seen.insert(blob.id).second) continue;
      ++report_.blobs_total;
      HM_TRY(const auto here, p_.blobs.find(blob.id));
      if (here && *here == blob.size_bytes) {
        ++report_.blobs_present;
        continue;
      }
      bytes += blob.size_bytes;
      missing.push_back(std::move(blob));
    }
  }
  if (missing.empty()) return missing;
  std::uint64_t begun = 0;
  HM_TRY(const auto unfinished, p_.blobs.unfinished());
  for (const auto& part : unfinished)
    if (seen.contains(part.id)) begun += part.complete_bytes;
  HM_TRY(p_.blobs.check_space(bytes > begun ? bytes - begun : 0));
  event_.files_total += missing.size();
  event_.bytes_total += bytes;
  return missing;
}

void Visit::blob_done(const mirror::WantedBlob& blob, const mirror::BlobOutcome& outcome) {
  report_.bytes_fetched += outcome.fetched_bytes;
  if (outcome.result) {
    const bool came_with_another =
        outcome.fetched_bytes == 0 && blob.size_bytes != 0;  // fetched for a second repository
    ++(came_with_another ? report_.blobs_present : report_.blobs_fetched);
    report_.bytes_verified += blob.size_bytes;
    ++event_.files_done;
    log(LogLevel::Debug, "blob published",
        {{"repo", repo_.text()},
         {"path", blob.path},
         {"sha256", blob.id.hex()},
         {"bytes", std::to_string(blob.size_bytes)},
         {"fetched", std::to_string(outcome.fetched_bytes)}});
  } else {
    failed_.emplace(blob.id, outcome.result.error());
    report_.problems.push_back({blob.path, outcome.result.error()});
  }
  event_.file = blob.path;
  event_.file_bytes_total = blob.size_bytes;
  event_.file_bytes_more = 0;
  event_.file_done = true;
  event_.file_failed = !outcome.result;
  if (progress_) progress_(event_);
}

awaitable<Result<>> Visit::fetch_blobs() {
  tell(Stage::Blobs);
  HM_CO_TRY(auto missing, co_await run_on(p_.git_pool, [this] { return missing_blobs(); }));
  if (missing.empty()) co_return ok();
  tell(Stage::Blobs);
  mirror::DownloadEvents events;
  events.on_bytes = [this](const mirror::WantedBlob& blob, std::uint64_t more) {
    event_.bytes_done += more;
    event_.file = blob.path;
    event_.file_bytes_total = blob.size_bytes;
    event_.file_bytes_more = more;
    event_.file_done = event_.file_failed = false;
    if (progress_) progress_(event_);
  };
  events.on_done = [this](const mirror::WantedBlob& blob, const mirror::BlobOutcome& outcome) {
    blob_done(blob, outcome);
  };
  const std::size_t asked = missing.size();
  HM_CO_TRY(co_await p_.downloader.fetch(repo_, std::move(missing), std::move(events)));
  if (failed_.empty()) co_return ok();
  const Error& first = report_.problems.front().error;
  co_return Error{first.code, std::to_string(failed_.size()) + " of " + std::to_string(asked) +
                                  " large files could not be fetched; the first: " +
                                  printable(report_.problems.front().path) + ": " + first.what};
}

Result<> Visit::publish_targets() {
  std::vector<provenance::PublishedRevision> revisions;
  HM_TRY(const auto repository, mirror::Repository::open(git_path()));
  for (std::size_t i = first_; i < next_; ++i) {
    Target& target = targets_[i];
    HM_TRY(const auto missing, catalog_.missing_blobs(target.plan.manifest));
    target.complete = missing.empty();
    if (!target.complete) {
      for (const auto& file : missing) {
        HM_TRY(const auto stored, p_.blobs.find(file.sha256));
        if (!stored || failed_.contains(file.sha256)) continue;  // not here: why, the fetch has told
        // Two pointers with one digest and different sizes: not both can be true.
        report_.problems.push_back(
            {file.path, Error{Errc::Corrupt, "its pointer states " + std::to_string(file.size_bytes) +
                                                 " bytes, which is not the size of " + file.sha256.hex()}});
      }
      continue;
    }
    provenance::PublishedRevision revision;
    revision.commit = target.commit;
    revision.tree = target.plan.tree;
    const bool known = target.published && is_satisfied_by(*target.published);
    if (!known) {
      HM_TRY(revision.said, read_files(file_reader_, target.plan.manifest, repository, p_.blobs));
    }
    revision.manifest = std::move(target.plan.manifest);
    revision.refs = target.refs;
    revision.left_out_files = target.plan.left_out_files;
    revision.left_out_bytes = target.plan.left_out_bytes;
    if (target.plan.left_out_files != 0)
      revision.selection = request_.large_files == LargeFiles::Present ? kOnDemandSelection : request_.selection.text();
    revision.card_front_matter = provenance::front_matter(target.plan.readme);
    if (known)
      revision.selection = target.published->selection;
    else
      report_.bytes_verified += target.plan.git_bytes_hashed;
    revisions.push_back(std::move(revision));
    report_.published.push_back(target.commit);
  }
  if (revisions.empty()) return ok();
  return p_.recorder.publish(row_.src, key(), revisions);
}

/// @param whole all files of the group are here. Where some are not, the display does not speak of publishing: perhaps
/// nothing can be.
awaitable<Result<>> Visit::publish_group(bool whole) {
  if (whole)
    tell(Stage::Publish);
  else
    account(Stage::Publish);
  HM_CO_TRY(co_await run_on(p_.git_pool, [this] { return publish_targets(); }));
  co_return ok();
}

/// Names of what was to be published and is not, and those under which something else is published: they go on naming
/// what they did, in git as in the index. Upstream may have moved on since a commit was chosen.
Result<std::set<std::string>> Visit::refs_held_back() const {
  std::set<std::string> out;
  HM_TRY(const auto published, catalog_.refs(key()));
  for (const storage::RefRow& row : published) {
    const auto now = seen_.refs.find(row.ref);
    if (now != seen_.refs.end() && now->second != row.target) out.insert(row.ref);
  }
  for (const Target& target : targets_) {
    if (target.complete || target.published) continue;
    for (const auto& [ref, oid] : target.refs) out.insert(ref);
  }
  return out;
}

// Upstream's names as they are now; what a moved or deleted name meant before stays reachable under refs/hubmirror/.
Result<> Visit::move_refs_in(const std::string& path) {
  HM_TRY(auto repository, mirror::Repository::open(path));
  HM_TRY(const std::set<std::string> held_back, refs_held_back());
  HM_TRY(const auto local, repository.refs());
  std::vector<std::pair<std::string, std::optional<GitOid>>> changes;
  for (const auto& [ref, oid] : local) {
    if (ref.starts_with("refs/hubmirror/")) continue;
    if (ref.starts_with("refs/pr/") && !request_.pull_requests)
      continue;  // fetched by an earlier run that asked for them
    if (held_back.contains(ref)) continue;
    const auto now = seen_.refs.find(ref);
    if (now != seen_.refs.end() && now->second == oid) continue;
    bool kept = false;
    if (now != seen_.refs.end()) {
      auto descends = repository.is_ancestor(oid, now->second);
      kept = descends && descends.assume_value();
    }
    if (!kept) changes.emplace_back(kKeptPrefix + oid.hex(), oid);
    if (now == seen_.refs.end()) changes.emplace_back(ref, std::nullopt);
  }
  for (const auto& [ref, oid] : seen_.refs) {
    if (held_back.contains(ref)) continue;
    if (const auto before = local.find(ref); before == local.end() || before->second != oid)
      changes.emplace_back(ref, oid);
  }
  HM_TRY(keep_published(repository, local, changes));
  return repository.update_refs(changes, seen_.head);
}

/// Somebody may have removed refs of ours: what was published stays reachable while its objects are here.
Result<> Visit::keep_published(const mirror::Repository& repository, mirror::RefMap refs,
                               std::vector<std::pair<std::string, std::optional<GitOid>>>& changes) const {
  for (const auto& [ref, oid] : changes) {
    if (oid)
      refs[ref] = *oid;
    else
      refs.erase(ref);
  }
  HM_TRY(const auto revisions, catalog_.revisions(key()));
  std::vector<GitOid> superseded;
  for (const mirror::RevisionView& view : revisions)
    if (view.refs.empty() && repository.contains(view.snapshot.commit).assume_value())
      superseded.push_back(view.snapshot.commit);
  if (superseded.empty()) return ok();
  HM_TRY(const auto unreached, repository.unreached(superseded, refs));
  for (const GitOid& commit : unreached) changes.emplace_back(kKeptPrefix + commit.hex(), commit);
  return ok();
}

awaitable<Result<>> Visit::move_refs() {
  account(Stage::Git);
  HM_CO_TRY(co_await run_on(p_.git_pool, [this] { return move_refs_in(git_path()); }));
  HM_CO_TRY(auto row, co_await run_on(p_.git_pool, [this] { return catalog_.find(key()); }));
  if (row) report_.row = std::move(*row);
  co_return ok();
}

/// For those who clone from here. What goes wrong costs nobody anything but that.
awaitable<void> Visit::pack_anew() {
  account(Stage::Git);
  const auto outcome = co_await mirror::repack(p_.fs, p_.git_pool, git_path());
  if (!outcome && outcome.error().code != Errc::Cancelled)
    log(LogLevel::Warning, "not packed anew", {{"repo", repo_.text()}, {"why", outcome.error().what}});
  if (outcome && outcome.value().repacked)
    log(LogLevel::Info, "packed anew",
        {{"repo", repo_.text()},
         {"packs", std::to_string(outcome.value().before.packs)},
         {"bytes", std::to_string(outcome.value().after.bytes)}});
}

MirrorReport Visit::finish(std::optional<Error> error) {
  report_.error = std::move(error);
  if (report_.error && report_.error->code == Errc::Cancelled) {  // whatever was being waited for at that moment
    report_.error->what = "interrupted; what is here is kept, the next run goes on with it";
    std::erase_if(report_.problems, [](const FileProblem& p) { return p.error.code == Errc::Cancelled; });
  }
  if (!report_.error && !report_.problems.empty())
    report_.error = Error{report_.problems.front().error.code,
                          printable(report_.problems.front().path) + ": " + report_.problems.front().error.what};
  if (!report_.error) note_filters();
  tell(Stage::Done);
  log(LogLevel::Info, report_.error ? "not complete" : "mirrored",
      {{"repo", repo_.text()},
       {"revisions", std::to_string(report_.published.size())},
       {"bytes", std::to_string(report_.bytes_fetched)},
       {"error", report_.error ? report_.error->what : std::string("-")}});
  return std::move(report_);
}
}  // namespace hm::crawler
