#include "server/freshness.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::server {
namespace {
/// What a request is about: nullopt when any state of the repository will do.
std::optional<std::string> revision_asked(const HubPath& path, const PublishedRepo& repo) {
  switch (path.route) {
    case Route::Info:
    case Route::Refs:
    case Route::GitInfoRefs:
      return "";
    case Route::Revision:
    case Route::Tree:
    case Route::TreeSize:
    case Route::PathsInfo:
    case Route::Commits:
    case Route::Resolve:
    case Route::Raw:
      return split_revision(repo, path.rest).revision;
    default:
      return std::nullopt;
  }
}

awaitable<Result<bool>> is_here(Published& published, RepoView repo, std::string revision) {
  HM_CO_TRY(const auto commit, co_await published.commit_of(repo, std::move(revision)));
  if (!commit) co_return false;
  HM_CO_TRY(const FilesView files, co_await published.files(repo, *commit));
  co_return files != nullptr;
}

/// What to ask for so that `revision` is answered by the present: "" stands for all branches. Nullopt: it is a commit.
std::optional<std::string> question_for(const PublishedRepo& repo, const std::string& revision, bool here) {
  if (revision.empty() || revision == "HEAD" || revision == repo.row.head) return "";
  if (repo.ref("", revision) == nullptr && repo.ref("refs/tags/", revision) == nullptr) {
    if (repo.ref("refs/heads/", revision) != nullptr) return "";
    if (here) return std::nullopt;  // a commit, or what begins one
  }
  if (revision.starts_with("refs/heads/") && repo.ref("", revision) != nullptr) return "";
  return revision;
}
}  // namespace

awaitable<Result<Fresh>> refresh(const HubParts& parts, const HubPath& path, RepoView repo) {
  const RepoId asked{path.kind, path.name};
  const Fetching& fetching = parts.fetching;
  Fresh out;
  if (!repo) {
    const auto refreshed =
        co_await fetching.on_demand->refresh(asked, std::string(), fetching.max_age_ms, /*at_hand=*/false);
    HM_CO_TRY(repo, co_await parts.published.find(asked));
    if (!refreshed) out.missing = refreshed.error();
    out.repo = repo;
    if (!repo || !refreshed) co_return out;
  }
  out.repo = repo;
  const auto revision = revision_asked(path, *repo);
  if (!revision) co_return out;
  HM_CO_TRY(const bool here, co_await is_here(parts.published, repo, *revision));
  auto question = question_for(*repo, *revision, here);
  if (!question) co_return out;
  const auto refreshed = co_await fetching.on_demand->refresh(asked, *question, fetching.max_age_ms, here);
  HM_CO_TRY(out.repo, co_await parts.published.find(asked));
  if (refreshed) co_return out;
  if (!here && refreshed.error().code != Errc::NotFound) out.missing = refreshed.error();
  if (here)
    log(LogLevel::Info, "served without asking upstream", {{"repo", asked.text()}, {"why", refreshed.error().what}});
  co_return out;
}
}  // namespace hm::server
