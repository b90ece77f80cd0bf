#include "app/facts.hpp"

#include <unordered_map>

#include "app/output.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
/// Sizes of blobs that were looked up: revisions share most of theirs.
class BlobSizes {
 public:
  explicit BlobSizes(const storage::BlobStore& blobs) : blobs_(blobs) {}
  Result<bool> has(const storage::ManifestFile& file) {
    auto it = sizes_.find(file.sha256);
    if (it == sizes_.end()) {
      HM_TRY(const auto size, blobs_.find(file.sha256));
      it = sizes_.emplace(file.sha256, size).first;
    }
    return it->second && *it->second == file.size_bytes;
  }

 private:
  const storage::BlobStore& blobs_;
  std::unordered_map<Sha256, std::optional<std::uint64_t>> sizes_;
};

json::array files_json(const std::vector<storage::ManifestFile>& files) {
  json::array out;
  for (const storage::ManifestFile& file : files) out.emplace_back(to_json(file));
  return out;
}

Result<> fill_revision(const mirror::Catalog& catalog, BlobSizes& sizes, RevisionFacts& revision) {
  HM_TRY(const auto manifest, catalog.manifest(revision.view.snapshot.manifest));
  for (const storage::ManifestFile& file : manifest.files) {
    if (!file.is_lfs) continue;
    HM_TRY(const bool here, sizes.has(file));
    if (!here) revision.missing.push_back(file);
  }
  return ok();
}

json::object to_json(const RevisionFacts& revision) {
  json::object out = storage::to_json(revision.view.snapshot);
  out["refs"] = texts_json(revision.view.refs);
  out["partial"] = revision.view.snapshot.partial();
  out["missing"] = files_json(revision.missing);
  return out;
}
}  // namespace

json::array texts_json(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(json_text(text));
  return out;
}

Result<std::vector<UnpublishedRef>> unpublished_refs(const mirror::Catalog& catalog, const storage::RepoRow& row) {
  std::vector<UnpublishedRef> out;
  if (!row.refs_document) return out;
  HM_TRY(const auto document, catalog.document(*row.refs_document));
  if (!document) return out;
  HM_TRY(const json::value seen, parse_json(*document));
  if (!seen.is_object()) return Error{Errc::Corrupt, "the stored ref list of " + row.repo.text() + " is no object"};
  HM_TRY(const auto refs, catalog.refs({row.repo.kind, row.rid}));
  std::unordered_map<std::string, std::string> published;
  for (const storage::RefRow& ref : refs) published[ref.ref] = ref.target.hex();
  for (const auto& [ref, target] : seen.get_object()) {
    if (!target.is_string()) continue;
    const auto it = published.find(std::string(ref));
    const std::string hex(target.get_string());
    if (it != published.end() && it->second == hex) continue;
    out.push_back({std::string(ref), hex, it == published.end() ? std::string() : it->second});
  }
  return out;
}

/// Not recorded: it follows from what a run takes by itself (crawler/visit.cpp select_targets).
std::string why_unpublished(const storage::RepoRow& row, const UnpublishedRef& ref) {
  const std::string take = "hubmirror mirror " + row.repo.text() + "@" + ref.ref;
  const std::string older =
      ref.published.empty() ? "" : "; published is what it was before, " + ref.published.substr(0, 12);
  if (ref.ref.starts_with("refs/heads/"))
    return "its files are not all here, or only another revision was asked for" + older + "; to take it: " + take;
  const bool pull_request = ref.ref.starts_with("refs/pr/");
  return "by themselves only branches are published, and what else leads to their commits" + older +
         "; to take it: " + take + (pull_request ? " --pull-requests" : "");
}

json::object to_json(const storage::ManifestFile& file) {
  return {{"path", json_text(file.path)},
          {"size_bytes", file.size_bytes},
          {"sha256", file.sha256.hex()},
          {"oid", file.git_oid.hex()},
          {"lfs", file.is_lfs},
          {"mode", file.mode == storage::FileMode::Executable ? "executable"
                   : file.mode == storage::FileMode::Symlink  ? "symlink"
                                                              : "regular"}};
}

