#include "provenance/audit/history.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/audit/finding_list.hpp"
#include "provenance/audit/licence_changes.hpp"
#include "provenance/card.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::audit {
namespace key = storage::key;
using hm::text_of;  // of JSON fields, beside text_of(LicenceStatement)
using report::Finding;
using report::Severity;
using storage::Family;
using storage::JournalEntry;

namespace {
struct Rule {
  std::string_view name, meaning;
};
constexpr std::array kRules{
    Rule{"name-replaced",
         "the name means another repository than before: what a file asks for by name is not what it was"},
    Rule{"licence-changed", "a later published revision of the same ref states another licence"},
    Rule{"listed-licence-changed", "the Hub's listing tells another licence than before"},
    Rule{"history-rewritten", "a branch moved to a commit that does not descend from the one before"},
    Rule{"tag-moved", "a tag names another commit than before"},
    Rule{"ref-deleted", "upstream has a ref no more"},
    Rule{"gone", "upstream answered that the repository is not there"},
    Rule{"returned", "it was gone, and is there again"},
    Rule{"visibility-changed", "it was public, gated or private, and is not now"},
    Rule{"disabled", "the Hub has disabled it, or does so no more"},
    Rule{"bases-changed", "a later published revision of the same ref names other bases"},
    Rule{"renamed", "it has another name than before"},
    Rule{"default-branch-changed", "another branch is the default"}};

std::string day(std::int64_t ms) {
  std::string text = iso8601(ms).substr(0, 16);
  text[10] = ' ';
  return text + " UTC";
}
/// How closed it is.
int closeness(const std::string& visibility) {
  constexpr std::array<std::string_view, 4> kOrder{"public", "gated-auto", "gated-manual", "private"};
  return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), visibility) - kOrder.begin());
}
std::string list_text(const std::set<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "none" : out;
}
bool is_branch(std::string_view ref) { return ref.starts_with("refs/heads/"); }
bool is_tag(std::string_view ref) { return ref.starts_with("refs/tags/"); }
bool is_request(std::string_view ref) { return ref.starts_with("refs/pr/"); }

/// One statement of a licence and the entry that has it.
struct Stated {
  std::vector<LicenceStatement> statements;
  std::vector<const JournalEntry*> entries;
  std::vector<std::optional<std::set<std::string>>> bases;  ///< nullopt: there is a card, and nobody can say
};

/// Reads the entries of one repository in their order.
class Reader {
 public:
  Reader(const storage::Index& index, const HistoryQuestion& question, const RepoKey& repo, std::string name)
      : index_(index), question_(question), repo_(repo), name_(std::move(name)) {}

  Result<> read(const std::vector<JournalEntry>& entries) {
    for (const JournalEntry& entry : entries) {
      HM_TRY(take(entry));
    }
    compare_licences(listed_, "listed-licence-changed", "the listing");
    Told of_licences, of_bases;
    for (const auto& [ref, stated] : published_) {
      compare_licences(stated, "licence-changed", ref, &of_licences);
      compare_bases(stated, ref, of_bases);
    }
    return ok();
  }
  std::vector<Finding> take_findings() { return std::move(findings_); }
  std::uint64_t untold_moves() const { return untold_moves_; }

 private:
  using Told = std::set<std::pair<std::string, std::string>>;  // commits: a branch and a tag may have gone the same way
  void found(const JournalEntry& at, Severity severity, std::string_view rule, const std::string& what,
             std::vector<std::string> before_and_after = {}) {
    const std::int64_t when = number_of(at.value, "obs");
    if (when < question_.since_ms) return;
    findings_.push_back({severity, std::string(rule), name_,
                         day(when) + ", entry " + std::to_string(at.sequence) + ": " + what,
                         std::move(before_and_after)});
  }
  void changed(const JournalEntry& at, Severity severity, std::string_view rule, const std::string& what,
               const std::string& before, const std::string& after) {
    found(at, severity, rule, what + " was " + before + " and is " + after, {"before: " + before, "after: " + after});
  }

