// storage/edge_row.hpp: lineage as it is stored: from what a repository is said to be made, under what it is made from.
// Layer 3; values, rows in Family::Edges. docs/formats/index_keys.md
//
// A row is found from its target, so that everything made from one repository lies together; what one repository says
// of itself is read from its own rows. A target is a rid where the Hub gave one, else a name: a name is resolved when
// it is asked for, never when it is written, so the rows do not depend on the order in which repositories became known.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
/// What one repository is to another; values are on disk. The first five have the weights of the target in them.
enum class Relation : std::uint8_t {
  DerivedFrom = 0,  ///< a base, nobody says in which way
  Finetune,
  Adapter,
  Quantized,
  Merge,
  Converted,
  TrainedOn,     ///< model → dataset
  EvaluatedOn,   ///< model → dataset
  SupersededBy,  ///< the target is the newer one
  Uses,          ///< space → model or dataset; remote code of another repository
  FromDataset,   ///< dataset → dataset
  SharesFiles,   ///< a weight file of one is a file of the other, byte for byte
  SharesTensors,
  DistilledFrom,  ///< trained on what the target generates; nothing of its weights
};
inline constexpr int kRelationCount = 14;
std::string_view name_of(Relation relation);  ///< "finetune", "trained-on", …
std::optional<Relation> parse_relation(std::string_view name);
/// Weights, or data, of the target go into what names it: licences and origins travel along.
bool is_lineage(Relation relation);
/// The two lie apart, so that a walk along lineage does not pass what a million spaces use; values are on disk.
enum class EdgeClass : std::uint8_t { Lineage = 0, Other = 1 };
inline EdgeClass class_of(Relation relation) { return is_lineage(relation) ? EdgeClass::Lineage : EdgeClass::Other; }

/// Why an edge is believed, the weakest first; values are on disk.
enum class Evidence : std::uint8_t { Inferred = 0, Declared, Derived, Signed, Identical };
std::string_view name_of(Evidence evidence);  ///< "inferred", …
std::optional<Evidence> parse_evidence(std::string_view name);

/// Who said it: the Hub's listing, or a published revision (its card, its files). Each is written by one who knows
/// nothing of the other.
enum class EdgeOrigin : std::uint8_t { Listing = 1, Snapshot = 2 };

/// What an edge points at.
struct EdgeTarget {
  RepoKind kind = RepoKind::Model;
  std::optional<Rid> rid;
  std::string name;  ///< lower case; "" when there is a rid
  auto operator<=>(const EdgeTarget&) const = default;
};
EdgeTarget target_of(const RepoKey& key);
EdgeTarget target_of(const RepoId& name);

struct EdgeRow {
  EdgeTarget to;
  RepoKey from;
  EdgeOrigin origin = EdgeOrigin::Listing;
  Relation relation = Relation::DerivedFrom;
  Evidence evidence = Evidence::Declared;
  std::string from_name;  ///< as spelled in the listing; "" when only the rows of `from` tell
  auto operator<=>(const EdgeRow&) const = default;
};
inline constexpr std::size_t kEdgeTailBytes = 15;  ///< of a key behind key::edges_to(): who says it, origin, relation
inline constexpr char kEdgesById = 1, kEdgesByName = 2, kFormerNames = 3,
                      kNamedBases = 8;  ///< what keys of rows begin with
namespace key {
std::string edges_to(const EdgeTarget& target, EdgeClass edges);          ///< prefix of all these edges to it
std::string edges_to_stored(std::string_view repo_key, EdgeClass edges);  ///< the same from key::repo() of the target
std::string edge(const EdgeRow& row);
/// A child gives this id for its base and writes this name beside it.
std::string named_base(const RepoId& name, const RepoKey& base, const RepoKey& child);
/// key::edges_to() or key::former_names() of a row; "" when it is not there whole.
std::string_view prefix_of(std::string_view row_key);
/// How long key::edges_to() is of a key in Family::Edges, or of the beginning of one; 0 when it is not there whole.
std::size_t edges_to_bytes(std::string_view edge_key);
/// A name that a repository had before: `<repo>` + name in lower case.
std::string former_name(const RepoKey& repo, std::string_view name);
std::string former_names(const RepoKey& repo);               ///< prefix
std::string former_names_stored(std::string_view repo_key);  ///< the same from key::repo()
/// Of a prefix of edges or of former names: key::repo() of the target, or its name in lower case.
std::string_view target_in(std::string_view prefix);
}  // namespace key
std::string pack_edge(const EdgeRow& row);
/// @param from_name points into `value`
struct EdgeView {
  std::string_view from;  ///< key::repo() of who says it
  EdgeOrigin origin;
  Relation relation;
  Evidence evidence;
  std::string_view from_name;
};
Result<EdgeView> unpack_edge(std::string_view target_prefix, std::string_view key, std::string_view value);
/// From bytes as they are on disk; nullopt when they are no edge.
std::optional<EdgeView> edge_of(std::string_view from, unsigned char origin, unsigned char relation,
                                unsigned char evidence, std::string_view from_name);
/// What its key has behind key::edges_to().
std::string tail_of(const EdgeView& edge);
/// Who is meant by a name that nobody here has, and that edges by id give for their target; of several the one that was
/// made last. @returns Corrupt.
Result<std::optional<RepoKey>> find_named_base(const Index& index, const RepoId& name);
/// All edges until `visit` returns false; those to one target lie together. @returns Corrupt.
Result<> each_edge(const Index& index, const std::function<bool(const EdgeTarget& to, const EdgeView& edge)>& visit);
}  // namespace hm::storage