Result<RepoFacts> gather_facts(const mirror::Catalog& catalog, const storage::BlobStore& blobs, const RepoSpec& spec,
                               bool with_files) {
  RepoFacts facts;
  HM_TRY(facts.row, catalog.find(spec));
  const RepoKey key{facts.row.repo.kind, facts.row.rid};
  HM_TRY(facts.refs, catalog.refs(key));
  HM_TRY(auto views, catalog.revisions(key));
  std::optional<Commit> only;
  if (spec.revision) {
    HM_TRY(const auto snapshot, catalog.resolve(facts.row, *spec.revision));
    only = snapshot.commit;
  }
  BlobSizes sizes(blobs);
  for (mirror::RevisionView& view : views) {
    if (only && view.snapshot.commit != *only) continue;
    RevisionFacts revision;
    revision.view = std::move(view);
    HM_TRY(fill_revision(catalog, sizes, revision));
    facts.revisions.push_back(std::move(revision));
  }
  HM_TRY(facts.unpublished, unpublished_refs(catalog, facts.row));
  if (!with_files || facts.revisions.empty()) return facts;
  auto snapshot = catalog.resolve(facts.row, spec.revision.value_or(""));
  facts.files_of = snapshot ? snapshot.assume_value() : facts.revisions.front().view.snapshot;
  HM_TRY(facts.files, catalog.manifest(facts.files_of->manifest));
  return facts;
}

json::object shown_json(const storage::RepoRow& row) {
  json::object out = storage::to_json(row);
  out["repo"] = row.repo.text();
  out.erase(
      "info");  // where its documents are kept is the store's own business, and "refs" is taken by the refs themselves
  out.erase("refs");
  return out;
}

json::object to_json(const RepoFacts& facts) {
  json::object out = shown_json(facts.row);
  json::array revisions;
  for (const RevisionFacts& revision : facts.revisions) revisions.emplace_back(to_json(revision));
  out["revisions"] = std::move(revisions);
  json::array refs;
  for (const storage::RefRow& ref : facts.refs) refs.emplace_back(storage::to_json(ref));
  out["refs"] = std::move(refs);
  json::array unpublished;
  for (const UnpublishedRef& ref : facts.unpublished)
    unpublished.emplace_back(json::object{{"ref", json_text(ref.ref)},
                                          {"target", json_text(ref.target)},
                                          {"reason", json_text(why_unpublished(facts.row, ref))}});
  out["refs_not_published"] = std::move(unpublished);
  if (!facts.files_of) return out;
  out["files_of"] = facts.files_of->commit.hex();
  out["files"] = files_json(facts.files.files);
  return out;
}

json::object to_json(const crawler::MirrorReport& report) {
  json::object out;
  out["repo"] = json_text(report.repo.text());
  out["kind"] = std::string(name_of(report.repo.kind));
  out["rid"] = report.row.repo.name.empty() ? json::value(nullptr) : json::value(report.row.rid.text());
  out["complete"] = !report.error && report.problems.empty();
  out["unchanged"] = report.unchanged;
  if (report.error)
    out["error"] =
        json::object{{"code", std::string(name_of(report.error->code))}, {"what", json_text(report.error->what)}};
  else
    out["error"] = nullptr;
  json::array published;
  for (const Commit& commit : report.published) published.emplace_back(commit.hex());
  out["published"] = std::move(published);
  out["blobs"] =
      json::object{{"total", report.blobs_total}, {"fetched", report.blobs_fetched}, {"present", report.blobs_present}};
  out["bytes_fetched"] = report.bytes_fetched;
  out["bytes_verified"] = report.bytes_verified;
  out["git"] = json::object{{"bytes", report.git_bytes}, {"objects", report.git_objects}};
  out["left_out_files"] = report.files_left_out;
  out["left_out_bytes"] = report.bytes_left_out;
  json::array problems;
  for (const crawler::FileProblem& problem : report.problems) {
    problems.emplace_back(json::object{{"path", json_text(problem.path)},
                                       {"code", std::string(name_of(problem.error.code))},
                                       {"what", json_text(problem.error.what)}});
  }
  out["problems"] = std::move(problems);
  json::array remarks;
  for (const mirror::TreeRemark& remark : report.remarks) {
    remarks.emplace_back(
        json::object{{"kind", json_text(remark.kind)}, {"path", json_text(remark.path)}, {"tree", remark.tree.hex()}});
  }
  out["remarks"] = std::move(remarks);
  out["notes"] = texts_json(report.notes);
  out["elapsed_ms"] = report.elapsed_ms;
  json::object stages;
  for (std::size_t i = 0; i < crawler::kStages; ++i) {
    const std::string_view name = crawler::name_of(static_cast<crawler::Stage>(i));
    stages[json::string_view(name.data(), name.size())] = report.stage_ms[i];
  }
  out["stages_ms"] = std::move(stages);
  return out;
}
}  // namespace hm::app