  Result<> take(const JournalEntry& entry) {
    const json::object& e = entry.value;
    const std::string type = text_of(e, "t");
    if (type == "moved") {
      changed(entry, Severity::Note, "renamed", "its name", text_of(e, "id"), text_of(e, "to"));
    } else if (type == "replaced") {
      changed(entry, Severity::Problem, "name-replaced", "the repository of the name " + text_of(e, "id"),
              text_of(e, "was"), repo_.rid.text());
    } else if (type == "gone") {
      if (gone_ == 0)
        found(entry, Severity::Warning, "gone",
              "upstream no longer has it: it answered " + std::to_string(number_of(e, "status")));
      gone_ = number_of(e, "status");
    } else if (type == "listed") {
      take_presence(entry);
      take_listing(entry);
    } else if (type == "refs") {
      take_presence(entry);
      HM_TRY(take_refs(entry));
    } else if (type == "snapshot") {
      HM_TRY(take_snapshot(entry));
    }
    return ok();
  }
  void take_presence(const JournalEntry& entry) {
    if (gone_ != 0) found(entry, Severity::Note, "returned", "upstream has it again");
    gone_ = 0;
    const std::string now = text_of(entry.value, "vis");
    if (!visibility_.empty() && !now.empty() && visibility_ != now)
      changed(entry, closeness(now) > closeness(visibility_) ? Severity::Warning : Severity::Note, "visibility-changed",
              "it", visibility_, now);
    if (!now.empty()) visibility_ = now;
  }
  void take_listing(const JournalEntry& entry) {
    const json::object& e = entry.value;
    const bool disabled = flag_of(e, "dis");
    if (!listed_.entries.empty() && disabled != disabled_)
      found(entry, disabled ? Severity::Warning : Severity::Note, "disabled",
            disabled ? "the Hub has disabled it" : "the Hub has it disabled no more");
    disabled_ = disabled;
    LicenceStatement statement;
    statement.time_ms = number_of(e, "obs");
    if (const auto* licences = e.if_contains("lic"); licences != nullptr && licences->is_array())
      for (const auto& licence : licences->get_array())
        if (licence.is_string()) statement.licences.emplace_back(licence.get_string());
    listed_.statements.push_back(std::move(statement));
    listed_.entries.push_back(&entry);
  }

  Result<> take_refs(const JournalEntry& entry) {
    const std::string head = text_of(entry.value, "head");
    if (!head_.empty() && !head.empty() && head_ != head)
      changed(entry, Severity::Note, "default-branch-changed", "the default branch", head_, head);
    if (!head.empty()) head_ = head;
    const auto document = Sha256::parse(text_of(entry.value, "refs"));
    if (!document) return Error{Errc::Corrupt, at(entry) + "its field \"refs\" is no digest"};
    HM_TRY(const auto bytes, index_.get(Family::Documents, document->view()));
    if (!bytes) return Error{Errc::Corrupt, at(entry) + "its document " + document->hex() + " is not stored"};
    HM_TRY(const json::value parsed, parse_canonical_json(*bytes));
    if (!parsed.is_object()) return Error{Errc::Corrupt, at(entry) + "its refs are no object"};
    std::map<std::string, std::string> now;
    for (const auto& [ref, oid] : parsed.get_object())
      if (oid.is_string()) now.emplace(ref, oid.get_string());
    const bool with_requests =
        std::any_of(now.begin(), now.end(), [](const auto& one) { return is_request(one.first); });
    for (const auto& [ref, oid] : refs_) {
      const auto after = now.find(ref);
      if (after == now.end() && !with_requests && is_request(ref))
        now.emplace(ref, oid);  // whoever looked did not ask for them
      else if (after == now.end())
        found(entry, is_branch(ref) || is_tag(ref) ? Severity::Warning : Severity::Note, "ref-deleted",
              ref + " is deleted upstream; it named " + oid, {"before: " + oid, "after: none"});
      else if (after->second != oid)
        take_move(entry, ref, oid, after->second);
    }
    refs_ = std::move(now);
    return ok();
  }
  /// Branches go forward; refs/pr and refs/convert are the Hub's own and are made anew each time.
  void take_move(const JournalEntry& entry, const std::string& ref, const std::string& before,
                 const std::string& after) {
    if (is_tag(ref)) return changed(entry, Severity::Warning, "tag-moved", ref, before, after);
    if (!is_branch(ref) || number_of(entry.value, "obs") < question_.since_ms) return;
    const auto older = GitOid::parse(before), newer = GitOid::parse(after);
    const auto descends =
        question_.descends && older && newer ? question_.descends(repo_, *older, *newer) : std::optional<bool>();
    if (!descends)
      ++untold_moves_;
    else if (!*descends)
      found(entry, Severity::Warning, "history-rewritten",
            ref + " names " + after + " now, which does not descend from " + before,
            {"before: " + before, "after: " + after});
  }

