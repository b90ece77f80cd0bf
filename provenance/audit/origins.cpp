#include "provenance/audit/origins.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "provenance/audit/ancestry.hpp"
#include "provenance/audit/finding_list.hpp"
#include "provenance/lineage/standing.hpp"
#include "storage/edge_row.hpp"

namespace hm::provenance::audit {
namespace {
using lineage::id_of;
using lineage::Node;
using report::Figure;
using report::FigureTable;
using report::Finding;
using report::Severity;
using report::Share;

const std::string kUnknown = "unknown";
constexpr std::size_t kDrawnMax = 2'000;  // nodes; nobody could read more

std::string owner_of(const RepoId& repo) {
  const auto slash = repo.name.find('/');
  return slash == repo.name.npos || !is_valid_repo_name(repo.name) ? std::string() : repo.name.substr(0, slash);
}

/// One repository on the way, and what the table says of its owner.
struct Place {
  Node node;
  std::string owner;
  const Origin* origin = nullptr;
  std::string jurisdiction = kUnknown, sector = kUnknown;
};
struct Subject {
  Place self;
  std::vector<Step> above;
  std::vector<Place> roots;  ///< itself when it names no base
  std::vector<Place> between;
  bool circle = false;  ///< some of its bases lead in a circle and to no root
  std::string cut_at;   ///< who of them names more bases than are read; "" nobody
};

class OriginsAudit {
 public:
  OriginsAudit(const storage::Index& index, const OriginQuestion& question, const Subjects& asked)
      : index_(index), question_(question), asked_(asked), ancestry_(index, walk_to_bases()), standings_(index) {}

  Result<report::Report> run() {
    for (const RepoKey& key : asked_.keys) {
      HM_TRY(const Subject subject, read(key));
      count(subject);
      HM_TRY(judge(subject));
      draw(subject);
    }
    out_.id = "audit-origins";
    out_.title = "Origins of " + asked_.words;
    HM_TRY(out_.basis, report::basis_of(index_));
    write_tables();
    write_answer();
    if (!drawing_.nodes.empty()) {
      drawing_.title = "The descent of " + asked_.words;
      out_.graphs.push_back(std::move(drawing_));
    }
    finish_findings(out_);
    return std::move(out_);
  }

 private:
  Place place_of(const Node& node) const {
    Place out{node, owner_of(node.repo)};
    if (!out.owner.empty()) out.origin = question_.origins.find(out.owner);
    if (out.origin == nullptr) return out;
    out.jurisdiction = std::string(shown_jurisdiction(*out.origin));
    out.sector = std::string(name_of(out.origin->sector));
    return out;
  }

  Result<Subject> read(const RepoKey& key) {
    HM_TRY(const Node node, ancestry_.graph().find(key));
    Subject out;
    out.self = place_of(node);
    HM_TRY(out.above, ancestry_.above(node));
    out.cut_at = ancestry_.cut_at();
    std::set<std::string> has_base;
    std::map<std::string, Node> seen;
    const std::string self = id_of(node);
    for (const Step& step : out.above) {
      const std::string from = id_of(step.edge().from), to = id_of(step.edge().to);
      if (from != to) has_base.insert(from);
      if (to != self) seen.emplace(to, step.edge().to);
    }
    for (const auto& [id, base] : seen) (has_base.contains(id) ? out.between : out.roots).push_back(place_of(base));
    if (!has_base.contains(self)) out.roots.push_back(out.self);
    out.circle = out.roots.empty();
    return out;
  }

  void count(const Subject& subject) {
    ++by_publisher_[subject.self.jurisdiction];
    ++by_publisher_sector_[subject.self.sector];
    std::set<std::string> jurisdictions, sectors;
    std::vector<RootOwner> owners;
    std::string names;
    for (const Place& root : subject.roots) {
      jurisdictions.insert(root.jurisdiction);
      sectors.insert(root.sector);
      owners.push_back({root.owner.empty() ? root.node.repo.name : root.owner, 1});
      names += (names.empty() ? "" : ", ") + root.node.repo.text();
    }
    if (subject.circle) {
      jurisdictions.insert(kUnknown);
      sectors.insert(kUnknown);
      ++circles_;
    }
    if (!subject.cut_at.empty()) {
      jurisdictions.insert(kUnknown);
      sectors.insert(kUnknown);
      ++cut_;
    }
    for (const std::string& j : jurisdictions) note_root(by_root_, j, jurisdictions.size() == 1);
    for (const std::string& s : sectors) note_root(by_root_sector_, s, sectors.size() == 1);
    rows_.push_back({subject.self.node.repo.text(), figure(subject.self.owner), subject.self.jurisdiction,
                     subject.self.sector, figure(names), origin_of_family(question_.origins, owners).text()});
  }
  struct RootCount {
    std::uint64_t any = 0, alone = 0;
  };
  static void note_root(std::map<std::string, RootCount>& counts, const std::string& word, bool alone) {
    RootCount& count = counts[word];
    ++count.any;
    if (alone) ++count.alone;
  }
  static Figure figure(const std::string& text) { return text.empty() ? Figure{} : Figure{text}; }

