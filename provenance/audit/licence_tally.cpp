#include "provenance/audit/licence_tally.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::audit {
using licence::Acceptance;
using licence::Outcome;
using licence::RuleId;
using report::FigureTable;
using report::Severity;
using report::Share;

namespace {
struct Meaning {
  std::string_view rule, meaning;
};
/// docs/licences.md has the same rules.
constexpr auto kMeanings = std::to_array<Meaning>({
    {"notice-dropped", "notices of a permissive base have no place in the licence of what was made from it"},
    {"attribution-dropped",
     "the base wants its authors named, and the licence of what was made from it does not ask for it"},
    {"share-alike-lost", "what was made from a copyleft base is under another licence than the base allows"},
    {"non-commercial-dropped", "what the base limits to non-commercial use or research is allowed"},
    {"derivative-forbidden", "the base allows no derivatives to be distributed"},
    {"use-restrictions-dropped", "the use restrictions of the base are not passed on"},
    {"community-terms-dropped", "the agreement of the base's publisher is not passed on"},
    {"base-licence-unknown", "no permission of an ancestor is known"},
    {"base-missing", "a base is named that cannot be found"},
    {"terms-to-keep", "terms of the base have to be kept beside its own"},
    {"agreement-version", "it is under another version of the same publisher's agreement than its base"},
    {"incompatible-licences", "its licence and that of its base contradict each other"},
    {"parents-exclude", "no licence satisfies both of two of its bases"},
    {"outputs-forbidden", "it was trained on outputs of a model whose licence forbids that"},
    {"training-data-term", "its training data have a term that it would not keep, should terms of data reach weights"},
    {"applies-in-use", "its base has a term that whoever uses both together has to keep"},
    {"name-rule", "its name has to begin as the agreement of its base says"},
    {"licence-text-missing", "the base wants its licence text shipped, and there is none"},
    {"notice-missing", "the base wants its NOTICE file shipped, and there is none"},
    {"user-ceiling", "above so many users another licence is needed"},
    {"territory", "some countries are left out"},
    {"licence-unknown", "no permission of its own is known"},
    {"licence-vanished",
     "it had a licence before and has none now; what was granted for the earlier copy stays granted for it"},
    {"lineage-cycle", "its lineage leads back to itself"},
    {"lineage-truncated", "its lineage is larger than what is looked at"},
    {"licence-undeclared", "it says nothing of a licence"},
    {"licence-unknown-id", "its licence is not in the Hub's list"},
    {"licence-imprecise", "its licence is a family without a version, or \"other\" without a name"},
    {"licence-version-assumed", "it does not say whether a later version may be chosen"},
    {"licence-other-named", "its licence is \"other\" with a name that is known"},
    {"licence-link-missing", "its licence is \"other\" without a link"},
    {"bsl-is-boost", "bsl-1.0 is the Boost licence, not the Business Source License"},
    {"licence-several", "it names several licences and does not say whether one may choose"},
    {"licence-text-unrecognised", "a licence file of it is no known text"},
    {"licence-inconsistent", "its card and its files say different licences"},
    {kChanged, "its licence was changed"},
    {kChangedUpstream, "upstream has it under another licence than the copy here"},
    {kGoneUpstream, "upstream gives no licence any more; the copy here has one"},
    {kRefused, "the licence policy refuses it"},
    {kUndecided, "the licence policy cannot be applied to it"},
});
constexpr std::array kNotes{RuleId::TermsToKeep, RuleId::AgreementVersion, RuleId::UserCeiling, RuleId::Territory,
                            RuleId::Cycle};
constexpr std::array<std::string_view, 6> kNotesOfClaims{"licence-undeclared",   "licence-unknown-id",
                                                         "licence-other-named",  "licence-version-assumed",
                                                         "licence-link-missing", "bsl-is-boost"};
constexpr std::size_t kLicencesListed = 50;

std::string of_path(const std::string& subject, const licence::Path& path) {
  return path.empty() ? subject : path.back().name;
}
/// "org/child <-finetune declared- org/base (listing baseModels: org/base), CC-BY-NC-4.0".
void add_hops(std::vector<std::string>& into, const std::string& subject, const licence::Path& path) {
  std::string from = subject;
  for (const licence::Step& step : path) {
    const bool missing = step.parent == licence::kNoNode;
    into.push_back(from + " <-" + std::string(storage::name_of(step.relation)) + " " +
                   std::string(storage::name_of(step.evidence)) + "- " +
                   (missing
                        ? "not to be found (" + step.source + ")"
                        : step.name + (step.source.empty() ? "" : " (" + step.source + ")") + ", " + step.expression));
    from = step.name;
  }
}
}  // namespace

