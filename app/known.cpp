#include "app/known.hpp"

#include <algorithm>

#include "app/facts.hpp"
#include "app/output.hpp"
#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"
#include "storage/rows.hpp"

namespace hm::app {
namespace {
/// "" when the field is absent.
std::string texts_of(const json::object& entry, const char* field) {
  const json::value* v = entry.if_contains(field);
  std::string out;
  if (v == nullptr || !v->is_array()) return out;
  for (const json::value& text : v->get_array())
    if (text.is_string()) out += (out.empty() ? "" : ", ") + std::string(text.get_string());
  return out;
}

std::string token_details(const json::object& e) {
  std::string out = (text_of(e, "act") == "grant" ? "granted to " : "taken back from ") + text_of(e, "name");
  for (const char* field : {"repos", "gated", "private"})
    if (const std::string globs = texts_of(e, field); !globs.empty()) out += ", " + std::string(field) + " " + globs;
  if (const std::int64_t expires_ms = number_of(e, "expires"); expires_ms != 0)
    out += ", until " + time_text(expires_ms);
  return out + ", by " + text_of(e, "by");
}

std::string details(const json::object& e, const std::string& type) {
  constexpr std::size_t kCommitShown = 12;
  const std::string commit = text_of(e, "commit").substr(0, kCommitShown);
  if (type == "listed")
    return text_of(e, "vis") + (commit.empty() ? "" : ", commit " + commit) + ", licence " +
           (e.contains("lic") ? texts_of(e, "lic") : "none declared") + (e.contains("dis") ? ", disabled" : "");
  if (type == "moved") return "is now " + text_of(e, "to");
  if (type == "replaced") return "the name was that of " + text_of(e, "kind") + ":" + text_of(e, "was");
  if (type == "gone") return "upstream answers " + std::to_string(number_of(e, "status"));
  if (type == "refs") return text_of(e, "vis") + ", refs changed";
  if (type == "snapshot")
    return "commit " + commit + (text_of(e, "ref").empty() ? "" : " of " + text_of(e, "ref")) + ", " +
           counted(static_cast<std::uint64_t>(number_of(e, "files")), "file") + ", " +
           human_bytes(static_cast<std::uint64_t>(number_of(e, "bytes")));
  if (type == "policy")
    return text_of(e, "act") + " " + text_of(e, "rev") + text_of(e, "commit") + " " + text_of(e, "reason");
  if (type == "digests") return "tensors of file " + text_of(e, "file").substr(0, kCommitShown) + ", commit " + commit;
  if (type == "token") return token_details(e);
  return {};
}
/// The words people use.
std::string_view shown_type(std::string_view type) {
  if (type == "moved") return "renamed";
  if (type == "policy") return "decided";
  if (type == "digests") return "digested";
  if (type == "snapshot") return "published";
  return type;
}

std::uint64_t bytes_of(const storage::SurveyRow& survey) {
  std::uint64_t sum = 0;
  for (const storage::SurveyedFile& file : survey.files) sum += file.size_bytes;
  return sum;
}
json::object files_json(const storage::SurveyRow& survey) {
  json::array files;
  for (const storage::SurveyedFile& file : survey.files) {
    json::object one{{"path", json_text(file.path)}, {"size_bytes", file.size_bytes}};
    if (file.large) one["sha256"] = file.large->hex();
    files.emplace_back(std::move(one));
  }
  return {{"asked_ms", survey.asked_ms}, {"commit", survey.commit.hex()}, {"files", std::move(files)}};
}
}  // namespace

Result<std::optional<provenance::Found>> find_known(const storage::Index& index, const RepoSpec& spec) {
  if (spec.rid) return provenance::find_listed(index, RepoKey{spec.repo.kind, *spec.rid});
  return provenance::find_listed(index, spec.repo);
}

json::object to_json(const provenance::Found& found, const std::optional<storage::SurveyRow>& survey) {
  const auto& f = found.facts;
  json::object out{{"repo", json_text(RepoId{found.key.kind, found.row.name}.text())},
                   {"id", found.key.text()},
                   {"src", json_text(found.row.src)},
                   {"visibility", f.visibility},
                   {"disabled", f.disabled},
                   {"created_ms", f.created_ms},
                   {"modified_ms", f.modified_ms},
                   {"downloads", found.popularity.downloads},
                   {"likes", found.popularity.likes},
                   {"parameters", f.parameters},
                   {"storage_bytes", f.storage_bytes},
                   {"library", json_text(f.library)},
                   {"task", json_text(f.task)},
                   {"licences", texts_json(f.licences)},
                   {"tags", texts_json(f.tags)},
                   {"first_seen_ms", found.row.first_seen_ms},
                   {"changed_ms", found.row.changed_ms},
                   {"gone_status", found.row.gone_status}};
  if (f.head) out["commit"] = f.head->hex();
  json::array bases;
  for (const provenance::Base& base : f.bases) bases.emplace_back(base.key.text());
  out["bases"] = std::move(bases);
  if (survey) out["files"] = files_json(*survey);
  return out;
}

std::string known_text(const provenance::Found& found, const std::optional<storage::SurveyRow>& survey) {
  const auto& f = found.facts;
  std::string out = printable(RepoId{found.key.kind, found.row.name}.text()) +
                    " is known and not mirrored; to copy it: hubmirror mirror " +
                    printable(RepoId{found.key.kind, found.row.name}.text()) + "\n";
  auto line = [&out](const char* label, const std::string& value) {
    constexpr std::size_t kLabelWidth = 14;
    std::string padded = label;
    padded.resize(kLabelWidth, ' ');
    out += "  " + padded + printable(value) + "\n";
  };
  line("id", found.key.text());
  line("upstream", found.row.src);
  line("visibility", f.visibility + (f.disabled ? ", disabled" : "") +
                         (found.row.gone_status != 0 ? ", gone (" + std::to_string(found.row.gone_status) + ")" : ""));
  if (f.head) line("head", f.head->hex());
  line("created", time_text(f.created_ms));
  line("modified", time_text(f.modified_ms));
  line("licence", f.licences.empty() ? "none declared" : joined(f.licences, ", "));
  if (!f.library.empty()) line("library", f.library);
  if (!f.task.empty()) line("task", f.task);
  if (f.parameters != 0) line("parameters", std::to_string(f.parameters));
  if (f.storage_bytes != 0) line("storage", human_bytes(f.storage_bytes));
  line("downloads", std::to_string(found.popularity.downloads) + " in 30 days");
  line("likes", std::to_string(found.popularity.likes));
  for (const provenance::Base& base : f.bases) line("base", base.key.text());
  line("first seen", time_text(found.row.first_seen_ms));
  if (survey)
    line("files", counted(survey->files.size(), "file") + ", " + human_bytes(bytes_of(*survey)) + " at commit " +
                      survey->commit.hex().substr(0, 12) + ", as the Hub told " + time_text(survey->asked_ms));
  return out;
}

std::string entry_text(const storage::JournalEntry& entry) {
  const json::object& e = entry.value;
  const std::string type = text_of(e, "t");
  const auto kind = parse_repo_kind(text_of(e, "kind"));
  std::string shown{shown_type(type)};
  constexpr std::size_t kTypeWidth = 9;
  shown.resize(std::max(shown.size(), kTypeWidth), ' ');
  return time_text(number_of(e, "obs")) + "  " + printable(shown) + "  " +
         printable(RepoId{kind.value_or(RepoKind::Model), text_of(e, "id")}.text()) + "  " +
         printable(details(e, type));
}
}  // namespace hm::app