  Result<> take_snapshot(const JournalEntry& entry) {
    const json::object& e = entry.value;
    const std::string ref = text_of(e, "ref"), commit = text_of(e, "commit");
    if (ref.empty()) return ok();
    Stated& stated = published_[ref];
    if (!stated.statements.empty() && stated.statements.back().commit == commit) return ok();
    storage::CardFacts card;
    if (const auto id = Sha256::parse(text_of(e, "card"))) {
      HM_TRY(const auto yaml, index_.get(Family::Documents, id->view()));
      if (!yaml) return Error{Errc::Corrupt, at(entry) + "the card's document is not stored"};
      card = parse_card(*yaml);
    }
    std::optional<std::set<std::string>> bases;  // a card that is broken elsewhere still names its bases
    if (card.problem.empty() || !card.base_models.empty()) bases.emplace();
    for (const std::string& base : card.base_models) bases->insert(ascii_lower(base));
    stated.statements.push_back(statement_of(card, commit, number_of(e, "obs")));
    stated.entries.push_back(&entry);
    stated.bases.push_back(std::move(bases));
    return ok();
  }
  static std::string at(const JournalEntry& entry) { return "journal entry " + std::to_string(entry.sequence) + ": "; }

  void compare_licences(const Stated& stated, std::string_view rule, const std::string& where, Told* told = nullptr) {
    for (const LicenceChange& change : licence_changes(question_.catalogue, stated.statements)) {
      const LicenceStatement &before = stated.statements[change.before], &after = stated.statements[change.after];
      if (told != nullptr && !told->emplace(before.commit, after.commit).second) continue;
      std::string what = "the licence of " + where + " is now " + text_of(after) + ", and was " + text_of(before) +
                         " (" + std::string(name_of(change.move)) + ")";
      if (!change.what.empty()) what += "; with it came: " + change.what;
      found(*stated.entries[change.after], severity_of(change.move), rule, what,
            {"before: " + said(before, *stated.entries[change.before]),
             "after: " + said(after, *stated.entries[change.after])});
    }
  }
  static std::string said(const LicenceStatement& statement, const JournalEntry& entry) {
    std::string out = text_of(statement);
    if (!statement.link.empty()) out += ", " + statement.link;
    return out + (statement.commit.empty() ? "" : " at " + statement.commit) + " (entry " +
           std::to_string(entry.sequence) + ", " + day(number_of(entry.value, "obs")) + ")";
  }
  void compare_bases(const Stated& stated, const std::string& ref, Told& told) {
    std::optional<std::size_t> last;  // that could be read
    for (std::size_t i = 0; i < stated.bases.size(); ++i) {
      if (!stated.bases[i]) continue;
      const std::optional<std::size_t> earlier = std::exchange(last, i);
      if (!earlier || stated.bases[*earlier] == stated.bases[i]) continue;
      if (!told.emplace(stated.statements[*earlier].commit, stated.statements[i].commit).second) continue;
      const auto &before = *stated.bases[*earlier], &after = *stated.bases[i];
      const bool only_more = std::includes(after.begin(), after.end(), before.begin(), before.end());
      changed(*stated.entries[i], only_more ? Severity::Note : Severity::Warning, "bases-changed",
              "base_model of " + ref, list_text(before), list_text(after));
    }
  }

  const storage::Index& index_;
  const HistoryQuestion& question_;
  const RepoKey repo_;
  const std::string name_;
  std::vector<Finding> findings_;
  std::string visibility_, head_;
  bool disabled_ = false;
  std::int64_t gone_ = 0;
  std::map<std::string, std::string> refs_;
  Stated listed_;
  std::map<std::string, Stated> published_;
  std::uint64_t untold_moves_ = 0;
};

