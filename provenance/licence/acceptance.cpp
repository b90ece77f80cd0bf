#include "provenance/licence/acceptance.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "config/toml_reading.hpp"

namespace hm::provenance::licence {
namespace {
using Decision = Acceptance::Decision;

/// A policy before its words are understood.
struct Written {
  LicencePolicy policy;
  std::vector<std::string> restrictions, duties;
  std::string data = "ignore", possible = "undecided", drift = "accept";
};
template <class Visit>
void each_key(Written& w, Visit&& visit) {
  using enum config::Form;
  visit("policy", "description", w.policy.description, config::Rule{});
  visit("policy", "refuse_restrictions", w.restrictions, config::Rule{});
  visit("policy", "refuse_duties", w.duties, config::Rule{});
  visit("policy", "refuse_licences", w.policy.refuse_licences, config::Rule{});
  visit("policy", "accept_licences", w.policy.accept_licences, config::Rule{});
  visit("policy", "training_data", w.data, config::Rule{Choice, {}, 0, 0, {"ignore", "refuse"}});
  visit("policy", "possible_conflict", w.possible, config::Rule{Choice, {}, 0, 0, {"refuse", "undecided", "accept"}});
  visit("policy", "drift", w.drift, config::Rule{Choice, {}, 0, 0, {"refuse", "accept"}});
}

std::string place_of(const config::TomlFile& file, std::string_view key) {
  for (const config::TomlSection& section : file.sections)
    for (const config::TomlKey& k : section.keys)
      if (k.name == key) return k.value_place;
  return {};
}
template <std::size_t N>
Result<Flags> flags_of(const config::TomlFile& file, std::string_view key, const std::array<std::string_view, N>& words,
                       const std::vector<std::string>& given) {
  Flags flags = 0;
  for (const std::string& word : given) {
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end())
      return Error{Errc::BadInput, place_of(file, key) + std::string(key) + " does not know \"" + printable(word) +
                                       "\"" + config::did_you_mean(word, {words.begin(), words.end()})};
    flags |= 1U << (found - words.begin());
  }
  return flags;
}

/// What speaks against one alternative of an expression.
struct Against {
  Decision decision = Decision::Accepted;
  std::string reason;
  void add(Decision d, const std::string& what) {
    if (d > decision) {
      decision = d;
      reason = what;
    } else if (d == decision && d != Decision::Accepted) {
      reason += ", " + what;
    }
  }
};
bool has(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

Against against(const LicencePolicy& policy, const std::vector<const Licence*>& all, bool data) {
  Against out;
  for (const Licence* l : all) {
    if (has(policy.accept_licences, l->id)) continue;
    if (has(policy.refuse_licences, l->id)) out.add(Decision::Refused, l->id);
    if (const Flags bad = l->restricts & policy.refuse_restrictions; bad != 0)
      out.add(Decision::Refused, words_of(bad, kRestrictionNames));
    if (data) continue;  // whether duties of data reach weights is open, and so many data have no licence
    if (const Flags bad = l->demands & policy.refuse_duties; bad != 0)
      out.add(Decision::Refused, words_of(bad, kDemandNames));
    if (l->klass == Class::Unknown) out.add(Decision::Undecided, "no permission is known");
  }
  return out;
}

/// Who knows the Hub's word for a licence is told the section's name.
std::string meant_by(const Catalogue& catalogue, const std::string& id) {
  const Licence* licence = catalogue.by_hub_id(id);
  if (licence == nullptr) licence = catalogue.by_spelling(id);
  return licence == nullptr ? std::string() : "; did you mean \"" + licence->id + "\"?";
}

void weigh(Acceptance& into, Decision decision, std::string reason) {
  if (decision == Decision::Accepted) return;
  if (decision > into.decision) into.reasons.clear();
  if (decision < into.decision) return;
  into.decision = decision;
  into.reasons.push_back(std::move(reason));
}
}  // namespace

Result<LicencePolicy> parse_licence_policy(const Catalogue& catalogue, std::string_view text, std::string_view source) {
  HM_TRY(const config::TomlFile file, config::read_toml(text, source));
  if (!file.outside.empty())
    return Error{Errc::BadInput, file.outside.front().key_place + "\"" + printable(file.outside.front().name) +
                                     "\" stands outside of any [section]; it belongs into [policy]"};
  Written w;
  config::TomlReader reader(w, [](Written& into, auto&& visit) { each_key(into, visit); });
  HM_TRY(reader.read(file.sections));
  LicencePolicy& p = w.policy;
  HM_TRY(p.refuse_restrictions, flags_of(file, "refuse_restrictions", kRestrictionNames, w.restrictions));
  HM_TRY(p.refuse_duties, flags_of(file, "refuse_duties", kDemandNames, w.duties));
  for (const auto& [key, list] :
       {std::pair("refuse_licences", &p.refuse_licences), {"accept_licences", &p.accept_licences}})
    for (const std::string& id : *list)
      if (catalogue.find(id) == nullptr)
        return Error{Errc::BadInput, place_of(file, key) + key + ": \"" + printable(id) +
                                         "\" has no section in the catalogue" + meant_by(catalogue, id)};
  if (p.refuse_restrictions == 0 && p.refuse_duties == 0 && p.refuse_licences.empty() && p.accept_licences.empty() &&
      w.drift != "refuse" && w.possible != "refuse")
    return Error{Errc::BadInput, std::string(source) +
                                     ": it refuses nothing, so whatever is not in conflict would pass; write at least "
                                     "one of refuse_restrictions, refuse_duties and refuse_licences into [policy]"};
  p.data_counts = w.data == "refuse";
  p.refuse_drift = w.drift == "refuse";
  using OnPossible = LicencePolicy::OnPossible;
  p.possible_conflict = w.possible == "refuse"   ? OnPossible::Refuse
                        : w.possible == "accept" ? OnPossible::Accept
                                                 : OnPossible::Undecided;
  return std::move(w.policy);
}

Result<LicencePolicy> load_licence_policy(const Catalogue& catalogue, const std::string& path) {
  HM_TRY(const std::string text, config::read_operators_file(path, config::kTomlBytesMax));
  return parse_licence_policy(catalogue, text, path);
}

Acceptance accept(const LicencePolicy& policy, const Verdict& verdict, Judge& judge) {
  Acceptance out;
  const Summary& s = verdict.summary;
  if (s.outcome == Outcome::Conflict && !s.possible)
    weigh(out, Decision::Refused, "its licence conflicts with its lineage");
  if (s.outcome == Outcome::Conflict && s.possible) {
    using OnPossible = LicencePolicy::OnPossible;
    if (policy.possible_conflict == OnPossible::Refuse)
      weigh(out, Decision::Refused, "a possible conflict with its lineage");
    if (policy.possible_conflict == OnPossible::Undecided)
      weigh(out, Decision::Undecided, "a possible conflict with its lineage");
  }
  if (s.truncated) weigh(out, Decision::Undecided, "not all of its lineage could be looked at");
  auto one = [&](const std::string& expression, std::string_view where, bool data) {
    Against best{Decision::Refused, {}};
    bool first = true;
    for (const auto& all : judge.alternatives(judge.intern(expression))) {
      Against a = against(policy, all, data);
      if (first || a.decision < best.decision) best = std::move(a);
      first = false;
    }
    weigh(out, best.decision, best.reason + ": " + expression + " (" + std::string(where) + ")");
  };
  one(verdict.expression, "its own", false);
  for (const Inherited& term : verdict.inherited) {
    const bool data = term.carry == Carry::Data;
    if (data && !policy.data_counts) continue;
    if (term.carry == Carry::Outputs) continue;  // what reaches it is in the summary, below
    one(term.expression, data ? "training data" : term.carry == Carry::Use ? "applies in use" : "inherited", data);
  }
  if (const Flags bad = s.restricts & policy.refuse_restrictions;
      bad != 0 && out.decision != Decision::Refused &&
      std::any_of(verdict.inherited.begin(), verdict.inherited.end(),
                  [](const Inherited& t) { return t.carry == Carry::Outputs; }))
    weigh(out, Decision::Refused, words_of(bad, kRestrictionNames) + ": terms of a model that it was distilled from");
  if (policy.refuse_drift)
    for (const Finding& f : verdict.findings)
      if (f.severity == Severity::Drift)
        weigh(out, Decision::Refused, std::string(name_of(f.rule)) + ": " + f.expression);
  return out;
}
}  // namespace hm::provenance::licence
