#include "provenance/licence/judge.hpp"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::licence {
namespace {
/// What a conflict or drift of that row is called.
constexpr std::array<RuleId, kClassNames.size()> kRowRules{
    RuleId::TermsToKeep,         RuleId::NoticeDropped,          RuleId::AttributionDropped,
    RuleId::ShareAlikeLost,      RuleId::ShareAlikeLost,         RuleId::NonCommercialDropped,
    RuleId::DerivativeForbidden, RuleId::UseRestrictionsDropped, RuleId::CommunityTermsDropped,
    RuleId::BaseLicenceUnknown};

std::uint64_t family_mask(const Licence& l) { return l.family_bit == 0 ? 0 : 1ULL << (l.family_bit - 1); }
bool contains(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}
bool same_or_listed(const Licence& base, const Licence& derivative) {
  return base.id == derivative.id || contains(base.derivatives, derivative.id);
}
std::uint64_t pair_of(ExpressionId a, ExpressionId b) { return static_cast<std::uint64_t>(a) << 32 | b; }

std::string_view name_part(std::string_view repo) {
  const auto slash = repo.rfind('/');
  return slash == repo.npos ? repo : repo.substr(slash + 1);
}
/// Copyleft in any class: a derivative may not be under just any licence.
bool binds_licence(const Licence& l) { return (l.demands & demand::kShareAlike) != 0; }
}  // namespace

struct Judge::Work {
  const NodeFacts& node;
  std::span<const Term> terms;
  const Sink& sink;
  Evidence possible_up_to;
  std::uint64_t families = 0;  ///< that reach the node over anything but data
  Summary summary{};
  bool shown_conflict = false, unknown = false;

  void found(RuleId rule, Severity severity, std::string_view clause, std::optional<std::size_t> term,
             std::optional<std::size_t> other = {}, bool doubtful = false) {
    Evidence weakest = term ? terms[*term].weakest : Evidence::Identical;
    if (other) weakest = std::min(weakest, terms[*other].weakest);
    const bool possible = severity == Severity::Conflict && (doubtful || weakest <= possible_up_to);
    if (severity == Severity::Conflict) {
      summary.outcome = Outcome::Conflict;
      shown_conflict = shown_conflict || !possible;
    }
    summary.rules |= 1U << static_cast<unsigned>(rule);
    if (sink) sink({rule, severity, possible, clause, term, other});
  }
};

Judge::Judge(const Catalogue& catalogue) : catalogue_(catalogue) {
  unknown_.id = kNoAssertion;
  unknown_.klass = Class::Unknown;
  for (const Licence& l : catalogue.licences()) {
    const std::string begins = loose(l.name_begins);
    if (!begins.empty() && std::find(name_rules_.begin(), name_rules_.end(), begins) == name_rules_.end())
      name_rules_.push_back(begins);
  }
  for (const std::string_view first : {kNoAssertion, std::string_view("NONE")}) {
    Interned& one = interned_.emplace_back();
    one.text = kNoAssertion;
    make(one, first);
  }
  ids_.emplace(kNoAssertion, 0);
}

const Licence* Judge::licence_of(const std::string& id) const {
  const Licence* known = catalogue_.find(id);
  return known == nullptr ? &unknown_ : known;
}

void Judge::make(Interned& one, std::string_view expression) const {
  std::optional<std::vector<std::vector<Expression>>> choices;
  if (const auto parsed = parse_expression(expression)) choices = alternatives_of(parsed.assume_value());
  if (!choices) choices = {{Expression{}}};
  std::set<std::set<const Licence*>> known;
  for (const auto& choice : *choices) {
    std::vector<const Licence*> all;
    std::set<const Licence*> distinct;
    // An exception only ever permits more; read without it, a verdict errs on the strict side.
    for (const Expression& e : choice)
      if (const Licence* l = licence_of(e.id); distinct.insert(l).second) all.push_back(l);
    if (known.insert(std::move(distinct)).second) one.alternatives.push_back(std::move(all));
  }
  auto burden = [](const std::vector<const Licence*>& all) {
    Flags restricts = 0, demands = 0;
    bool unknown = false;
    for (const Licence* l : all) {
      restricts |= l->restricts;
      demands |= l->demands;
      unknown = unknown || l->klass == Class::Unknown;
    }
    return std::tuple(unknown, std::popcount(restricts), std::popcount(demands));
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i < one.alternatives.size(); ++i)
    if (burden(one.alternatives[i]) < burden(one.alternatives[best])) best = i;
  one.results_free = true;
  for (const Licence* l : one.alternatives[best]) {
    one.restricts |= l->restricts;
    one.demands |= l->demands;
    one.unknown = one.unknown || l->klass == Class::Unknown;
    one.results_free = one.results_free && l->results_free;
  }
  for (const auto& all : one.alternatives)
    for (const Licence* l : all) one.families |= family_mask(*l);
  std::swap(one.alternatives[0], one.alternatives[best]);
}

