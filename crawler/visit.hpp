// crawler/visit.hpp: the steps of one repository's visit, each a method; crawler/pipeline.cpp puts them in order.
// Layer 5. Threads: one coroutine on the network executor; blocking parts run on the git pool and touch only what they
// are given.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "crawler/pipeline.hpp"
#include "hub/budgeted_client.hpp"
#include "mirror/snapshot.hpp"

namespace hm::crawler {
/// True for errors after which no other file or repository can succeed either.
bool stops_everything(const Error& error);

class Visit {
 public:
  Visit(Pipeline::Parts& parts, AtWork& at_work, MirrorRequest request,
        std::function<void(const ProgressEvent&)> progress);

  awaitable<Result<>> run();
  MirrorReport finish(std::optional<Error> error);

 private:
  /// A commit to publish, the refs that name it, and its files once planned.
  struct Target {
    Commit commit;
    std::map<std::string, GitOid> refs;
    std::optional<storage::SnapshotRow> published;  ///< what is published of it already
    mirror::RevisionPlan plan;
    bool complete = false;  ///< all blobs are here
  };

  awaitable<Result<>> look();
  awaitable<Result<>> hold();
  awaitable<Result<>> list_refs();
  awaitable<Result<mirror::FetchOutcome>> fetch_objects();
  awaitable<Result<>> pause_after(hub::Backoff& backoff, Error error);
  awaitable<bool> nothing_new();
  awaitable<Result<>> fetch_git();
  awaitable<Result<>> choose_revisions();
  awaitable<Result<>> plan_group();
  awaitable<Result<>> fetch_blobs();
  awaitable<Result<>> publish_group(bool whole);
  awaitable<Result<>> move_refs();
  awaitable<void> pack_anew();

  bool is_published_by_itself(std::string_view ref) const;
  Result<> select_targets(const mirror::Repository& repository);
  Result<std::optional<Commit>> commit_of_request(const mirror::Repository& repository,
                                                  const std::map<std::string, Commit>& commits) const;
  Result<> plan_target(const mirror::Repository& repository, Target& target);
  Result<> use_published(Target& target, const storage::Manifest& manifest);
  bool is_satisfied_by(const storage::SnapshotRow& snapshot) const;
  Result<bool> everything_is_here();
  void see_published(const storage::SnapshotRow& snapshot, const storage::Manifest& manifest);
  void note_filters();
  Result<std::vector<mirror::WantedBlob>> missing_blobs();
  Result<> publish_targets();
  Result<std::set<std::string>> refs_held_back() const;
  Result<> move_refs_in(const std::string& path);
  Result<> keep_published(const mirror::Repository& repository, mirror::RefMap refs,
                          std::vector<std::pair<std::string, std::optional<GitOid>>>& changes) const;
  void account(Stage stage);
  void tell(Stage stage);
  void blob_done(const mirror::WantedBlob& blob, const mirror::BlobOutcome& outcome);
  RepoKey key() const { return {row_.repo.kind, row_.rid}; }
  std::string git_path() const { return p_.dir.git(key()); }

  Pipeline::Parts& p_;
  AtWork& at_work_;
  mirror::Catalog catalog_;
  MirrorRequest request_;
  std::function<void(const ProgressEvent&)> progress_;
  MirrorReport report_;
  ProgressEvent event_;
  std::optional<std::int64_t> stage_since_ms_;
  Stage timed_stage_ = Stage::Visit;
  RepoId repo_;           ///< under upstream's present name
  storage::RepoRow row_;  ///< after the visit was recorded
  AtWork::Hold hold_;     ///< from then on
  mirror::Advertisement seen_;
  hub::BudgetedClient git_client_;
  std::optional<mirror::GitRemote> remote_;
  std::vector<Target> targets_;
  std::size_t first_ = 0, next_ = 0;  ///< the group at work: targets_[first_, next_)
  mirror::BlobFactsCache facts_;
  provenance::FileReader file_reader_;
  std::optional<config::FilterUse> filter_use_;  ///< while all files of all revisions were seen by it
  bool kept_whole_ = false;                      ///< a revision has files that the filters would leave out
  std::unordered_map<storage::BlobId, Error> failed_;
};
}  // namespace hm::crawler
