#include "storage/survey_row.hpp"

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/json_fields.hpp"
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
    file.size_bytes = fields[1].to_number<std::uint64_t>();
    if (fields.size() > 2) {
      file.large = fields[2].is_string() ? Sha256::parse(fields[2].get_string()) : std::nullopt;
      if (!file.large) return corrupt;
    }
    row.files.push_back(std::move(file));
  }
  return row;
}

std::string survey_key(const RepoKey& repo, std::string_view revision) { return key::repo(repo).append(revision); }

Result<std::optional<SurveyRow>> find_survey(const Index& index, const RepoKey& repo, std::string_view revision) {
  HM_TRY(const auto bytes, index.get(Family::Surveys, survey_key(repo, revision)));
  if (!bytes) return std::optional<SurveyRow>();
  HM_TRY(SurveyRow row, unpack_survey(*bytes));
  return std::optional(std::move(row));
}
}  // namespace hm::storage
