#include "provenance/audit/lineage.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/text.hpp"
#include "provenance/audit/ancestry.hpp"
#include "provenance/audit/finding_list.hpp"
#include "provenance/audit/same_files.hpp"
#include "provenance/audit/shapes.hpp"
#include "provenance/audit/tensors.hpp"
#include "provenance/file_facts.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/lineage/standing.hpp"
#include "provenance/report/population.hpp"
#include "storage/listing_row.hpp"
#include "storage/manifest.hpp"

namespace hm::provenance::audit {
namespace ln = hm::provenance::lineage;
using report::Severity;
using storage::Evidence;
using storage::Relation;

namespace {
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kFactsKept = 1'000;     // bases whose files are remembered: some 10 KiB each
constexpr std::size_t kHoldersMax = 1'000;    // of one file
constexpr std::size_t kRelatedMax = 100;      // of them, the oldest: asked for their bases
constexpr std::size_t kWeightFilesMax = 256;  // of one revision; a sharded model shares all its files or none

constexpr auto kRules = std::to_array<RuleText>({
    {"base-contradicted",
     "the files name another base than the card or the listing, and neither descends from the other"},
    {"base-indirect", "the files name a base that is not declared and is related to the declared one"},
    {"base-excluded", "type or hidden size of the model and of its declared base exclude each other"},
    {"relation-contradicted", "the files show another relation than the one that is declared"},
    {"dangling-base", "a base that nobody has here: deleted, private, never listed, or misspelled"},
    {"base-is-no-repository", "a base that is no name of a repository: a folder or a sentence of the author's"},
    {"dangling-dataset", "training data that nobody has here"},
    {"base-gone", "a base that upstream no longer has"},
    {"cycle", "it descends from itself, by way of others"},
    {"self-loop", "it names itself as its base"},
    {"base-younger", "the base came to the Hub more than a day after what is made from it"},
    {"lineage-truncated", "it, or somebody it descends from, names more than is looked at"},
    {"undeclared-parent",
     "a weight file, or half of the weights tensor by tensor, is that of an older repository that is not named"},
});

bool is_data(Relation relation) { return relation == Relation::TrainedOn || relation == Relation::FromDataset; }
/// Statements of the target's weights.
bool is_base(Relation relation) { return relation <= Relation::Converted; }
/// The shape of the target stays.
bool keeps_shape(Relation relation) {
  return relation == Relation::Finetune || relation == Relation::Adapter || relation == Relation::Quantized ||
         relation == Relation::Converted;
}
ln::Walk walk_of_bases() {
  ln::Walk walk;
  walk.relations = {Relation::DerivedFrom, Relation::Finetune,  Relation::Adapter,   Relation::Quantized,
                    Relation::Merge,       Relation::Converted, Relation::TrainedOn, Relation::FromDataset};
  return walk;
}
/// Said by the newest listing, or by this revision. What only others said does not contradict.
bool is_current(const ln::Statement& statement, const Commit& current) {
  return statement.origin == storage::EdgeOrigin::Listing || statement.last == current || statement.first == current;
}

/// One subject and what is known of it.
struct Subject {
  ln::Node node;
  std::optional<storage::SnapshotRow> snapshot;  ///< as it is now; none: nothing is published
  FileFacts files;
  std::int64_t created_ms = 0;  ///< 0: not known
  bool listed = false;
  std::vector<Step> steps;
  std::string cut_at;  ///< who of them says more than is looked at; "" nobody
};

class Audit {
 public:
  explicit Audit(const storage::Index& index)
      : index_(index), ancestry_(index, walk_of_bases()), findings_(kFindingsMax) {}
  Result<> look_at(const RepoKey& repo);
  Result<report::Report> finish(const Subjects& subjects);