ExpressionId Judge::intern(std::string_view expression) {
  const auto known = ids_.find(std::string(expression));
  if (known != ids_.end()) return known->second;
  const auto id = static_cast<ExpressionId>(interned_.size());
  Interned one;
  one.text = expression.size() <= kExpressionBytesMax ? printable(expression) : std::string(kNoAssertion);
  make(one, expression);
  interned_.push_back(std::move(one));
  ids_.emplace(expression, id);
  return id;
}

NodeFacts Judge::facts_of(const Claim& claim) {
  NodeFacts facts;
  facts.own = intern(claim.expression);
  facts.offered = claim.offered.empty() ? facts.own : intern(claim.offered);
  const std::string name = loose(name_part(claim.name));
  for (std::size_t i = 0; i < name_rules_.size() && i < 32; ++i)
    if (name.starts_with(name_rules_[i])) facts.names_kept |= 1U << i;
  facts.has_text = claim.has_text;
  facts.has_notice = claim.has_notice;
  facts.vanished = !claim.earlier.empty() && interned_[facts.own].unknown;
  return facts;
}

Judge::Between Judge::between(const Licence& base, const std::vector<const Licence*>& derivative,
                              std::uint64_t families) const {
  const auto row = static_cast<std::size_t>(base.klass);
  std::optional<Between> best;
  bool listed = false;
  for (const Licence* d : derivative) {
    if (contains(base.not_with, d->id)) return {Severity::Conflict, RuleId::Incompatible, &base};
    listed = listed || same_or_listed(base, *d);
    std::size_t column = static_cast<std::size_t>(d->klass);
    bool other_version = false;
    if (d->klass == Class::Unknown) column = kColumnNames.size() - 1;
    if (d->klass == Class::Community) {
      const bool kin = base.family_bit == d->family_bit;
      const bool same = base.klass == Class::Community ? kin : (family_mask(*d) & families) != 0;
      column = same ? 8 : 9;
      other_version = kin && d->id != base.id;
    }
    const Cell cell = catalogue_.rules().table[row][column];
    Between one{std::nullopt, kRowRules[row], &base};
    switch (cell) {
      case Cell::Fine:
        break;
      case Cell::Warning:
        one.severity = Severity::Warning;
        if (base.klass != Class::Unknown) one.rule = RuleId::TermsToKeep;
        break;
      case Cell::Drift:
        one.severity = Severity::Drift;
        break;
      case Cell::Conflict:
        one.severity = Severity::Conflict;
        break;
      case Cell::Listed:
        if (!same_or_listed(base, *d)) one.severity = Severity::Conflict;
        break;
      case Cell::Stricter:
        if ((base.restricts & ~d->restricts) != 0) one.severity = Severity::Conflict;
        break;
      case Cell::Annex:
        if ((d->demands & demand::kUseAnnex) == 0) one.severity = Severity::Conflict;
        break;
    }
    if (!one.severity && other_version) one = {Severity::Warning, RuleId::AgreementVersion, &base};
    if (!best || one.severity < best->severity) best = one;
  }
  const bool copyleft_row = base.klass == Class::WeakCopyleft || base.klass == Class::StrongCopyleft;
  if (binds_licence(base) && !copyleft_row && !listed && best->severity < Severity::Conflict)
    return {Severity::Conflict, RuleId::ShareAlikeLost, &base};
  return *best;
}

