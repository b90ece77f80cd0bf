// storage/key_space.hpp: every column family and every key form of the index, once. Layer 3; pure functions.
// docs/formats/index_keys.md Integers in keys are big-endian, so that byte order is number order. <repo> = kind (1
// byte) + rid (12 bytes) = 13 bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/ids.hpp"

namespace hm::storage {
/// Facts: journal, documents, manifests, tasks, listings, popularity, surveys, generations. Derived, and rebuilt from
/// the facts: names, repos, refs, snapshots, blob_refs, columns, column_texts, edges, survey_files,
/// tensors.
enum class Family : std::uint8_t {
  Meta,
  Journal,
  Documents,
  Manifests,
  Tasks,
  Listings,
  Popularity,
  Surveys,
  Generations,
  Names,
  Repos,
  Refs,
  Snapshots,
  BlobRefs,
  Columns,
  ColumnTexts,
  Edges,
  SurveyFiles,
  Tensors
};
inline constexpr int kFamilyCount = 19;
/// Meta: there while the derived families are not complete, because a rebuild has not come to its end or is still to
/// come.
inline constexpr char kRebuildMark[] = "rebuild";
std::string_view name_of(Family family);
bool is_derived(Family family);

inline constexpr std::size_t kRepoKeyBytes = 13;  ///< of key::repo()

namespace key {
std::string u64(std::uint64_t value);
std::optional<std::uint64_t> parse_u64(std::string_view bytes8);
std::string u32(std::uint32_t value);
std::string repo(const RepoKey& key);  ///< Repos and Listings, and the prefix of Refs and Snapshots
std::optional<RepoKey> parse_repo(std::string_view bytes);       ///< reads the first kRepoKeyBytes
std::string name(const RepoId& repo);                            ///< Names: kind byte + lowercased name
std::string ref(const RepoKey& key, std::string_view full_ref);  ///< Refs: repo + full ref name
std::string snapshot(const RepoKey& key, const Commit& commit);  ///< Snapshots: repo + commit (20 bytes)
std::string blob_ref(const Sha256& blob, const RepoKey& key,
                     const Commit& commit);  ///< BlobRefs: blob (32) + repo (13) + commit (20)
std::string survey_file(const Sha256& file, const RepoKey& key,
                        std::string_view revision);           ///< SurveyFiles: file (32) + repo (13) + revision
std::string task(const RepoKey& key, std::string_view what);  ///< Tasks: repo + what
}  // namespace key
}  // namespace hm::storage
