#include "storage/key_space.hpp"

#include "base/check.hpp"
#include "base/text.hpp"

namespace hm::storage {
std::string_view name_of(Family family) {
  switch (family) {
    case Family::Meta:
      return "meta";
    case Family::Journal:
      return "journal";
    case Family::Documents:
      return "documents";
    case Family::Manifests:
      return "manifests";
    case Family::Tasks:
      return "tasks";
    case Family::Listings:
      return "listings";
    case Family::Popularity:
      return "popularity";
    case Family::Surveys:
      return "surveys";
    case Family::Generations:
      return "generations";
    case Family::Names:
      return "names";
    case Family::Repos:
      return "repos";
    case Family::Refs:
      return "refs";
    case Family::Snapshots:
      return "snapshots";
    case Family::BlobRefs:
      return "blob_refs";
    case Family::Columns:
      return "columns";
    case Family::ColumnTexts:
      return "column_texts";
    case Family::Edges:
      return "edges";
    case Family::SurveyFiles:
      return "survey_files";
    case Family::Tensors:
      return "tensors";
  }
  return "unknown";
}

bool is_derived(Family family) { return family >= Family::Names; }

namespace key {
namespace {
constexpr std::size_t kRidBytes = 12;
static_assert(kRepoKeyBytes == 1 + kRidBytes);
}  // namespace

std::string u64(std::uint64_t value) {
  std::string out(8, '\0');
  for (std::size_t i = 8; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  return out;
}

std::string u32(std::uint32_t value) { return u64(value).substr(4); }

std::optional<std::uint64_t> parse_u64(std::string_view bytes8) {
  if (bytes8.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : bytes8) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

std::string repo(const RepoKey& key) {
  std::array<std::uint8_t, kRidBytes> rid{};
  HM_CHECK(from_hex(key.rid.text(), rid));  // a Rid is 24 hex digits by construction
  std::string out(1, static_cast<char>(key.kind));
  out.append(reinterpret_cast<const char*>(rid.data()), rid.size());
  return out;
}

std::optional<RepoKey> parse_repo(std::string_view bytes) {
  if (bytes.size() < kRepoKeyBytes) return std::nullopt;
  const auto kind = static_cast<unsigned char>(bytes[0]);
  if (kind < static_cast<unsigned char>(RepoKind::Model) || kind > static_cast<unsigned char>(RepoKind::Space))
    return std::nullopt;
  const auto rid = Rid::parse(to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()) + 1, kRidBytes)));
  if (!rid) return std::nullopt;
  return RepoKey{static_cast<RepoKind>(kind), *rid};
}

std::string name(const RepoId& repo) { return std::string(1, static_cast<char>(repo.kind)) + ascii_lower(repo.name); }

std::string ref(const RepoKey& key, std::string_view full_ref) { return repo(key).append(full_ref); }

std::string snapshot(const RepoKey& key, const Commit& commit) { return repo(key).append(commit.view()); }

std::string blob_ref(const Sha256& blob, const RepoKey& key, const Commit& commit) {
  return std::string(blob.view()).append(repo(key)).append(commit.view());
}

std::string survey_file(const Sha256& file, const RepoKey& key, std::string_view revision) {
  return std::string(file.view()).append(repo(key)).append(revision);
}

std::string task(const RepoKey& key, std::string_view what) { return repo(key).append(what); }
}  // namespace key
}  // namespace hm::storage
