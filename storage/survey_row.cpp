#include "storage/survey_row.hpp"

#include <map>

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/json_fields.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
std::string pack_survey(const SurveyRow& row) {
  json::array files;
  files.reserve(row.files.size());
  for (const SurveyedFile& file : row.files) {
    json::array item{file.path, file.size_bytes};
    if (file.large) item.emplace_back(file.large->hex());
    files.emplace_back(std::move(item));
  }
  auto text = canonical_json(json::object{
      {"asked", row.asked_ms}, {"commit", row.commit.hex()}, {"files", std::move(files)}, {"name", row.name}});
  HM_CHECK(text.has_value());  // paths came out of JSON, so they are UTF-8
  return std::move(text).assume_value();
}

Result<SurveyRow> unpack_survey(std::string_view bytes) {
  const Error corrupt{Errc::Corrupt, "what a Hub told of a repository's files is stored in a form that nobody writes"};
  auto parsed = parse_json(bytes);
  if (!parsed || !parsed.assume_value().is_object()) return corrupt;
  const json::object& object = parsed.assume_value().get_object();
  SurveyRow row;
  row.name = text_of(object, "name");
  row.asked_ms = number_of(object, "asked");
  const auto commit = Commit::parse(text_of(object, "commit"));
  const json::value* files = object.if_contains("files");
  if (!commit || files == nullptr || !files->is_array()) return corrupt;
  row.commit = *commit;
  for (const json::value& item : files->get_array()) {
    if (!item.is_array() || item.get_array().size() < 2) return corrupt;
    const json::array& fields = item.get_array();
    if (!fields[0].is_string() || !fields[1].is_number()) return corrupt;
    SurveyedFile file;
    file.path = std::string(fields[0].get_string());
    boost::system::error_code not_a_size;
    file.size_bytes = fields[1].to_number<std::uint64_t>(not_a_size);
    if (not_a_size) return corrupt;
    if (fields.size() > 2) {
      file.large = fields[2].is_string() ? Sha256::parse(fields[2].get_string()) : std::nullopt;
      if (!file.large) return corrupt;
    }
    row.files.push_back(std::move(file));
  }
  return row;
}

std::string survey_key(const RepoKey& repo, std::string_view revision) { return key::repo(repo).append(revision); }

namespace {
/// Large files only: of the others the Hub does not tell the digest. One that is there twice is found under one path.
std::map<std::string, std::string> file_rows(const RepoKey& repo, std::string_view revision, const SurveyRow& row) {
  std::map<std::string, std::string> out;
  for (const SurveyedFile& file : row.files)
    if (file.large) out.emplace(key::survey_file(*file.large, repo, revision), key::u64(file.size_bytes) + file.path);
  return out;
}

/// One that cannot be read is as good as none: the Hub can be asked again.
std::optional<SurveyRow> readable(const RepoKey& repo, std::string_view bytes) {
  auto row = unpack_survey(bytes);
  if (row) return std::move(row).value();
  log(LogLevel::Warning, "what a Hub told of a repository's files cannot be read; it counts as never told",
      {{"repository", repo.text()}});
  return std::nullopt;
}
}  // namespace

Result<> put_survey(const Index& index, Batch& batch, const RepoKey& repo, std::string_view revision,
                    const SurveyRow& row) {
  HM_TRY(const auto bytes, index.get(Family::Surveys, survey_key(repo, revision)));
  const auto before = bytes ? readable(repo, *bytes) : std::nullopt;
  auto rows = file_rows(repo, revision, row);
  if (before)
    for (const auto& [k, value] : file_rows(repo, revision, *before))
      if (!rows.contains(k)) batch.remove(Family::SurveyFiles, k);
  for (auto& [k, value] : rows) batch.put(Family::SurveyFiles, k, std::move(value));
  batch.put(Family::Surveys, survey_key(repo, revision), pack_survey(row));
  return ok();
}

Result<> derive_survey_files(Index& index) {
  constexpr std::size_t kBatchChanges = 10'000;
  Batch batch;
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Surveys, {}, [&](std::string_view k, std::string_view bytes) {
    outcome = [&]() -> Result<> {
      const auto repo = key::parse_repo(k);
      if (!repo) return Error{Errc::Corrupt, "the index holds a survey under a malformed key"};
      const auto row = readable(*repo, bytes);
      if (!row) return ok();
      for (auto& [file_key, value] : file_rows(*repo, k.substr(key::repo(*repo).size()), *row))
        batch.put(Family::SurveyFiles, file_key, std::move(value));
      if (batch.changes().size() < kBatchChanges) return ok();
      HM_TRY(index.commit(batch));
      batch = Batch{};
      return ok();
    }();
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  return index.commit(batch);
}

Result<std::optional<SurveyRow>> find_survey(const Index& index, const RepoKey& repo, std::string_view revision) {
  HM_TRY(const auto bytes, index.get(Family::Surveys, survey_key(repo, revision)));
  if (!bytes) return std::optional<SurveyRow>();
  HM_TRY(SurveyRow row, unpack_survey(*bytes));
  return std::optional(std::move(row));
}
}  // namespace hm::storage
