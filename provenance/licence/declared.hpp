// provenance/licence/declared.hpp: what a repository says of its licence, as far as the index knows it: the Hub's
// listing, the card and the files of the revision that is published here, and what both said before. Layer 4. Threads:
// safe; calls block on the index. docs/licences.md
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/licence/lineage.hpp"
#include "provenance/licence/normalise.hpp"
#include "storage/index.hpp"

namespace hm::provenance::licence {
/// One state of a history.
struct Said {
  std::string expression;
  std::int64_t seen_ms = 0;  ///< POSIX: when it was first seen
  std::string commit;        ///< 40 hex digits; "" when a listing gave none
};
struct Declaration {
  std::string name;        ///< "owner/name" as spelled upstream
  bool published = false;  ///< card and files of a revision were looked at, not the listing alone
  std::string commit;      ///< of that revision
  Normalised said;
  std::string listed;  ///< expression of the newest listing; "" when no listing told of it
  /// The same of the card alone, without license_name, texts and claims: what can be compared with a listing.
  std::string card;
  bool listing_is_newer = false;  ///< it is of another commit than the one that is published
  Material material = Material::Model;
  Known has_text = Known::Unknown, has_notice = Known::Unknown;
  std::uint64_t unread = 0;  ///< files that would have been read, and were not
  /// With History::Read: oldest first up to the present one, each other than its neighbour.
  std::vector<Said> listings, commits;
  /// The newest licence that was said before, when none is said now.
  std::string earlier() const;
};
Claim claim_of(const Declaration& declaration);

enum class History : std::uint8_t { Skip, Read };
inline constexpr std::size_t kHistoryMax = 1'000;  ///< journal entries, and revisions, that are looked back over

class DeclarationReader {
 public:
  /// Both outlive it.
  DeclarationReader(const storage::Index& index, const Catalogue& catalogue) : index_(index), catalogue_(catalogue) {}
  /// nullopt: nobody told of this repository. @returns Corrupt.
  Result<std::optional<Declaration>> read(const RepoKey& key, History history) const;

 private:
  const storage::Index& index_;
  const Catalogue& catalogue_;
};
}  // namespace hm::provenance::licence