  /// "the table says CN: Alibaba Cloud (curated.csv, read 2026-11-28)".
  static std::string why(const Place& place) {
    if (place.origin == nullptr)
      return place.owner.empty() ? place.node.repo.text() + " has no owner in its name"
                                 : "no table has a row for " + place.owner;
    return place.owner + " is " + (place.origin->entity.empty() ? std::string("not named") : place.origin->entity) +
           ", " + place.jurisdiction + " (" + place.origin->list + ", read " + place.origin->read + ")";
  }
  bool refused(const Place& place) const { return question_.refused.contains(place.jurisdiction); }

  Result<> judge(const Subject& subject) {
    const std::string name = subject.self.node.repo.text();
    std::set<std::string> missing;
    for (const Step& step : subject.above) {
      const Node& to = step.edge().to;
      if (step.again) continue;
      std::string id = id_of(to);
      // An id that the Hub gave for a base may be all that is known.
      HM_TRY(const lineage::Standing standing, standings_.of(to, id));
      if (standing.known || !missing.insert(id).second) continue;
      missing_.insert(std::move(id));
      out_.findings.push_back({Severity::Note, "base-not-found", name,
                               lineage::text_of(to) + " is not known here: what is behind it cannot be told, and its "
                                                      "owner counts by the name it was given",
                               way_to(subject, to)});
    }
    if (refused(subject.self))
      out_.findings.push_back({Severity::Problem,
                               "publisher-refused",
                               name,
                               "its publisher's jurisdiction is " + subject.self.jurisdiction,
                               {why(subject.self)}});
    for (const Place& root : subject.roots)
      if (refused(root) && !(root.node == subject.self.node))
        found(subject, root, Severity::Problem, "root-refused", "root base");
    for (const Place& place : subject.between)
      if (refused(place)) found(subject, place, Severity::Warning, "base-refused", "base on the way");
    if (!subject.cut_at.empty())
      out_.findings.push_back(
          {question_.refused.empty() ? Severity::Warning : Severity::Problem,
           "lineage-truncated",
           name,
           subject.cut_at + " names more bases than are looked at: others of them may be from anywhere",
           {}});
    if (subject.circle && question_.refused.contains(kUnknown))
      out_.findings.push_back(
          {Severity::Problem, "root-refused", name, "its bases lead in a circle: it has no root", {}});
    return ok();
  }
  void found(const Subject& subject, const Place& place, Severity severity, const char* rule, const char* what) {
    auto path = way_to(subject, place.node);
    path.push_back(why(place));
    out_.findings.push_back(
        {severity, rule, subject.self.node.repo.text(),
         "its " + std::string(what) + " " + place.node.repo.text() + " is from " + place.jurisdiction,
         std::move(path)});
  }
  static std::vector<std::string> way_to(const Subject& subject, const Node& to) {
    for (std::uint32_t i = 0; i < subject.above.size(); ++i)
      if (!subject.above[i].again && subject.above[i].edge().to == to) return path_to(subject.above, i);
    return {};
  }