 private:
  void find(Severity severity, std::string_view rule, const Subject& subject, std::string what,
            std::vector<std::string> path = {}) {
    findings_.add({severity, std::string(rule), ln::text_of(subject.node), std::move(what), std::move(path)});
  }
  Result<Subject> read(const RepoKey& repo);
  void count(const Subject& subject);
  Result<> judge_targets(const Subject& subject);
  void judge_cycles(const Subject& subject);
  void judge_contradictions(const Subject& subject);
  class Ways;
  void judge_stray(const Subject& subject, const Ways& ways, const ln::Edge& of_files,
                   const std::vector<const ln::Edge*>& declared);
  void judge_relations(const Subject& subject);
  Result<> judge_shapes(const Subject& subject);
  Result<> judge_times(const Subject& subject);
  Result<bool> judge_files(const Subject& subject);
  Result<> judge_tensors(const Subject& subject);
  /// Somebody who has the same file.
  struct Same {
    std::int64_t made_ms = 0;
    const storage::ManifestFile* file = nullptr;
    storage::FileHolder holder;
  };
  static std::set<std::string> bases_of(const ln::Node& node, const std::vector<Step>& steps);
  Result<std::optional<Same>> stranger_of(const Subject& subject, const std::set<std::string>& bases,
                                          const storage::ManifestFile& file);
  Result<std::int64_t> created_ms(const RepoKey& repo);
  Result<const FileFacts*> files_of(const RepoKey& repo);

