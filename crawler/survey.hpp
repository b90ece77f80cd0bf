// crawler/survey.hpp: asks the Hub which files a revision has, how large they are and what their digests are, and keeps
// the answer: that much has to be known of a repository before anybody can say what mirroring it costs. One API call.
// Layer 5. Threads: a coroutine on the network executor; reading what is kept blocks on the index.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "hub/api.hpp"
#include "provenance/record.hpp"
#include "storage/index.hpp"
#include "storage/survey_row.hpp"

namespace hm::crawler {
using net::awaitable;

struct Surveyed {
  Surveyed() = default;
  RepoId repo;  ///< by its present name
  RepoKey key;
  storage::SurveyRow row;
  std::string info_json;  ///< the Hub's answer as received
};
/// Asks; stores nothing. @param revision "" = the default branch. @returns NotFound also for a repository without any
/// commit; Gated for one that upstream has disabled; as Api::repo_info().
awaitable<Result<Surveyed>> survey(hub::Api& api, RepoId repo, std::string revision, std::int64_t now_ms);
/// A repository that no listing has told of is recorded as if one had: policies go by what listings tell.
/// @param info_json the Hub's answer as received; "" when it gave none @returns true when that was so.
Result<bool> record_unlisted(const storage::Index& index, provenance::Recorder& recorder, const std::string& src,
                             const RepoKey& key, const RepoId& repo, std::string_view info_json);

inline constexpr std::int64_t kSurveyFreshMs = 10LL * 60'000;  ///< from a plan to its run
inline constexpr std::int64_t kListingsFreshMs = 3'600'000;    ///< listings read lately know of every new commit
/// What is kept, if it still holds: it names a commit, or was asked for within kSurveyFreshMs, or the listings, read
/// within kListingsFreshMs, show the same head. A listing that has shown another head since is believed before all.
Result<std::optional<storage::SurveyRow>> fresh_survey(const storage::Index& index, const std::string& src,
                                                       const RepoKey& repo, std::string_view revision,
                                                       std::int64_t now_ms);
}  // namespace hm::crawler