/// A listing says that a name was another's; a visit does not. Then it is the first entry under the name of the one who
/// has it now, behind the last at which the other one was seen under it.
Result<std::optional<JournalEntry>> taking_of(const storage::Index& index, const std::string& src, const RepoKey& taker,
                                              const RepoKey& before, const RepoId& id) {
  HM_TRY(auto entries, storage::Journal::entries_of(index, src, taker, kEntriesMax));
  for (JournalEntry& entry : entries)
    if (text_of(entry.value, "t") == "replaced" && text_of(entry.value, "was") == before.rid.text())
      return std::optional(std::move(entry));
  HM_TRY(const auto others, storage::Journal::entries_of(index, src, before, kEntriesMax));
  std::optional<std::uint64_t> last;
  for (const JournalEntry& entry : others) {
    const std::string type = text_of(entry.value, "t");
    if ((type == "listed" || type == "refs") && ascii_equal_fold(text_of(entry.value, "id"), id.name))
      last = entry.sequence;
  }
  if (!last) return std::optional<JournalEntry>();
  for (JournalEntry& entry : entries) {
    const std::string name = text_of(entry.value, text_of(entry.value, "t") == "moved" ? "to" : "id");
    if (entry.sequence > *last && ascii_equal_fold(name, id.name)) return std::optional(std::move(entry));
  }
  return std::optional<JournalEntry>();
}

/// A name that somebody else has now.
Result<std::optional<Finding>> taken_name(const storage::Index& index, const std::vector<std::string>& sources,
                                          const RepoKey& repo, const RepoId& id, std::int64_t since_ms) {
  HM_TRY(const auto bytes, index.get(Family::Names, key::name(id)));
  if (!bytes) return std::optional<Finding>();
  HM_TRY(const auto row, storage::unpack_name(*bytes));
  if (row.key == repo) return std::optional<Finding>();
  for (const std::string& src : sources) {
    HM_TRY(const auto entry, taking_of(index, src, row.key, repo, id));
    if (!entry) continue;
    if (number_of(entry->value, "obs") < since_ms) return std::optional<Finding>();
    return std::optional(Finding{Severity::Problem,
                                 "name-replaced",
                                 id.text(),
                                 day(number_of(entry->value, "obs")) + ", entry " + std::to_string(entry->sequence) +
                                     ": the name means " + row.key.text() + " now, and meant this one, " + repo.text(),
                                 {"before: " + repo.text(), "after: " + row.key.text()}});
  }
  return std::optional<Finding>();
}

report::Figure worst_of(const std::vector<Finding>& findings, std::string_view rule) {
  std::optional<Severity> worst;
  for (const Finding& finding : findings)
    if (finding.rule == rule && (!worst || finding.severity > *worst)) worst = finding.severity;
  return worst ? report::Figure(std::string(name_of(*worst))) : report::Figure();
}
report::FigureTable rules_table(const std::vector<Finding>& findings) {
  report::FigureTable table;
  table.id = "changes";
  table.title = "What happened";
  table.columns = {{"change", "what it is called in findings"},
                   {"meaning", "what happened"},
                   {"changes", "how often"},
                   {"repositories", "to how many of them"},
                   {"worst", "the most severe of its findings"}};
  for (const Rule& rule : kRules) {
    std::set<std::string> repositories;
    std::uint64_t count = 0;
    for (const Finding& finding : findings)
      if (finding.rule == rule.name) ++count, repositories.insert(finding.subject);
    table.rows.push_back({std::string(rule.name), std::string(rule.meaning), count, std::uint64_t{repositories.size()},
                          worst_of(findings, rule.name)});
  }
  return table;
}
/// @param untold moves of branches that may be rewrites
std::string answer_of(const std::vector<Finding>& findings, const HistoryQuestion& question, const Subjects& asked,
                      std::uint64_t untold) {
  const std::string since = question.since_ms == 0 ? "since it was first seen" : "since " + day(question.since_ms);
  std::array<std::size_t, 3> counts{};
  std::set<std::string> repositories;
  for (const Finding& f : findings) ++counts[static_cast<std::size_t>(f.severity)], repositories.insert(f.subject);
  const std::string open =
      untold == 0 ? "" : "; whether " + counted(untold, "move") + " of branches rewrote history " + "could not be told";
  if (findings.empty())
    return (untold == 0 ? "Nothing that matters changed upstream " : "Nothing that matters is known to have changed ") +
           since + " in " + counted(asked.keys.size(), "repository") + open + ".";
  return counted(findings.size(), "change") + " " + since + " in " + std::to_string(repositories.size()) + " of " +
         counted(asked.keys.size(), "repository") + ": " + counted(counts[2], "problem") + ", " +
         counted(counts[1], "warning") + ", " + counted(counts[0], "note") + open + ".";
}
}  // namespace