  const storage::Index& index_;
  Ancestry ancestry_;
  FindingList findings_;
  std::unordered_map<std::string, std::int64_t> created_;  ///< of bases
  std::unordered_map<std::string, FileFacts> facts_;       ///< of bases
  struct Kind {
    std::uint64_t subjects = 0, with_base = 0, from_files = 0, with_data = 0;
  };
  std::array<Kind, report::kKinds> kinds_{};
  struct EdgeCount {
    std::uint64_t edges = 0, dangling = 0;
    std::array<std::uint64_t, 5> by_evidence{};
  };
  std::map<Relation, EdgeCount> edges_;
  std::uint64_t not_listed_ = 0, card_unreadable_ = 0, not_published_ = 0, files_unread_ = 0, unjudged_ = 0;
};

Result<Subject> Audit::read(const RepoKey& repo) {
  Subject out;
  HM_TRY(out.node, ancestry_.graph().find(repo));
  HM_TRY(const auto listed, storage::find_listing(index_, repo));
  out.listed = listed.has_value();
  HM_TRY(out.created_ms, ln::created_ms(index_, repo));
  HM_TRY(out.snapshot, ln::current_snapshot(index_, repo));
  if (out.snapshot) {
    HM_TRY(out.files, file_facts_of(index_, *out.snapshot));
  }
  HM_TRY(out.steps, ancestry_.above(out.node));
  out.cut_at = ancestry_.cut_at();
  return out;
}

void Audit::count(const Subject& subject) {
  Kind& kind = kinds_[report::index_of(subject.node.repo.kind)];
  ++kind.subjects;
  bool base = false, from_files = false, data = false;
  for (const Step& step : subject.steps) {
    if (step.depth != 1) break;
    const ln::Edge& edge = step.edge();
    EdgeCount& count = edges_[edge.relation];
    ++count.edges;
    ++count.by_evidence[static_cast<std::size_t>(edge.evidence())];
    base |= is_base(edge.relation);
    data |= is_data(edge.relation);
    from_files |= is_base(edge.relation) && edge.evidence() >= Evidence::Derived;
  }
  kind.with_base += base ? 1 : 0;
  kind.from_files += from_files ? 1 : 0;
  kind.with_data += data ? 1 : 0;
  const bool unreadable = subject.snapshot && !subject.snapshot->card.problem.empty();
  not_listed_ += subject.listed ? 0 : 1;
  card_unreadable_ += unreadable ? 1 : 0;
  not_published_ += subject.snapshot ? 0 : 1;
  files_unread_ += subject.files.unread != 0 || (subject.snapshot && subject.snapshot->partial()) ? 1 : 0;
  unjudged_ += !subject.listed && (unreadable || !subject.snapshot) ? 1 : 0;
}

Result<> Audit::judge_targets(const Subject& subject) {
  for (std::uint32_t i = 0; i < subject.steps.size() && subject.steps[i].depth == 1; ++i) {
    const ln::Edge& edge = subject.steps[i].edge();
    HM_TRY(const ln::Standing standing, ln::standing_of(index_, edge.to));
    if (!standing.known) ++edges_[edge.relation].dangling;
    const std::string name = ln::text_of(edge.to);
    const auto path = path_to(subject.steps, i);
    const bool is_said = edge.evidence() >= Evidence::Declared;  // else it is where a file happened to be loaded from
    if (!standing.known && !is_valid_repo_name(edge.to.repo.name)) {
      find(is_data(edge.relation) || !is_said ? Severity::Note : Severity::Warning, "base-is-no-repository", subject,
           "it names \"" + name + "\", which can be no repository", path);
    } else if (!standing.known) {
      const std::string how = edge.to.key
                                  ? "is not known here (the Hub gives it the id " + edge.to.key->rid.text() + ")"
                                  : "is not known here";
      if (is_data(edge.relation))
        find(Severity::Note, "dangling-dataset", subject, "its data " + name + " " + how, path);
      else
        find(is_said ? Severity::Warning : Severity::Note, "dangling-base", subject, "its base " + name + " " + how,
             path);
    } else if (standing.gone_status != 0 && is_base(edge.relation)) {
      find(standing.mirrored ? Severity::Note : Severity::Warning, "base-gone", subject,
           "its base " + name + " is gone upstream (HTTP " + std::to_string(standing.gone_status) + ")" +
               (standing.mirrored ? "; the copy here stays" : " and not mirrored here"),
           path);
    }
  }
  return ok();
}

void Audit::judge_cycles(const Subject& subject) {
  bool names_itself = false;
  for (std::uint32_t i = 0; i < subject.steps.size(); ++i) {
    const Step& step = subject.steps[i];
    if (!(step.edge().to == subject.node)) continue;
    if (step.depth == 1) {
      if (!names_itself)
        find(Severity::Note, "self-loop", subject, "it names itself as what it is made from",
             path_to(subject.steps, i));
      names_itself = true;
      continue;
    }
    find(Severity::Warning, "cycle", subject,
         "it descends from itself in " + std::to_string(step.depth) +
             " steps: at least one of these statements is wrong",
         path_to(subject.steps, i));
    return;  // the shortest is enough
  }
}

/// The edges of a subject's ancestors by the node that they begin at, or end at.
class Audit::Ways {
 public:
  explicit Ways(const Subject& subject) {
    for (const Step& step : subject.steps) {
      const ln::Edge& edge = step.edge();
      up_[ln::id_of(edge.from)].push_back(&edge);
      down_[ln::id_of(edge.to)].push_back(&edge);
    }
  }
  /// A shortest way between this node and one of `ends`, upwards or else downwards, its hops as findings show them,
  /// each child before its parents; empty: there is none.
  std::vector<std::string> between(const std::string& start, const std::set<std::string>& ends) const {
    auto way = walk(up_, start, ends, [](const ln::Edge& edge) { return ln::id_of(edge.to); });
    if (!way.empty()) {
      std::reverse(way.begin(), way.end());
      return way;
    }
    return walk(down_, start, ends, [](const ln::Edge& edge) { return ln::id_of(edge.from); });
  }

