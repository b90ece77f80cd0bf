#include "provenance/audit/closure.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/text.hpp"
#include "provenance/audit/ancestry.hpp"
#include "provenance/audit/finding_list.hpp"
#include "provenance/lineage/standing.hpp"
#include "provenance/report/population.hpp"

namespace hm::provenance::audit {
namespace ln = hm::provenance::lineage;
using report::Severity;
using storage::Evidence;
using storage::Relation;

namespace {
constexpr std::size_t kFindingsMax = 10'000, kNamedMax = 3;

/// Why it is needed, the most pressing first.
enum class Role : std::uint8_t { Code, AdapterBase, Used, Base, Data };
constexpr std::array<std::string_view, 5> kRoleRules{"code-missing", "adapter-base-missing", "used-missing",
                                                     "base-missing", "data-missing"};
constexpr std::array<std::string_view, 5> kRoleWords{"code that a loader takes from it", "the base of an adapter",
                                                     "used by it", "a base", "training data"};
constexpr auto kRules = std::to_array<RuleText>(
    {{"code-missing", "files say that a loader takes code or a tokenizer from it: without it they do not run"},
     {"adapter-base-missing", "an adapter is applied to it: without it the adapter is of no use"},
     {"used-missing", "a space is declared to use it"},
     {"base-missing", "weights were made from it; they run without it"},
     {"data-missing", "a model or a data set was made from these data"}});

ln::Walk walk_of_needs() {
  ln::Walk walk;
  walk.relations = {Relation::DerivedFrom, Relation::Finetune, Relation::Adapter,
                    Relation::Quantized,   Relation::Merge,    Relation::Converted,
                    Relation::TrainedOn,   Relation::Uses,     Relation::FromDataset};
  return walk;
}
/// @param running what leads there is needed to run
Role role_of(const ln::Edge& edge, bool running) {
  switch (edge.relation) {
    case Relation::Uses:
      return running && edge.evidence() >= Evidence::Derived ? Role::Code : Role::Used;
    case Relation::Adapter:
      return running ? Role::AdapterBase : Role::Base;
    case Relation::TrainedOn:
    case Relation::FromDataset:
      return Role::Data;
    default:
      return Role::Base;
  }
}
Severity severity_of(Role role, bool gone) {
  const Severity plain = role <= Role::AdapterBase ? Severity::Problem
                         : role == Role::Data      ? Severity::Note
                                                   : Severity::Warning;
  return gone && plain != Severity::Problem ? static_cast<Severity>(static_cast<int>(plain) + 1) : plain;
}

struct Missing {
  ln::Node node;
  ln::Standing standing;
  Role role = Role::Data;
  std::vector<std::string> path;   ///< the shortest in its most pressing role
  std::uint64_t needed_by = 0;     ///< subjects
  std::uint64_t in_role = 0;       ///< of them, in its most pressing role
  std::vector<std::string> named;  ///< the first of these
};

class Audit {
 public:
  explicit Audit(const storage::Index& index) : index_(index), ancestry_(index, walk_of_needs()), standings_(index) {}
  Result<> look_at(const RepoKey& repo);
  Result<report::Report> finish(const Subjects& subjects);

 private:
  void note(const std::string& id, const Missing& seen, const std::string& subject);
  report::FigureTable subjects_table(const Subjects& subjects) const;
  report::FigureTable missing_table(const Subjects& subjects) const;
  report::Finding finding_of(const Missing& missing) const;

