// provenance/licence/judge.hpp: what follows for one node from its own licence and the terms that reach it. Layer 4;
// remembers what it has judged, so one thread at a time. Both uses of the engine stand on it, which is why they agree.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "provenance/licence/catalogue.hpp"
#include "provenance/licence/lineage.hpp"

namespace hm::provenance::licence {
using ExpressionId = std::uint32_t;               ///< of a Judge; 0 is NOASSERTION
inline constexpr ExpressionId kMissing = 1;       ///< a parent that is named and cannot be found
inline constexpr std::size_t kExclusionMax = 64;  ///< licences compared in pairs at one node

/// Terms of some ancestor, as they reach a node.
struct Term {
  ExpressionId expression = 0;
  Carry carry = Carry::Content;
  Evidence weakest = Evidence::Identical;
  auto operator<=>(const Term&) const = default;
};
/// What of a claim matters; equal facts and equal terms give equal summaries.
struct NodeFacts {
  ExpressionId own = 0;
  ExpressionId offered = 0;      ///< `own`, unless a list of licences may be a choice
  std::uint32_t names_kept = 0;  ///< bit i: the name begins as name rule i wants
  Known has_text = Known::Unknown, has_notice = Known::Unknown;
  bool vanished = false;
  auto operator<=>(const NodeFacts&) const = default;
};

class Judge {
 public:
  explicit Judge(const Catalogue& catalogue);  ///< refers to it
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;
  ExpressionId intern(std::string_view expression);
  NodeFacts facts_of(const Claim& claim);
  const std::string& text_of(ExpressionId id) const { return interned_[id].text; }
  /// What one may choose from; the first asks for least. Licences without an entry have Class::Unknown.
  const std::vector<std::vector<const Licence*>>& alternatives(ExpressionId id) const {
    return interned_[id].alternatives;
  }
  const Catalogue& catalogue() const { return catalogue_; }

  /// Called for each finding: its rule, severity, whether it is only possible, the clause, the term behind it (nullopt:
  /// the node's own licence) and, for RuleId::ParentsExclude, the other one. Indices into `terms`.
  struct Found {
    RuleId rule = RuleId::LicenceUnknown;
    Severity severity = Severity::Warning;
    bool possible = false;
    std::string_view clause;
    std::optional<std::size_t> term, other;
  };
  using Sink = std::function<void(const Found&)>;
  Summary judge(const NodeFacts& node, std::span<const Term> terms, const Sink& sink = {});

 private:
  /// An expression, multiplied out.
  struct Interned {
    std::string text;
    std::vector<std::vector<const Licence*>> alternatives;  ///< the first asks for least
    Flags restricts = 0, demands = 0;                       ///< of the first alternative
    std::uint64_t families = 0;                             ///< of all, one bit each
    bool unknown = false, results_free = false;
  };
  struct Between {
    std::optional<Severity> severity;  ///< nullopt: fine
    RuleId rule = RuleId::TermsToKeep;
    const Licence* clause_of = nullptr;
  };
  const Licence* licence_of(const std::string& id) const;
  void make(Interned& one, std::string_view expression) const;
  Between between(const Licence& base, const std::vector<const Licence*>& derivative, std::uint64_t families) const;
  Between between(ExpressionId base, ExpressionId derivative, std::uint64_t families);
  bool exclude(ExpressionId a, ExpressionId b);
  bool exclude(const Licence& a, const Licence& b) const;
  bool exclude_each_other(const Licence* a, const Licence* b);  ///< exclude(), remembered

  struct Work;  ///< one call of judge()
  void judge_term(Work& work, std::size_t i);
  void judge_duties(Work& work, std::size_t i);
  void judge_limits(Work& work, const Interned& of, std::optional<std::size_t> term);
  void judge_exclusions(Work& work);

  const Catalogue& catalogue_;
  Licence unknown_;
  std::vector<std::string> name_rules_;  ///< distinct beginnings, loose; bit i of NodeFacts::names_kept
  std::vector<Interned> interned_;
  std::unordered_map<std::string, ExpressionId> ids_;
  struct PairKey {
    std::uint64_t pair, families;
    bool operator==(const PairKey&) const = default;
  };
  struct PairHash {
    std::size_t operator()(const PairKey& k) const {
      return (k.pair * 0x9E3779B97F4A7C15ULL) ^ (k.families * 0xC2B2AE3D27D4EB4FULL);
    }
  };
  std::unordered_map<PairKey, Between, PairHash> between_;
  std::unordered_map<std::uint64_t, bool> exclude_;
  std::map<std::pair<const Licence*, const Licence*>, bool> exclude_licences_;
};
}  // namespace hm::provenance::licence