 private:
  using Edges = std::unordered_map<std::string, std::vector<const ln::Edge*>>;
  /// The last hop first.
  template <class Next>
  static std::vector<std::string> walk(const Edges& edges, const std::string& start, const std::set<std::string>& ends,
                                       const Next& next) {
    std::unordered_map<std::string, std::pair<std::string, const ln::Edge*>> before{{start, {}}};
    std::deque<std::string> open{start};
    while (!open.empty()) {
      const std::string at = std::move(open.front());
      open.pop_front();
      const auto found = edges.find(at);
      if (found == edges.end()) continue;
      for (const ln::Edge* edge : found->second) {
        std::string to = next(*edge);
        if (!before.try_emplace(to, at, edge).second) continue;
        if (!ends.contains(to)) {
          open.push_back(std::move(to));
          continue;
        }
        std::vector<std::string> way;
        for (; to != start; to = before[to].first) way.push_back(ln::hop_text(*before[to].second));
        return way;
      }
    }
    return {};
  }
  Edges up_, down_;
};

/// A base that the files name and nobody declares. @param declared not empty
void Audit::judge_stray(const Subject& subject, const Ways& ways, const ln::Edge& of_files,
                        const std::vector<const ln::Edge*>& declared) {
  constexpr std::size_t kNamedMax = 10;
  std::vector<std::string> names, path{ln::hop_text(of_files)};
  std::set<std::string> ids;
  for (const ln::Edge* edge : declared) {
    ids.insert(ln::id_of(edge->to));
    if (names.size() == kNamedMax) continue;
    names.push_back(ln::text_of(edge->to));
    path.push_back(ln::hop_text(*edge));
  }
  if (declared.size() > names.size()) names.push_back(std::to_string(declared.size() - names.size()) + " more");
  const std::string what = "its files name " + ln::text_of(of_files.to) + ", declared is " + joined(names, ", ");
  const auto way = ways.between(ln::id_of(of_files.to), ids);
  if (way.empty()) {
    find(Severity::Problem, "base-contradicted", subject, what, std::move(path));
    return;
  }
  path.insert(path.end(), way.begin(), way.end());
  find(Severity::Note, "base-indirect", subject, what + "; one descends from the other", std::move(path));
}

void Audit::judge_contradictions(const Subject& subject) {
  if (!subject.snapshot) return;
  std::vector<const ln::Edge*> declared, of_files;
  std::set<std::string> declared_ids;
  for (const Step& step : subject.steps) {
    if (step.depth != 1) break;
    const ln::Edge& edge = step.edge();
    if (!is_base(edge.relation)) continue;
    for (const ln::Statement& statement : edge.statements) {
      if (!is_current(statement, subject.snapshot->commit)) continue;
      if (statement.evidence == Evidence::Declared && declared_ids.insert(ln::id_of(edge.to)).second)
        declared.push_back(&edge);
      if (statement.evidence == Evidence::Derived && (of_files.empty() || of_files.back() != &edge))
        of_files.push_back(&edge);
    }
  }
  if (declared.empty()) return;
  std::optional<Ways> ways;
  for (const ln::Edge* edge : of_files) {
    // A path on the author's machine says nothing of a repository; judge_targets() tells of it.
    if (declared_ids.contains(ln::id_of(edge->to)) || edge->to == subject.node ||
        (!edge->to.key && !is_valid_repo_name(edge->to.repo.name)))
      continue;
    if (!ways) ways.emplace(subject);
    judge_stray(subject, *ways, *edge, declared);
  }
}

void Audit::judge_relations(const Subject& subject) {
  if (!subject.snapshot) return;
  const FileFacts& files = subject.files;
  auto file_named = [&](std::initializer_list<std::string_view> names) -> const formats::FileClaims* {
    for (const formats::FileClaims& file : files.files)
      if (std::find(names.begin(), names.end(), file.file) != names.end()) return &file;
    return nullptr;
  };
  const formats::FileClaims* const adapter = file_named({"adapter_config.json"});
  const formats::FileClaims* const merge = file_named({"mergekit_config.yml", "mergekit_config.yaml"});
  for (std::uint32_t i = 0; i < subject.steps.size() && subject.steps[i].depth == 1; ++i) {
    const ln::Edge& edge = subject.steps[i].edge();
    const bool declared = std::any_of(edge.statements.begin(), edge.statements.end(), [&](const ln::Statement& s) {
      return s.evidence == Evidence::Declared && is_current(s, subject.snapshot->commit);
    });
    if (!declared || !is_base(edge.relation) || edge.relation == Relation::DerivedFrom) continue;
    const std::string said =
        "declared is " + std::string(storage::name_of(edge.relation)) + " of " + ln::text_of(edge.to);
    if (adapter != nullptr && edge.relation != Relation::Adapter)
      find(Severity::Warning, "relation-contradicted", subject,
           said + ", but " + adapter->file + " makes it an adapter", path_to(subject.steps, i));
    else if (adapter == nullptr && merge != nullptr && edge.relation != Relation::Merge &&
             edge.relation != Relation::Quantized)
      find(Severity::Warning, "relation-contradicted", subject, said + ", but " + merge->file + " makes it a merge",
           path_to(subject.steps, i));
  }
}

Result<const FileFacts*> Audit::files_of(const RepoKey& repo) {
  const std::string id = repo.text();
  if (const auto known = facts_.find(id); known != facts_.end()) return &known->second;
  if (facts_.size() == kFactsKept) facts_.clear();
  FileFacts& out = facts_[id];
  HM_TRY(const auto snapshot, ln::current_snapshot(index_, repo));
  if (snapshot) {
    HM_TRY(out, file_facts_of(index_, *snapshot));
  }
  return &out;
}

Result<> Audit::judge_shapes(const Subject& subject) {
  const Shape own = shape_of(subject.files);
  if (own.empty()) return ok();
  for (std::uint32_t i = 0; i < subject.steps.size() && subject.steps[i].depth == 1; ++i) {
    const ln::Edge& edge = subject.steps[i].edge();
    if (!keeps_shape(edge.relation) || !edge.to.key || edge.to == subject.node) continue;
    HM_TRY(const FileFacts* of_base, files_of(*edge.to.key));
    const std::string why = exclusion(own, shape_of(*of_base));
    if (!why.empty())
      find(Severity::Warning, "base-excluded", subject,
           "it cannot be " + std::string(storage::name_of(edge.relation)) + " of " + ln::text_of(edge.to) + ": " + why,
           path_to(subject.steps, i));
  }
  return ok();
}

Result<std::int64_t> Audit::created_ms(const RepoKey& repo) {
  const auto [at, is_new] = created_.emplace(repo.text(), 0);
  if (is_new) {
    HM_TRY(at->second, ln::created_ms(index_, repo));
  }
  return at->second;
}

/// Repositories of one release are made in any order, and some before they are filled: a day is given.
Result<> Audit::judge_times(const Subject& subject) {
  if (subject.created_ms == 0) return ok();
  for (std::uint32_t i = 0; i < subject.steps.size() && subject.steps[i].depth == 1; ++i) {
    const ln::Edge& edge = subject.steps[i].edge();
    if (!is_base(edge.relation) || !edge.to.key || edge.evidence() < Evidence::Declared) continue;
    HM_TRY(const std::int64_t base_ms, created_ms(*edge.to.key));
    if (base_ms <= subject.created_ms + kDayMs) continue;
    find(Severity::Warning, "base-younger", subject,
         "its base " + ln::text_of(edge.to) + " was made on " + iso8601(base_ms).substr(0, 10) + ", itself on " +
             iso8601(subject.created_ms).substr(0, 10),
         path_to(subject.steps, i));
  }
  return ok();
}

std::set<std::string> Audit::bases_of(const ln::Node& node, const std::vector<Step>& steps) {
  std::set<std::string> out{ln::id_of(node)};
  for (const Step& step : steps)
    if (is_base(step.edge().relation)) out.insert(ln::id_of(step.edge().to));
  return out;
}

/// The oldest of those who have this file and are older than the subject; nullopt when the file is explained: one of
/// them is its base or made from it, or has a base in common with it.
Result<std::optional<Audit::Same>> Audit::stranger_of(const Subject& subject, const std::set<std::string>& bases,
                                                      const storage::ManifestFile& file) {
  std::map<RepoKey, storage::FileHolder> holders;
  HM_TRY(storage::each_holder(index_, file.sha256, [&](const storage::FileHolder& holder) {
    if (holder.repo != *subject.node.key) holders.emplace(holder.repo, holder);
    return holders.size() < kHoldersMax;
  }));
  std::vector<Same> older;
  for (const auto& [repo, holder] : holders) {
    if (bases.contains(repo.text())) return std::optional<Same>();
    HM_TRY(const std::int64_t made_ms, created_ms(repo));
    if (made_ms != 0 && made_ms < subject.created_ms) older.push_back({made_ms, &file, holder});
  }
  std::sort(older.begin(), older.end(), [](const Same& a, const Same& b) {
    return std::tie(a.made_ms, a.holder.repo) < std::tie(b.made_ms, b.holder.repo);
  });
  for (std::size_t i = 0; i < older.size() && i < kRelatedMax; ++i) {
    HM_TRY(const ln::Node other, ancestry_.graph().find(older[i].holder.repo));
    HM_TRY(const auto steps, ancestry_.above(other));
    for (const std::string& base : bases_of(other, steps))
      if (bases.contains(base)) return std::optional<Same>();
  }
  return older.empty() ? std::optional<Same>() : std::optional(older.front());
}

/// @returns whether somebody was named.
Result<bool> Audit::judge_files(const Subject& subject) {
  if (!subject.snapshot || !subject.node.key || subject.created_ms == 0) return false;
  HM_TRY(const auto packed, index_.get(storage::Family::Manifests, subject.snapshot->manifest.view()));
  if (!packed) return false;
  HM_TRY(const auto manifest, storage::unpack_manifest(*packed, subject.snapshot->manifest));
  const auto bases = bases_of(subject.node, subject.steps);
  std::optional<Same> oldest;  // the likeliest origin is named, once
  std::size_t looked_at = 0;
  for (const storage::ManifestFile& file : manifest.files) {
    if (!file.is_lfs || !is_weight_file(file.path)) continue;
    if (++looked_at > kWeightFilesMax) break;
    HM_TRY(const auto same, stranger_of(subject, bases, file));
    if (same && (!oldest || same->made_ms < oldest->made_ms)) oldest = same;
  }
  if (!oldest) return false;
  HM_TRY(const ln::Node origin, ancestry_.graph().find(oldest->holder.repo));
  HM_TRY(const std::string theirs, path_of(index_, oldest->file->sha256, oldest->holder));
  find(Severity::Warning, "undeclared-parent", subject,
       "its file " + printable(oldest->file->path) + " is byte for byte " +
           (theirs.empty() ? "a file" : printable(theirs)) + " of " + ln::text_of(origin) + ", made on " +
           iso8601(oldest->made_ms).substr(0, 10) + ", from which it is not said to descend");
  return true;
}

/// Weights that were saved anew: other files, the same tensors. Where somebody related has them too, that explains it;
/// else of the older strangers the one with most of them is named.
Result<> Audit::judge_tensors(const Subject& subject) {
  if (!subject.snapshot || !subject.node.key) return ok();
  HM_TRY(const auto sharers, who_shares_tensors(index_, *subject.node.key));
  const SharedWith* origin = nullptr;
  for (const SharedWith& shared : sharers) {
    if (shared.kinship == Kinship::Part) continue;
    if (shared.declared != Declared::Nothing) return ok();
    if (origin == nullptr && shared.order == Order::OtherFirst) origin = &shared;
  }
  if (origin == nullptr) return ok();
  find(Severity::Warning, "undeclared-parent", subject,
       origin->edge.statements.front().text + ", are tensors of " + ln::text_of(origin->edge.to) +
           ", made earlier, from which it is not said to descend");
  return ok();
}

Result<> Audit::look_at(const RepoKey& repo) {
  HM_TRY(const Subject subject, read(repo));
  count(subject);
  HM_TRY(judge_targets(subject));
  judge_cycles(subject);
  if (!subject.cut_at.empty())
    find(Severity::Warning, "lineage-truncated", subject,
         subject.cut_at + " names more than " + std::to_string(ln::kClaimsMax) + " others; the rest is not looked at");
  judge_contradictions(subject);
  judge_relations(subject);
  HM_TRY(judge_shapes(subject));
  HM_TRY(judge_times(subject));
  HM_TRY(const bool is_named, judge_files(subject));
  return is_named ? ok() : judge_tensors(subject);
}

Result<report::Report> Audit::finish(const Subjects& subjects) {
  report::Report out;
  out.id = "audit-lineage";
  out.title = "Lineage of " + subjects.words;
  HM_TRY(out.basis, report::basis_of(index_));
  Kind sum;
  for (const Kind& kind : kinds_) {
    sum.subjects += kind.subjects;
    sum.with_base += kind.with_base;
    sum.from_files += kind.from_files;
  }
  const report::Share judged{sum.subjects - unjudged_, sum.subjects};
  out.answer = {"Of " + counted(sum.subjects, "repository") + " (" + subjects.words + ") " +
                    std::to_string(sum.with_base) +
                    (sum.with_base == 1 ? " says what it is made from, " : " say what they are made from, ") +
                    std::to_string(sum.from_files) + " by files too.",
                "Findings: " + findings_.words() + "."};

  report::FigureTable table;
  table.id = "subjects";
  table.title = "Who says what it is made from";
  table.population = subjects.words;
  table.columns = {{"kind", "of repository"},
                   {"subjects", "looked at"},
                   {"with_base", "of the subjects: a base is named by listing, card or files"},
                   {"from_files", "of the subjects: a base is named by their files"},
                   {"without_base", "of the subjects: roots, or they do not say"},
                   {"with_data", "of the subjects: data are named"}};
  for (const RepoKind kind : report::kAllKinds) {
    const Kind& k = kinds_[report::index_of(kind)];
    if (k.subjects == 0) continue;
    table.rows.push_back({std::string(name_of(kind)), k.subjects, report::Share{k.with_base, k.subjects},
                          report::Share{k.from_files, k.subjects}, report::Share{k.subjects - k.with_base, k.subjects},
                          report::Share{k.with_data, k.subjects}});
  }
  table.judged = judged;
  table.gaps = {{"not listed", not_listed_, "no listing named them; only their card and their files speak"},
                {"card not readable", card_unreadable_, "their README has no front matter that can be read"},
                {"files not seen", not_published_, "nothing of them is published here; only the listing speaks"},
                {"files not all read", files_unread_, "some files are not here or were too many to read"}};
  table.gaps.insert(table.gaps.end(), subjects.gaps.begin(), subjects.gaps.end());
  out.tables.push_back(std::move(table));

  report::FigureTable edges;
  edges.id = "edges";
  edges.title = "What they name";
  edges.population = "edges from the subjects to what they name directly; several statements of one are one edge";
  edges.columns = {{"relation", "as declared or as files show it"},
                   {"edges", "of this relation"},
                   {"inferred", "edges whose best evidence this is"},
                   {"declared", "edges whose best evidence is the card or the listing"},
                   {"files", "edges whose best evidence is a file"},
                   {"identical", "edges whose best evidence is equal bytes"},
                   {"dangling", "of the edges: to what nobody has here"}};
  report::Share resolved;
  for (const auto& [relation, count] : edges_) {
    edges.rows.push_back({std::string(storage::name_of(relation)), count.edges, count.by_evidence[0],
                          count.by_evidence[1], count.by_evidence[2], count.by_evidence[4],
                          report::Share{count.dangling, count.edges}});
    resolved.of += count.edges;
    resolved.part += count.edges - count.dangling;
  }
  edges.judged = resolved;
  edges.gaps = {{"dangling", resolved.of - resolved.part, "where they lead from there is not known"}};
  out.tables.push_back(std::move(edges));
  out.tables.push_back(findings_.table({kRules.begin(), kRules.end()}, subjects.words, judged));
  out.findings = findings_.take();
  out.sort_findings();
  return out;
}
}  // namespace

Result<report::Report> lineage(const storage::Index& index, const Subjects& subjects) {
  Audit audit(index);
  HM_TRY(each_subject(index, subjects, [&](const RepoKey& repo) { return audit.look_at(repo); }));
  return audit.finish(subjects);
}
}  // namespace hm::provenance::audit