/// The publisher of the derivative offers every alternative, so each has to hold; of the base the best may be chosen.
Judge::Between Judge::between(ExpressionId base, ExpressionId derivative, std::uint64_t families) {
  families &= interned_[derivative].families;  // no other can matter
  const PairKey key{pair_of(base, derivative), families};
  if (const auto known = between_.find(key); known != between_.end()) return known->second;
  std::optional<Between> worst;
  for (const auto& offered : interned_[derivative].alternatives) {
    std::optional<Between> best;
    std::unordered_map<const Licence*, Between> of_licence;  // alternatives have most licences in common
    for (const auto& choice : interned_[base].alternatives) {
      std::optional<Between> all;
      for (const Licence* l : choice) {
        const auto [one, is_new] = of_licence.try_emplace(l);
        if (is_new) one->second = between(*l, offered, families);
        if (!all || one->second.severity > all->severity) all = one->second;
      }
      if (!best || all->severity < best->severity) best = all;
    }
    if (!worst || best->severity > worst->severity) worst = best;
  }
  return between_.emplace(key, *worst).first->second;
}

/// No licence of the catalogue would do for both, and one of them wants the whole under its own.
bool Judge::exclude(const Licence& a, const Licence& b) const {
  if (!binds_licence(a) && !binds_licence(b)) return false;
  if (a.klass == Class::Unknown || b.klass == Class::Unknown) return false;
  if (a.klass == Class::NoDerivatives || b.klass == Class::NoDerivatives) return false;  // a conflict by itself
  const std::uint64_t families = family_mask(a) | family_mask(b);
  for (const Licence& l : catalogue_.licences()) {
    const std::vector<const Licence*> alone{&l};
    if (between(a, alone, families).severity < Severity::Conflict &&
        between(b, alone, families).severity < Severity::Conflict)
      return false;
  }
  return true;
}
bool Judge::exclude_each_other(const Licence* a, const Licence* b) {
  const auto [known, is_new] = exclude_licences_.try_emplace(std::minmax(a, b));
  if (is_new) known->second = exclude(*a, *b);
  return known->second;
}
bool Judge::exclude(ExpressionId a, ExpressionId b) {
  const auto [known, is_new] = exclude_.emplace(pair_of(std::min(a, b), std::max(a, b)), true);
  if (!is_new) return known->second;
  for (const auto& left : interned_[a].alternatives) {
    std::unordered_map<const Licence*, bool> clashes;  // with one of `left`; alternatives have most licences in common
    auto clash = [&](const Licence* r) {
      const auto [one, is_first] = clashes.try_emplace(r);
      if (is_first)
        one->second = std::any_of(left.begin(), left.end(), [&](const Licence* l) { return exclude_each_other(l, r); });
      return one->second;
    };
    for (const auto& right : interned_[b].alternatives)
      if (std::none_of(right.begin(), right.end(), clash)) return known->second = false;
  }
  return true;
}

void Judge::judge_limits(Work& work, const Interned& of, std::optional<std::size_t> term) {
  for (const Licence* l : of.alternatives.front()) {
    if ((l->restricts & restriction::kUserCeiling) != 0)
      work.found(RuleId::UserCeiling, Severity::Warning, l->users_max, term);
    if ((l->restricts & restriction::kTerritory) != 0) work.found(RuleId::Territory, Severity::Warning, l->notes, term);
  }
}

void Judge::judge_duties(Work& work, std::size_t i) {
  const Term& term = work.terms[i];
  const Severity lost = term.carry == Carry::Use ? Severity::Warning : Severity::Drift;
  for (const Licence* l : interned_[term.expression].alternatives.front()) {
    if ((l->demands & demand::kName) != 0) {
      const auto rule = std::find(name_rules_.begin(), name_rules_.end(), loose(l->name_begins)) - name_rules_.begin();
      if (rule < 32 && (work.node.names_kept >> rule & 1U) == 0) work.found(RuleId::NameRule, lost, l->name_begins, i);
    }
    if (term.carry != Carry::Content) continue;
    if ((l->demands & demand::kText) != 0 && work.node.has_text == Known::No)
      work.found(RuleId::TextMissing, Severity::Drift, l->name, i);
    if ((l->demands & demand::kNoticeFile) != 0 && work.node.has_notice == Known::No)
      work.found(RuleId::NoticeMissing, Severity::Drift, l->name, i);
  }
}

