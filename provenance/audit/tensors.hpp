// provenance/audit/tensors.hpp: with whom a repository shares tensors, and what that proves. Layer 4. Threads: safe;
// calls block on the index. docs/formats/model_files.md
#pragma once
#include <cstdint>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// What the shared part of the smaller model's weights proves.
enum class Kinship : std::uint8_t {
  Same,     ///< all of it: the same weights, in whatever files and format
  Derived,  ///< half of it or more: one was made from the other, or both from a third
  Part,     ///< less: a frozen encoder, embeddings; proves that part and no parenthood
};
/// What listings, cards and files say of the two.
enum class Declared : std::uint8_t {
  Nothing,
  Ancestor,    ///< the other one is an ancestor
  Descendant,  ///< the other one is a descendant
  Relatives,   ///< both name a common ancestor
};
/// Which of the two repositories was made first, upstream.
enum class Order : std::uint8_t { Unknown, OtherFirst, OtherLater };

struct SharedWith {
  RepoKey other;
  Commit own_commit, other_commit;  ///< the published revisions that were compared
  std::uint64_t common_bytes = 0;   ///< of the smaller model, found in the other one
  std::uint64_t smaller_bytes = 0;  ///< of the smaller model's evidence
  std::uint64_t tensors = 0;        ///< shared
  std::uint64_t by_cast = 0;        ///< of them, equal only after rounding from F32
  Kinship kinship = Kinship::Part;
  Declared declared = Declared::Nothing;
  Order order = Order::Unknown;
  /// From the one that came later, or declares the other, to the other: relation SharesTensors, evidence Identical, the
  /// share in words. Where neither is known, from the repository that was asked for.
  lineage::Edge edge;
  /// The other one may be a parent that nobody named: kin, unexplained by what is declared, and not known to be
  /// younger.
  bool may_be_undeclared_parent() const {
    return kinship != Kinship::Part && declared == Declared::Nothing && order != Order::OtherLater;
  }
};
inline constexpr std::size_t kSharersMax = 200;  ///< compared exactly; those with most shared bytes
/// Files that one tensor brings as candidates. What more have, a frozen encoder of thousands, decides nothing: kin have
/// other tensors in common too.
inline constexpr std::size_t kFilesOfTensorMax = 4'000;

/// Compares the newest revision with digests with those of others. The most shared bytes first. Empty when nothing is
/// shared, and when has_tensor_digests() is false.
Result<std::vector<SharedWith>> who_shares_tensors(const storage::Index& index, const RepoKey& key);
/// Whether a published revision of the repository has a model file with digests: `hubmirror digest` makes them.
Result<bool> has_tensor_digests(const storage::Index& index, const RepoKey& key);
}  // namespace hm::provenance::audit