std::string_view meaning_of(std::string_view rule) {
  const auto at = std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& m) { return m.rule == rule; });
  return at == kMeanings.end() ? std::string_view() : at->meaning;
}
Severity severity_of(const licence::Finding& finding) {
  if (finding.severity == licence::Severity::Conflict) return finding.possible ? Severity::Warning : Severity::Problem;
  if (finding.severity == licence::Severity::Drift) return Severity::Warning;
  return std::find(kNotes.begin(), kNotes.end(), finding.rule) == kNotes.end() ? Severity::Warning : Severity::Note;
}
Severity severity_of(std::string_view rule) {
  if (rule == kRefused) return Severity::Problem;
  return std::find(kNotesOfClaims.begin(), kNotesOfClaims.end(), rule) == kNotesOfClaims.end() ? Severity::Warning
                                                                                               : Severity::Note;
}

report::Finding finding_of(const licence::Finding& finding, const std::string& subject) {
  report::Finding out;
  out.severity = severity_of(finding);
  out.rule = name_of(finding.rule);
  out.subject = subject;
  out.what = finding.possible ? "possibly: " : "";
  out.what += std::string(meaning_of(out.rule));
  if (!finding.clause.empty()) out.what += ": " + finding.clause;
  if (finding.rule != RuleId::LicenceVanished && (finding.origin != licence::kNoNode || finding.path.empty()))
    out.what += " (" + finding.expression + " of " + of_path(subject, finding.path) + ")";
  if (!finding.other_path.empty())
    out.what += " and (" + finding.other_path.back().expression + " of " + finding.other_path.back().name + ")";
  add_hops(out.path, subject, finding.path);
  add_hops(out.path, subject, finding.other_path);
  return out;
}

std::size_t outcome_of(const licence::Summary& summary) {
  if (summary.outcome == Outcome::Conflict) return summary.possible ? 3 : 4;
  return static_cast<std::size_t>(summary.outcome);
}

void LicenceTally::add(const Subject& subject) {
  ++all_;
  const licence::Summary& s = subject.summary;
  outcomes_[subject.kind][outcome_of(s)].add(subject.downloads);
  if (subject.decision) decisions_[subject.kind][static_cast<std::size_t>(*subject.decision)].add(subject.downloads);
  const auto licence = licences_.find(subject.expression);
  (licence == licences_.end() ? licences_[std::string(subject.expression)] : licence->second).add(subject.downloads);
  const auto has = [&](RuleId rule) { return (s.rules >> static_cast<unsigned>(rule) & 1U) != 0; };
  published_ += subject.published ? 1 : 0;
  if (subject.expression == licence::kNoAssertion)
    ++undeclared_;
  else if (has(RuleId::LicenceUnknown))
    ++unknown_licence_;
  unknown_base_ += has(RuleId::BaseLicenceUnknown) || has(RuleId::BaseMissing) ? 1 : 0;
  truncated_ += s.truncated ? 1 : 0;
}
void LicenceTally::add_rule(std::string_view rule, std::uint64_t downloads) {
  const auto known = rules_.find(rule);
  (known == rules_.end() ? rules_[std::string(rule)] : known->second).add(downloads);
}

std::uint64_t LicenceTally::outcome(std::size_t which) const {
  std::uint64_t sum = 0;
  for (const auto& [kind, counts] : outcomes_) sum += counts[which].repositories;
  return sum;
}
std::uint64_t LicenceTally::decided(Acceptance::Decision decision) const {
  std::uint64_t sum = 0;
  for (const auto& [kind, counts] : decisions_) sum += counts[static_cast<std::size_t>(decision)].repositories;
  return sum;
}
std::string LicenceTally::outcomes_text() const {
  return "fitting what they are made from and unrestricted: " + std::to_string(outcome(0)) +
         "; restricted in use: " + std::to_string(outcome(1)) + "; terms not known: " + std::to_string(outcome(2)) +
         "; in conflict with what they are made from: " + std::to_string(outcome(4)) +
         ", possibly: " + std::to_string(outcome(3));
}

std::string LicenceTally::decisions_text(const std::string& policy) const {
  return "The policy " + policy + " accepts " + std::to_string(decided(Acceptance::Decision::Accepted)) + ", refuses " +
         std::to_string(decided(Acceptance::Decision::Refused)) + ", and cannot decide " +
         std::to_string(decided(Acceptance::Decision::Undecided)) + ".";
}
std::vector<report::Gap> LicenceTally::gaps() const {
  return {{"no licence declared", undeclared_, "neither listing nor card nor files say one"},
          {"licence that allows nothing known", unknown_licence_,
           "the catalogue has no entry for it, or no text was found"},
          {"ancestors without a known licence", unknown_base_, "they say none, or cannot be found"},
          {"lineage too large", truncated_, "a limit was met: more terms may hold"},
          {"known by their listing alone", all_ - published_,
           "no revision is here, so licence texts and files were not looked at"}};
}