void Judge::judge_term(Work& work, std::size_t i) {
  const Term& term = work.terms[i];
  const Interned& base = interned_[term.expression];
  if (term.carry == Carry::Data && base.results_free) return;
  const bool binds_outputs = (base.demands & demand::kOutputs) != 0;
  if (term.carry == Carry::Outputs) {
    const bool kin = (base.families & interned_[work.node.own].families) != 0;
    if ((base.restricts & restriction::kOutputs) != 0 && !kin) {
      work.summary.restricts |= base.restricts;
      return work.found(RuleId::OutputsForbidden, Severity::Conflict, base.text, i);
    }
    if (!binds_outputs) return;
  }
  Between one = between(term.expression, work.node.own, work.families);
  bool doubtful = false;
  if (work.node.offered != work.node.own) {
    const Between as_choice = between(term.expression, work.node.offered, work.families);
    doubtful = one.severity < Severity::Conflict && as_choice.severity == Severity::Conflict;
    if (doubtful) one = as_choice;
  }
  if (one.severity) {
    const std::string* clause = &catalogue_.rules().clauses[static_cast<std::size_t>(one.clause_of->klass)];
    if (term.expression == kMissing) one.rule = RuleId::BaseMissing;
    if (*one.severity >= Severity::Drift && term.carry == Carry::Data)
      one = {Severity::Warning, RuleId::TrainingDataTerm, one.clause_of};
    if (*one.severity >= Severity::Drift && term.carry == Carry::Use)
      one = {Severity::Warning, RuleId::AppliesInUse, one.clause_of};
    work.found(one.rule, *one.severity, *clause, i, {}, doubtful);
  }
  if (term.carry == Carry::Data) {
    work.summary.data_restricts |= base.restricts;
    return;
  }
  work.summary.restricts |= base.restricts;
  work.summary.demands |= base.demands;
  work.unknown = work.unknown || base.unknown;
  judge_duties(work, i);
  judge_limits(work, base, i);
}

void Judge::judge_exclusions(Work& work) {
  // One term for each licence, the one that is best shown.
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < work.terms.size(); ++i) {
    if (work.terms[i].carry != Carry::Content) continue;
    const ExpressionId e = work.terms[i].expression;
    const auto same =
        std::find_if(chosen.begin(), chosen.end(), [&](std::size_t c) { return work.terms[c].expression == e; });
    if (same != chosen.end()) {
      if (work.terms[*same].weakest < work.terms[i].weakest) *same = i;
    } else if (chosen.size() < kExclusionMax) {
      chosen.push_back(i);
    } else {
      work.summary.truncated = true;
    }
  }
  for (std::size_t a = 0; a < chosen.size(); ++a)
    for (std::size_t b = a + 1; b < chosen.size(); ++b)
      if (exclude(work.terms[chosen[a]].expression, work.terms[chosen[b]].expression))
        work.found(RuleId::ParentsExclude, Severity::Conflict, "no licence satisfies both", chosen[a], chosen[b]);
}

Summary Judge::judge(const NodeFacts& node, std::span<const Term> terms, const Sink& sink) {
  Work work{node, terms, sink, catalogue_.rules().possible_up_to};
  const Interned& own = interned_[node.own];
  for (const Term& term : terms)
    if (term.carry != Carry::Data) work.families |= interned_[term.expression].families;
  work.summary.restricts = own.restricts;
  work.summary.demands = own.demands;
  work.unknown = own.unknown;
  if (own.unknown) work.found(RuleId::LicenceUnknown, Severity::Warning, "", std::nullopt);
  if (node.vanished) work.found(RuleId::LicenceVanished, Severity::Warning, "", std::nullopt);
  judge_limits(work, own, std::nullopt);
  for (std::size_t i = 0; i < terms.size(); ++i) judge_term(work, i);
  judge_exclusions(work);
  Summary& s = work.summary;
  if (s.outcome == Outcome::Conflict)
    s.possible = !work.shown_conflict;
  else if (work.unknown || s.truncated)
    s.outcome = Outcome::Unknown;
  else if (s.restricts != 0)
    s.outcome = Outcome::Restricted;
  return s;
}
}  // namespace hm::provenance::licence
