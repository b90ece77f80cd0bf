// provenance/licence/lineage.hpp: the graph that licences travel along, as the engine sees it, and what it says about a
// node. Layer 4; values and one interface.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/licence/catalogue.hpp"

namespace hm::provenance::licence {
using NodeId = std::uint32_t;  ///< given by whoever implements Lineage
inline constexpr NodeId kNoNode = std::numeric_limits<NodeId>::max();

enum class Material : std::uint8_t { Model, Dataset, Code, Adapter };
enum class Known : std::uint8_t { Unknown, No, Yes };

/// What a repository says, or was found to be, at the time that is asked about.
struct Claim {
  std::string name;                       ///< "owner/name"
  std::string expression{"NOASSERTION"};  ///< as normalise() makes it; unreadable counts as NOASSERTION
  /// The same, should a list of licences be a choice, as "MIT OR CC-BY-4.0" beside "MIT AND CC-BY-4.0"; "" it cannot
  /// be one. Who receives it is judged by `expression`; whether it fits what it was made from, by both.
  std::string offered{};
  std::string earlier{};  ///< expression that an earlier commit had and this one has not; "" none
  Material material = Material::Model;
  Known has_text = Known::Unknown;    ///< a licence text is in the repository
  Known has_notice = Known::Unknown;  ///< a NOTICE file is in it
};
struct Edge {
  NodeId parent = kNoNode;  ///< kNoNode: named, but not to be found; `source` is all there is
  Relation relation = Relation::Finetune;
  Evidence evidence = Evidence::Declared;
  std::string source{};  ///< where the edge was read: "card base_model: x/y"
};

/// The engine's view of the index. Called from one thread, in no particular order, claims more than once.
class Lineage {
 public:
  virtual ~Lineage() = default;
  virtual Result<Claim> claim(NodeId node) const = 0;
  /// Appends; may name the node itself, the same parent twice, and cycles.
  virtual Result<> parents(NodeId node, std::vector<Edge>& into) const = 0;
};

enum class Severity : std::uint8_t { Warning, Drift, Conflict };
std::string_view name_of(Severity severity);

/// Identifiers of findings; docs/licences.md has a row for each.
enum class RuleId : std::uint8_t {
  NoticeDropped,
  AttributionDropped,
  ShareAlikeLost,
  NonCommercialDropped,
  DerivativeForbidden,
  UseRestrictionsDropped,
  CommunityTermsDropped,
  BaseLicenceUnknown,
  BaseMissing,
  TermsToKeep,
  AgreementVersion,
  Incompatible,
  ParentsExclude,
  OutputsForbidden,
  TrainingDataTerm,
  AppliesInUse,
  NameRule,
  TextMissing,
  NoticeMissing,
  UserCeiling,
  Territory,
  LicenceUnknown,
  LicenceVanished,
  Cycle,
  Truncated,
};
inline constexpr std::array<std::string_view, 25> kRuleNames{"notice-dropped",
                                                             "attribution-dropped",
                                                             "share-alike-lost",
                                                             "non-commercial-dropped",
                                                             "derivative-forbidden",
                                                             "use-restrictions-dropped",
                                                             "community-terms-dropped",
                                                             "base-licence-unknown",
                                                             "base-missing",
                                                             "terms-to-keep",
                                                             "agreement-version",
                                                             "incompatible-licences",
                                                             "parents-exclude",
                                                             "outputs-forbidden",
                                                             "training-data-term",
                                                             "applies-in-use",
                                                             "name-rule",
                                                             "licence-text-missing",
                                                             "notice-missing",
                                                             "user-ceiling",
                                                             "territory",
                                                             "licence-unknown",
                                                             "licence-vanished",
                                                             "lineage-cycle",
                                                             "lineage-truncated"};
inline std::string_view name_of(RuleId rule) { return kRuleNames[static_cast<std::size_t>(rule)]; }

/// One hop upwards: from the node before it to `parent`.
struct Step {
  NodeId parent = kNoNode;
  Relation relation = Relation::Finetune;
  Evidence evidence = Evidence::Declared;
  std::string source, name, expression;  ///< where the edge was read; the parent's name and licence
};
using Path = std::vector<Step>;  ///< from the node that was asked about to the origin; empty: its own licence
struct Finding {
  RuleId rule = RuleId::LicenceUnknown;
  Severity severity = Severity::Warning;
  bool possible = false;                   ///< a conflict that rests on weak evidence: not shown
  Evidence weakest = Evidence::Identical;  ///< on the path, or on both
  std::string clause;                      ///< what travels
  NodeId origin = kNoNode;                 ///< whose clause it is
  std::string origin_name, expression;     ///< of the origin
  Path path;
  Path other_path;  ///< RuleId::ParentsExclude: to the parent that contradicts
};
/// "possible conflict: non-commercial-dropped: no commercial use (CC-BY-NC-4.0 of a/b); path c/d <-finetune declared-
/// a/b".
std::string to_string(const Finding& finding, std::string_view node_name);

enum class Outcome : std::uint8_t { Compatible, Restricted, Unknown, Conflict };
inline constexpr std::array<std::string_view, 4> kOutcomeNames{"compatible", "restricted", "unknown", "conflict"};

/// What holds for a node, without saying why.
struct Summary {
  Outcome outcome = Outcome::Compatible;
  bool possible = false;             ///< Conflict, all of them on weak evidence
  bool truncated = false;            ///< a limit was met: more may hold, the outcome is not better than Unknown
  Flags restricts = 0, demands = 0;  ///< its own and what reaches it over content, outputs and use
  Flags data_restricts = 0;          ///< what its training data say
  std::uint32_t rules = 0;           ///< bit i: a finding with that RuleId is there
  bool operator==(const Summary&) const = default;
};
/// Terms of some ancestor, without saying which.
struct Inherited {
  std::string expression;
  Carry carry = Carry::Content;
  auto operator<=>(const Inherited&) const = default;
};
struct Verdict {
  Summary summary;
  std::string name, expression;      ///< of the node itself
  std::vector<Inherited> inherited;  ///< what ancestors bring, each pair once
  std::vector<Finding> findings;     ///< the most severe first; at most kFindingsMax
  std::size_t findings_left_out = 0;
};
inline constexpr std::size_t kFindingsMax = 1000;  ///< nobody reads more; conflicts come first
inline constexpr std::size_t kDepthMax = 1'000;    ///< hops; real chains have under twenty
}  // namespace hm::provenance::licence