  void draw(const Subject& subject) {
    draw(subject.self, true);
    for (const auto* places : {&subject.between, &subject.roots})
      for (const Place& place : *places) draw(place, false);
    for (const Step& step : subject.above) {
      const lineage::Edge& edge = step.edge();
      const std::string from = id_of(edge.from), to = id_of(edge.to);
      if (!drawn_.contains(from) || !drawn_.contains(to) || !edges_.insert({from, to}).second) continue;
      drawing_.edges.push_back({from, to,
                                std::string(name_of(edge.relation)) + ", " + std::string(name_of(edge.evidence())),
                                edge.evidence() == storage::Evidence::Inferred});
    }
  }
  void draw(const Place& place, bool subject) {
    const std::string id = id_of(place.node);
    if (const auto it = drawn_.find(id); it != drawn_.end()) {
      if (subject) drawing_.nodes[it->second].subject = asked_.keys.size() == 1;
      return;
    }
    if (drawing_.nodes.size() == kDrawnMax) {
      if (left_out_.insert(id).second) ++drawing_.left_out;
      return;
    }
    drawn_.emplace(id, drawing_.nodes.size());
    // When everything was asked about, nothing stands out.
    drawing_.nodes.push_back({id, place.node.repo.text(), place.jurisdiction, subject && asked_.keys.size() == 1,
                              place.origin != nullptr && !place.origin->entity.empty() ? place.origin->entity : ""});
  }

  static FigureTable publishers(const std::map<std::string, std::uint64_t>& counts, const char* id, const char* word,
                                const char* meaning, std::uint64_t all) {
    FigureTable table;
    table.id = id;
    table.title = std::string("Publishers by ") + word;
    table.columns = {{word, meaning},
                     {"repositories", "whose publisher is of it"},
                     {"share", "of the repositories that were asked about"}};
    std::vector<std::pair<std::string, std::uint64_t>> rows(counts.begin(), counts.end());
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [key, number] : rows) table.rows.push_back({key, number, Share{number, all}});
    return table;
  }
  static FigureTable roots(const std::map<std::string, RootCount>& counts, const char* id, const char* word,
                           const char* meaning, std::uint64_t all) {
    FigureTable table;
    table.id = id;
    table.title = std::string("Root bases by ") + word;
    table.columns = {
        {word, meaning},
        {"repositories", "that descend from a root base of it; one with several roots counts in several rows"},
        {"share", "of the repositories that were asked about"},
        {"alone", "repositories all of whose root bases are of it"},
        {"share_alone", "these, of the repositories that were asked about"}};
    std::vector<std::pair<std::string, RootCount>> rows(counts.begin(), counts.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.second.any > b.second.any; });
    for (const auto& [key, count] : rows)
      table.rows.push_back({key, count.any, Share{count.any, all}, count.alone, Share{count.alone, all}});
    return table;
  }
  template <class Count>
  static Count of_unknown(const std::map<std::string, Count>& counts) {
    const auto at = counts.find(kUnknown);
    return at == counts.end() ? Count() : at->second;
  }
  void write_tables() {
    const std::uint64_t all = asked_.keys.size();
    const char* const jurisdiction =
        "ISO 3166-1 alpha-2, as the table of origins says of the owner; unknown when it does not";
    const char* const sector = "as the table of origins says of the owner; unknown when it does not";
    out_.tables = {publishers(by_publisher_, "publishers_by_jurisdiction", "jurisdiction", jurisdiction, all),
                   publishers(by_publisher_sector_, "publishers_by_sector", "sector", sector, all),
                   roots(by_root_, "roots_by_jurisdiction", "jurisdiction", jurisdiction, all),
                   roots(by_root_sector_, "roots_by_sector", "sector", sector, all)};
    FigureTable each;
    each.id = "repositories";
    each.title = "Each repository";
    each.columns = {{"repository", "as it is called now"},
                    {"publisher", "the part of its name before the '/'"},
                    {"jurisdiction", jurisdiction},
                    {"sector", sector},
                    {"roots", "bases that name no base, at the end of its descent; itself when it names none"},
                    {"family_origin", "of the owners of these, with shares when there are several"}};
    each.rows = std::move(rows_);
    out_.tables.push_back(std::move(each));
    // In the order of the tables; that of each repository tells both, and rests on its roots.
    const std::array<std::uint64_t, 5> unknown{of_unknown(by_publisher_), of_unknown(by_publisher_sector_),
                                               of_unknown(by_root_).any, of_unknown(by_root_sector_).any,
                                               of_unknown(by_root_).any};
    for (std::size_t i = 0; i < out_.tables.size(); ++i) {
      FigureTable& table = out_.tables[i];
      table.population = asked_.words;
      const bool of_publishers = i < 2;
      const std::string fact = i == 1 || i == 3 ? "sector" : "jurisdiction";
      table.judged = {all - unknown[i], all};
      table.gaps = {
          of_publishers
              ? report::Gap{"publisher unknown", unknown[i],
                            "no row of the table of origins names its " + fact + "; nothing is inferred from a name"}
              : report::Gap{"root unknown", unknown[i],
                            "of at least one root base the table of origins names no " + fact + ", or there is none"}};
      if (!of_publishers) {
        table.gaps.push_back({"bases not found", missing_.size(),
                              "they are named and not known here; their owners count by the names they were given"});
        table.gaps.push_back({"circles", circles_, "bases lead back to where they came from; there is no root"});
        table.gaps.push_back({"lineage too large", cut_, "somebody on the way names more bases than are looked at"});
      }
    }
    auto& gaps = out_.tables.front().gaps;
    gaps.insert(gaps.end(), asked_.gaps.begin(), asked_.gaps.end());
  }
  void write_answer() {
    const std::uint64_t all = asked_.keys.size();
    if (all == 0) {
      out_.answer = {"There is nothing to judge: no repository is chosen (" + asked_.words + ")."};
      return;
    }
    if (!question_.refused.empty()) {
      std::set<std::string> bad;
      for (const Finding& f : out_.findings)
        if (f.severity == Severity::Problem) bad.insert(f.subject);
      std::string refused;
      for (const std::string& word : question_.refused) refused += (refused.empty() ? "" : ", ") + word;
      out_.answer.push_back(
          bad.empty()
              ? "None of " + counted(all, "repository") + " has a publisher or a root base from " + refused + "."
              : std::to_string(bad.size()) + " of " + counted(all, "repository") +
                    (bad.size() == 1 ? " has" : " have") + " a publisher or a root base from " + refused + ".");
    }
    if (all == 1) {
      const auto& row = out_.tables.back().rows.front();
      out_.answer.push_back(text_of(row[0]) + " is published by " + text_of(row[1]) + " (" + text_of(row[2]) +
                            "); its root bases are from: " + text_of(row[5]) + ".");
      return;
    }
    out_.answer.push_back("Publishers of " + counted(all, "repository") + ": " + shares_text(out_.tables[0], 2) + ".");
    out_.answer.push_back("Root bases: " + shares_text(out_.tables[2], 2) + ".");
    out_.answer.push_back("Not known: the publisher's jurisdiction of " + std::to_string(of_unknown(by_publisher_)) +
                          ", that of a root base of " + std::to_string(of_unknown(by_root_).any) + ".");
  }
  static std::string shares_text(const FigureTable& table, std::size_t column) {
    constexpr std::size_t kNamed = 6;
    std::string out;
    for (std::size_t i = 0; i < table.rows.size() && i < kNamed; ++i)
      out += (i == 0 ? "" : ", ") + text_of(table.rows[i][0]) + " " + text_of(table.rows[i][column]);
    return table.rows.size() > kNamed ? out + ", …" : out;
  }

