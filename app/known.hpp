// app/known.hpp: what is shown of a repository that listings told of, mirrored or not. Layer 6; values.
#pragma once
#include <optional>
#include <string>

#include "base/canonical_json.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/selection.hpp"
#include "storage/index.hpp"
#include "storage/journal.hpp"
#include "storage/survey_row.hpp"

namespace hm::app {
/// The listing of a repository by its present or an earlier name, or by its id; nullopt when no listing named it.
Result<std::optional<provenance::Found>> find_known(const storage::Index& index, const RepoSpec& spec);
/// @param survey the files that the Hub told, when it was asked for them
json::object to_json(const provenance::Found& found, const std::optional<storage::SurveyRow>& survey = std::nullopt);
std::string known_text(const provenance::Found& found, const std::optional<storage::SurveyRow>& survey);
/// One line: "2026-11-20 15:20:00  renamed  org/old -> org/new".
std::string entry_text(const storage::JournalEntry& entry);
}  // namespace hm::app
