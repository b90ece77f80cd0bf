// storage/survey_row.hpp: the files of one revision as the Hub told them, of a repository that need not be mirrored.
// Layer 3; values, rows in Family::Surveys under key::repo() + revision. docs/formats/index_keys.md
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
struct SurveyedFile {
  std::string path;
  std::uint64_t size_bytes = 0;
  std::optional<Sha256> large;  ///< digest, when LFS keeps it; else git does
  bool operator==(const SurveyedFile&) const = default;
};
struct SurveyRow {
  std::string name;  ///< of the repository when it was asked for
  Commit commit;
  std::int64_t asked_ms = 0;        ///< POSIX: when the Hub was asked
  std::vector<SurveyedFile> files;  ///< as the Hub told them: nothing of it is verified
  bool operator==(const SurveyRow&) const = default;
};
std::string pack_survey(const SurveyRow& row);
Result<SurveyRow> unpack_survey(std::string_view bytes);  ///< @returns Corrupt

/// @param revision as it was asked for; "" = the default branch
std::string survey_key(const RepoKey& repo, std::string_view revision);
/// Takes the place of what the Hub told before of that revision; also which repositories have which files.
Result<> put_survey(const Index& index, Batch& batch, const RepoKey& repo, std::string_view revision,
                    const SurveyRow& row);
/// All of Family::SurveyFiles anew, for a rebuild.
Result<> derive_survey_files(Index& index);
Result<std::optional<SurveyRow>> find_survey(const Index& index, const RepoKey& repo, std::string_view revision);
}  // namespace hm::storage
