#include "crawler/survey.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "crawler/listers/traits.hpp"
#include "provenance/listing.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::crawler {
namespace {
storage::SurveyedFile file_of(const hub::Sibling& sibling) {
  storage::SurveyedFile file{sibling.rfilename, sibling.size_bytes.value_or(0), std::nullopt};
  if (!sibling.lfs) return file;
  file.size_bytes = sibling.lfs->size_bytes;
  file.large = sibling.lfs->oid;
  return file;
}
bool says_sizes(const hub::RepoInfo& info) {
  return info.siblings_given && std::all_of(info.siblings.begin(), info.siblings.end(), [](const hub::Sibling& s) {
           return s.size_bytes.has_value() || s.lfs.has_value();
         });
}

/// What the newest listing says of the head.
struct ListedHead {
  std::optional<Commit> head;
  std::int64_t changed_ms = 0;  ///< when the listing was last seen to have changed
  bool lately = false;          ///< the listings were read lately, so a change would have been seen
};
Result<ListedHead> listed_head(const storage::Index& index, const std::string& src, const RepoKey& repo,
                               std::int64_t now_ms) {
  ListedHead out;
  HM_TRY(const auto row, storage::find_listing(index, repo));
  if (!row || row->src != src) return out;
  HM_TRY(const json::value facts, parse_json(row->facts));
  if (facts.is_object()) out.head = provenance::read_facts(facts.get_object()).head;
  out.changed_ms = row->changed_ms;
  HM_TRY(const auto mark, index.get(storage::Family::Meta, crawl_key(src, repo.kind, "tail")));
  const auto read_ms = mark ? storage::key::parse_u64(*mark) : std::nullopt;
  out.lately = read_ms && static_cast<std::int64_t>(*read_ms) >= now_ms - kListingsFreshMs;
  return out;
}
}  // namespace

awaitable<Result<Surveyed>> survey(hub::Api& api, RepoId repo, std::string revision, std::int64_t now_ms) {
  std::optional<std::string> wanted;
  if (!revision.empty()) wanted = revision;
  HM_CO_TRY(hub::RepoInfo info, co_await api.repo_info(repo, std::move(wanted), true));
  if (!is_valid_repo_name(info.id))
    co_return Error(Errc::BadInput, "upstream answers with the name \"" + printable(info.id.substr(0, 200)) +
                                        "\", which no repository can have");
  Surveyed out;
  out.repo = {repo.kind, info.id};
  out.key = {repo.kind, info.rid ? *info.rid : derived_rid(api.upstream().host_port(), out.repo)};
  if (info.disabled) co_return Error(Errc::Gated, "upstream has disabled this repository");
  if (!info.sha) co_return Error(Errc::NotFound, out.repo.text() + " has no commit yet");
  out.row.name = info.id;
  out.row.commit = *info.sha;
  out.row.asked_ms = now_ms;
  out.info_json = std::move(info.raw);
  if (says_sizes(info)) {
    for (const hub::Sibling& sibling : info.siblings) out.row.files.push_back(file_of(sibling));
    co_return std::move(out);
  }
  // An upstream that names files without their sizes: its trees say them.
  std::function<Result<>(const hub::TreeEntry&)> add = [&out](const hub::TreeEntry& entry) -> Result<> {
    if (entry.type != hub::EntryType::File) return ok();
    storage::SurveyedFile file{entry.path, entry.size_bytes, std::nullopt};
    if (entry.lfs) file.size_bytes = entry.lfs->size_bytes, file.large = entry.lfs->oid;
    out.row.files.push_back(std::move(file));
    return ok();
  };
  HM_CO_TRY(co_await api.tree(out.repo, out.row.commit.hex(), true, std::move(add)));
  co_return std::move(out);
}

Result<bool> record_unlisted(const storage::Index& index, provenance::Recorder& recorder, const std::string& src,
                             const RepoKey& key, const RepoId& repo, std::string_view info_json) {
  HM_TRY(const auto row, storage::find_listing(index, key));
  if (row || info_json.empty()) return false;
  HM_TRY(json::value info, parse_json(info_json));
  if (!info.is_object()) return false;
  info.get_object().erase("siblings");  // files are the survey's
  const provenance::Listing seen = provenance::read_listing(repo, key.rid, std::move(info.get_object()));
  HM_TRY(recorder.record_listing(src, {seen}, std::nullopt, {}));
  return true;
}

Result<std::optional<storage::SurveyRow>> fresh_survey(const storage::Index& index, const std::string& src,
                                                       const RepoKey& repo, std::string_view revision,
                                                       std::int64_t now_ms) {
  HM_TRY(auto row, storage::find_survey(index, repo, revision));
  if (!row || is_commit_hex(revision)) return row;
  const bool asked_lately = row->asked_ms <= now_ms && row->asked_ms > now_ms - kSurveyFreshMs;
  bool holds = asked_lately;
  if (revision.empty()) {
    HM_TRY(const ListedHead listed, listed_head(index, src, repo, now_ms));
    if (listed.head == row->commit)
      holds = asked_lately || listed.lately;
    else if (listed.head && listed.changed_ms > row->asked_ms)
      holds = false;
  }
  if (!holds) row.reset();
  return row;
}
}  // namespace hm::crawler