  const storage::Index& index_;
  Ancestry ancestry_;
  Standings standings_;
  std::map<std::string, Missing> missing_;  ///< by id
  std::uint64_t cut_ = 0;
  struct Kind {
    std::uint64_t subjects = 0, complete = 0, with_bases = 0, runs = 0, not_here = 0;
  };
  std::array<Kind, report::kKinds> kinds_{};
};

void Audit::note(const std::string& id, const Missing& seen, const std::string& subject) {
  const auto [at, is_new] = missing_.try_emplace(id, seen);
  Missing& known = at->second;
  ++known.needed_by;
  if (!is_new && seen.role < known.role) {
    known.in_role = 0;
    known.named.clear();
  }
  if (!is_new && (seen.role < known.role || (seen.role == known.role && seen.path.size() < known.path.size()))) {
    known.role = seen.role;
    known.path = seen.path;
  }
  if (seen.role != known.role) return;
  ++known.in_role;
  if (known.named.size() < kNamedMax) known.named.push_back(subject);
}

/// Itself and what it runs only with, what that runs only with, and so on; bases of weights that are whole are not
/// needed.
std::set<std::string> needed_to_run(const ln::Node& node, const std::vector<Step>& steps) {
  std::unordered_map<std::string, std::vector<const ln::Edge*>> edges;
  for (const Step& step : steps) edges[ln::id_of(step.edge().from)].push_back(&step.edge());
  std::set<std::string> out{ln::id_of(node)};
  std::vector<std::string> open(out.begin(), out.end());
  while (!open.empty()) {
    const auto from = edges.find(open.back());
    open.pop_back();
    if (from == edges.end()) continue;
    for (const ln::Edge* edge : from->second) {
      std::string id = ln::id_of(edge->to);
      if (role_of(*edge, true) <= Role::AdapterBase && out.insert(id).second) open.push_back(std::move(id));
    }
  }
  return out;
}

Result<> Audit::look_at(const RepoKey& repo) {
  HM_TRY(const ln::Node node, ancestry_.graph().find(repo));
  HM_TRY(const auto steps, ancestry_.above(node));
  cut_ += ancestry_.cut_at().empty() ? 0 : 1;
  HM_TRY(const ln::Standing own, standings_.of(node, ln::id_of(node)));
  Kind& kind = kinds_[report::index_of(repo.kind)];
  ++kind.subjects;
  kind.not_here += own.mirrored ? 0 : 1;
  const std::set<std::string> runs = needed_to_run(node, steps);
  // Of what is missing: the most pressing role, and the first step in it.
  std::map<std::string, std::pair<Role, std::uint32_t>> roles;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    const ln::Edge& edge = steps[i].edge();
    if (edge.to == node) continue;
    const Role role = role_of(edge, runs.contains(ln::id_of(edge.from)));
    std::string id = ln::id_of(edge.to);
    HM_TRY(const ln::Standing standing, standings_.of(edge.to, id));
    if (standing.mirrored) continue;
    const auto [at, is_new] = roles.try_emplace(std::move(id), role, i);
    if (!is_new && role < at->second.first) at->second = {role, i};
  }
  bool complete = true, with_bases = true, can_run = true;
  const std::string name = ln::text_of(node);
  for (const auto& [id, found] : roles) {
    const auto& [role, step] = found;
    complete = false;
    with_bases = with_bases && role == Role::Data;
    can_run = can_run && role > Role::AdapterBase;
    const ln::Node& to = steps[step].edge().to;
    HM_TRY(const ln::Standing standing, standings_.of(to, id));
    note(id, {to, standing, role, path_to(steps, step), 0, 0, {}}, name);
  }
  kind.complete += complete ? 1 : 0;
  kind.with_bases += with_bases ? 1 : 0;
  kind.runs += can_run ? 1 : 0;
  return ok();
}

report::Finding Audit::finding_of(const Missing& missing) const {
  const std::string name = ln::text_of(missing.node);
  std::string who;
  for (const std::string& one : missing.named) who += (who.empty() ? "" : ", ") + one;
  if (missing.in_role > missing.named.size())
    who += " and " + std::to_string(missing.in_role - missing.named.size()) + " more";
  if (missing.needed_by > missing.in_role)
    who += "; less pressing for " + std::to_string(missing.needed_by - missing.in_role) + " more";
  const bool gone = missing.standing.gone_status != 0;
  std::string what =
      "not mirrored: " + std::string(kRoleWords[static_cast<std::size_t>(missing.role)]) + ", for " + who;
  if (gone)
    what += "; it is gone upstream (HTTP " + std::to_string(missing.standing.gone_status) +
            ") and cannot be fetched any more";
  else if (!missing.standing.known)
    what += is_valid_repo_name(missing.node.repo.name) ? "; it is not known here: deleted, private, or misspelled"
                                                       : "; that is no name of a repository";
  return {severity_of(missing.role, gone), std::string(kRoleRules[static_cast<std::size_t>(missing.role)]), name,
          std::move(what), missing.path};
}

report::FigureTable Audit::subjects_table(const Subjects& subjects) const {
  report::FigureTable table;
  table.id = "subjects";
  table.title = "Whose closure is here";
  table.population = subjects.words;
  table.columns = {{"kind", "of repository"},
                   {"subjects", "looked at"},
                   {"complete", "of the subjects: all that they are made from and need is published here"},
                   {"with_bases", "of the subjects: all bases and all that they use, data left aside"},
                   {"runs", "of the subjects: nothing is missing that they cannot run without"},
                   {"not_here", "of the subjects: they are not mirrored themselves"}};
  for (const RepoKind repo_kind : report::kAllKinds) {
    const Kind& k = kinds_[report::index_of(repo_kind)];
    if (k.subjects == 0) continue;
    table.rows.push_back({std::string(name_of(repo_kind)), k.subjects, report::Share{k.complete, k.subjects},
                          report::Share{k.with_bases, k.subjects}, report::Share{k.runs, k.subjects},
                          report::Share{k.not_here, k.subjects}});
    table.judged.part += k.subjects;
    table.judged.of += k.subjects;
  }
  table.gaps = subjects.gaps;
  return table;
}

report::FigureTable Audit::missing_table(const Subjects& subjects) const {
  report::FigureTable table;
  table.id = "missing";
  table.title = "What is missing";
  table.population = "what the subjects (" + subjects.words + ") lead to and is not published here";
  table.columns = {{"repository", "that is missing"},
                   {"role", "the most pressing in which it is needed"},
                   {"needed_by", "subjects that lead to it"},
                   {"upstream", "known: it can be mirrored; gone upstream; not known here"}};
  std::vector<const Missing*> order;
  std::uint64_t known = 0;
  for (const auto& [id, missing] : missing_) {
    order.push_back(&missing);
    known += missing.standing.word() == "known" ? 1 : 0;
  }
  std::stable_sort(order.begin(), order.end(), [](const Missing* a, const Missing* b) {
    return std::tie(a->role, b->needed_by) < std::tie(b->role, a->needed_by);
  });
  // Two texts of authors may be printed alike: a row is told by its id where it has one.
  std::set<std::string> names;
  for (const Missing* missing : order) {
    std::string name = ln::text_of(missing->node);
    if (!names.insert(name).second) name = ln::id_of(missing->node);
    names.insert(name);
    table.rows.push_back({std::move(name), std::string(kRoleWords[static_cast<std::size_t>(missing->role)]),
                          missing->needed_by, std::string(missing->standing.word())});
  }
  table.judged = {known, missing_.size()};
  table.gaps = {{"lineage too large", cut_, "subjects with somebody on the way who names more than is looked at"},
                {"gone, or never known", missing_.size() - known, "what they are made from is not known either"}};
  return table;
}

Result<report::Report> Audit::finish(const Subjects& subjects) {
  report::Report out;
  out.id = "audit-closure";
  out.title = "What " + subjects.words + " needs and is not mirrored";
  HM_TRY(out.basis, report::basis_of(index_));
  Kind sum;
  for (const Kind& kind : kinds_) {
    sum.subjects += kind.subjects;
    sum.complete += kind.complete;
    sum.runs += kind.runs;
  }
  FindingList findings(kFindingsMax);
  for (const auto& [id, missing] : missing_) findings.add(finding_of(missing));
  out.answer = {"Of " + counted(sum.subjects, "repository") + " (" + subjects.words + ") " +
                    std::to_string(sum.complete) +
                    (sum.complete == 1 ? " has its whole closure here, " : " have their whole closure here, ") +
                    std::to_string(sum.subjects - sum.runs) +
                    (sum.subjects - sum.runs == 1 ? " lacks something that it cannot run without."
                                                  : " lack something that they cannot run without."),
                counted(missing_.size(), "repository") + " missing; findings: " + findings.words() + "."};
  out.tables.push_back(subjects_table(subjects));
  out.tables.push_back(missing_table(subjects));
  out.tables.push_back(findings.table({kRules.begin(), kRules.end()}, "what is missing, each repository once",
                                      out.tables.front().judged));
  out.findings = findings.take();
  out.sort_findings();
  return out;
}
}  // namespace

Result<report::Report> closure(const storage::Index& index, const Subjects& subjects) {
  Audit audit(index);
  HM_TRY(each_subject(index, subjects, [&](const RepoKey& repo) { return audit.look_at(repo); }));
  return audit.finish(subjects);
}
}  // namespace hm::provenance::audit