  const storage::Index& index_;
  const OriginQuestion& question_;
  const Subjects& asked_;
  Ancestry ancestry_;
  Standings standings_;
  report::Report out_;
  report::Graph drawing_;
  std::map<std::string, std::size_t> drawn_;
  std::set<std::string> left_out_, missing_;
  std::set<std::pair<std::string, std::string>> edges_;
  std::map<std::string, std::uint64_t> by_publisher_, by_publisher_sector_;
  std::map<std::string, RootCount> by_root_, by_root_sector_;
  std::vector<std::vector<Figure>> rows_;
  std::uint64_t circles_ = 0, cut_ = 0;
};
}  // namespace

Result<std::set<std::string>> parse_refused(const std::vector<std::string>& words) {
  std::set<std::string> out;
  for (const std::string& word : words) {
    for (const std::string_view part : split(word, ',')) {
      std::string code(trim(part));
      if (ascii_equal_fold(code, kUnknown)) {
        out.insert(kUnknown);
        continue;
      }
      for (char& c : code)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      if (!is_jurisdiction(code))
        return Error{Errc::BadInput, "\"" + printable(part) +
                                         "\" is no jurisdiction: write codes of ISO 3166-1 alpha-2, e.g. CN or GB, or "
                                         "unknown"};
      out.insert(std::move(code));
    }
  }
  return out;
}

Result<report::Report> origins(const storage::Index& index, const OriginQuestion& question, const Subjects& asked) {
  return OriginsAudit(index, question, asked).run();
}
}  // namespace hm::provenance::audit