FigureTable LicenceTally::outcomes_table(const std::string& words) const {
  FigureTable table;
  table.id = "outcomes";
  table.title = "Outcomes";
  table.population = words;
  table.columns = {{"kind", "model, dataset or space"},
                   {"outcome",
                    "compatible: nothing restricts its use, and its licence fits all that it is made from; restricted; "
                    "unknown; possible conflict: one that rests on a claim; conflict: one that files or bytes show"},
                   {"repositories", "with this outcome"},
                   {"share", "of those of the kind"},
                   {"downloads", "of these in 30 days, as far as they are listed"}};
  table.keys = 2;
  for (const auto& [kind, counts] : outcomes_) {
    std::uint64_t sum = 0;
    for (const Count& count : counts) sum += count.repositories;
    for (std::size_t i = 0; i < kOutcomes.size(); ++i)
      table.rows.push_back({std::string(name_of(kind)), std::string(kOutcomes[i]), counts[i].repositories,
                            Share{counts[i].repositories, sum}, counts[i].downloads});
  }
  table.judged = judged();
  table.gaps = gaps();
  return table;
}

FigureTable LicenceTally::acceptance_table(const std::string& words, const std::string& policy) const {
  FigureTable table;
  table.id = "acceptance";
  table.title = "Against the licence policy " + policy;
  table.population = words;
  table.columns = {{"kind", "model, dataset or space"},
                   {"decision", "accepted, undecided: too little is known, refused"},
                   {"repositories", "with this decision"},
                   {"share", "of those of the kind"},
                   {"downloads", "of these in 30 days, as far as they are listed"}};
  table.keys = 2;
  for (const auto& [kind, counts] : decisions_) {
    std::uint64_t sum = 0;
    for (const Count& count : counts) sum += count.repositories;
    for (std::size_t i = 0; i < kDecisions.size(); ++i)
      table.rows.push_back({std::string(name_of(kind)), std::string(kDecisions[i]), counts[i].repositories,
                            Share{counts[i].repositories, sum}, counts[i].downloads});
  }
  table.judged = {all_ - decided(Acceptance::Decision::Undecided), all_};
  table.gaps = gaps();
  return table;
}

namespace {
/// Those of most repositories first, equal ones in the order of the map.
template <class Counts>
auto most_first(const Counts& counts) {
  std::vector<std::pair<std::string, typename Counts::mapped_type>> rows(counts.begin(), counts.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.repositories > b.second.repositories; });
  return rows;
}
}  // namespace

FigureTable LicenceTally::rules_table(const std::string& words) const {
  FigureTable table;
  table.id = "findings_by_rule";
  table.title = "Findings by rule";
  table.population = words;
  table.columns = {{"rule", "as findings name it"},
                   {"meaning", "in words; docs/licences.md"},
                   {"repositories", "with at least one such finding"},
                   {"share", "of all of them"},
                   {"downloads", "of these in 30 days, as far as they are listed"}};
  for (const auto& [rule, count] : most_first(rules_))
    table.rows.push_back(
        {rule, std::string(meaning_of(rule)), count.repositories, Share{count.repositories, all_}, count.downloads});
  table.judged = judged();
  table.gaps = gaps();
  return table;
}

FigureTable LicenceTally::licences_table(const std::string& words) const {
  FigureTable table;
  table.id = "licences";
  table.title = "Licences of their own";
  table.population = words;
  table.columns = {{"licence", "SPDX expression of what they say; the first 50, then any other"},
                   {"repositories", "under it"},
                   {"share", "of all of them"},
                   {"downloads", "of these in 30 days, as far as they are listed"}};
  const auto rows = most_first(licences_);
  Count rest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [expression, count] = rows[i];
    if (i < kLicencesListed) {
      table.rows.push_back({expression, count.repositories, Share{count.repositories, all_}, count.downloads});
    } else {
      rest.repositories += count.repositories;
      rest.downloads += count.downloads;
    }
  }
  if (rest.repositories != 0)
    table.rows.push_back(
        {std::string("(any other)"), rest.repositories, Share{rest.repositories, all_}, rest.downloads});
  table.judged = {all_ - undeclared_, all_};
  table.gaps = {{"no licence declared", undeclared_, "neither listing nor card nor files say one"}};
  return table;
}
}  // namespace hm::provenance::audit