Result<report::Report> history(const storage::Index& index, const HistoryQuestion& question, const Subjects& asked) {
  report::Report out;
  out.id = "audit-history";
  out.title = "What happened to " + asked.words;
  HM_TRY(out.basis, report::basis_of(index));
  const auto& sources = out.basis.upstreams;
  const lineage::Graph graph(index);
  std::uint64_t silent = 0, late = 0, cut = 0, untold = 0;
  for (const RepoKey& repo : asked.keys) {
    HM_TRY(const auto node, graph.find(repo));
    std::uint64_t entries_read = 0;
    std::int64_t first_ms = 0;
    for (const std::string& src : sources) {
      HM_TRY(const auto entries, storage::Journal::entries_of(index, src, repo, kEntriesMax));
      if (entries.empty()) continue;
      entries_read += entries.size();
      if (entries.front().value.at("prev").as_int64() >= 0) ++cut;
      const std::int64_t began = number_of(entries.front().value, "obs");
      first_ms = first_ms == 0 ? began : std::min(first_ms, began);
      Reader reader(index, question, repo, node.repo.text());
      HM_TRY(reader.read(entries));
      untold += reader.untold_moves();
      for (Finding& finding : reader.take_findings()) out.findings.push_back(std::move(finding));
    }
    if (entries_read == 0) ++silent;
    if (first_ms > question.since_ms && question.since_ms != 0) ++late;
    HM_TRY(auto taken, taken_name(index, sources, repo, node.repo, question.since_ms));
    if (taken) out.findings.push_back(std::move(*taken));
  }
  report::FigureTable table = rules_table(out.findings);
  table.population = asked.words + (question.since_ms == 0 ? "" : ", since " + day(question.since_ms));
  table.judged = {asked.keys.size() - silent, asked.keys.size()};
  table.gaps = {
      {"without an entry", silent, "the journal has nothing about them"},
      {"first seen later", late, "what happened between the time that was asked about and then is not known"},
      {"histories that are cut", cut, "only the newest " + std::to_string(kEntriesMax) + " entries were read"},
      {"moves of branches", untold,
       "whether the new commit descends from the old one could not be told: one of them is not in git here"}};
  table.gaps.insert(table.gaps.end(), asked.gaps.begin(), asked.gaps.end());
  out.tables.push_back(std::move(table));
  out.answer = {answer_of(out.findings, question, asked, untold),
                "What was seen is told: changes between two looks, and before the first one, left no trace here."};
  finish_findings(out);
  return out;
}

Result<std::vector<RepoKey>> changed_since(const storage::Index& index, std::int64_t since_ms) {
  HM_TRY(const std::uint64_t first, storage::Journal::first_since(index, since_ms));
  std::set<RepoKey> out;
  Result<> outcome = ok();
  HM_TRY(index.scan(
      Family::Journal, {},
      [&](std::string_view k, std::string_view bytes) {
        const auto entry = storage::parse_journal_entry(key::parse_u64(k).value_or(0), bytes);
        if (!entry) {
          outcome = entry.error();
          return false;
        }
        const json::object& e = entry.assume_value().value;
        const auto kind = parse_repo_kind(text_of(e, "kind"));
        const auto rid = Rid::parse(text_of(e, "rid"));
        if (kind && rid && e.at("prev").as_int64() >= 0) out.insert(RepoKey{*kind, *rid});
        return true;
      },
      key::u64(first)));
  HM_TRY(std::move(outcome));
  return std::vector<RepoKey>(out.begin(), out.end());
}
}  // namespace hm::provenance::audit
