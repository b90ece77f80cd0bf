#include "crawler/policy_choice.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "crawler/derivatives.hpp"
#include "crawler/exclusion.hpp"
#include "provenance/selection.hpp"
#include "storage/columns.hpp"

namespace hm::crawler {
using provenance::BaseRelation;

namespace {
constexpr std::uint64_t kMatchesMax = 1'000'000;  // some hundred bytes and 40 microseconds each
constexpr std::size_t kWhyMax = 8;                // a model may be the base of thousands
constexpr std::size_t kSkippedMax = 10'000;       // to be read by a person; the others are counted

provenance::Filter filter_of(const config::PolicySelect& select, std::int64_t now_ms) {
  provenance::Filter f;
  f.kind = select.kind;
  f.words = select.words;
  f.names = select.names;
  f.owners = select.owners;
  f.licences = select.licences;
  f.libraries = select.libraries;
  f.tasks = select.tasks;
  f.tags = select.tags;
  f.gated = select.gated;
  f.downloads_min = select.downloads_min;
  f.likes_min = select.likes_min;
  f.parameters_min = select.parameters_min;
  f.parameters_max = select.parameters_max;
  f.bytes_max = select.size_max;
  if (select.created_since) f.created_since_ms = select.created_since->at(now_ms);
  if (select.changed_since) f.changed_since_ms = select.changed_since->at(now_ms);
  return f;
}

BaseRelation relation_of(std::string_view word) {
  if (word == "finetune") return BaseRelation::Finetune;
  if (word == "adapter") return BaseRelation::Adapter;
  return word == "quantized" ? BaseRelation::Quantized : BaseRelation::Merge;
}
std::string_view name_of(BaseRelation relation) {
  switch (relation) {
    case BaseRelation::Finetune:
      return "finetune";
    case BaseRelation::Adapter:
      return "adapter";
    case BaseRelation::Quantized:
      return "quantized";
    case BaseRelation::Merge:
      return "merge";
    case BaseRelation::Unknown:
      break;
  }
  return "derivative";
}

std::string listed_licences(const std::vector<std::string>& licences) {
  std::string out;
  for (const std::string& licence : licences) out += (out.empty() ? "" : ", ") + printable(licence);
  return out;
}

/// What a repository says it was made from.
struct Lineage {
  RepoKey key;
  std::string name;
  std::vector<provenance::Base> bases;
  std::vector<std::string> base_names;  ///< as tags spell them; more than `bases` where the Hub does not list one
};
std::vector<std::string> values_of_tags(const std::vector<std::string>& tags, std::string_view prefix) {
  std::vector<std::string> out;
  for (const std::string& tag : tags) {
    if (!tag.starts_with(prefix)) continue;
    std::string value = tag.substr(prefix.size());
    if (value.find(':') == std::string::npos) out.push_back(std::move(value));  // "base_model:finetune:x" says x again
  }
  return out;
}

class Chooser {
 public:
  Chooser(const storage::Index& index, const config::MirrorPolicy& policy, std::int64_t now_ms)
      : index_(index), policy_(policy), exclusion_(policy.exclude), now_ms_(now_ms) {}
  Result<PolicyChoice> run() {
    HM_TRY(take_named());  // first: a licence that a list is wrong about keeps the repository out altogether
    HM_TRY(take_selected());
    HM_TRY(take_derivatives());
    HM_TRY(take_bases());
    HM_TRY(take_datasets());
    return finish();
  }

 private:
  Result<> take_named();
  Result<> take_selected();
  Result<> take_derivatives();
  Result<> take_bases();
  Result<> take_datasets();
  Result<PolicyChoice> finish();
  Result<> name_one(const config::ListedRepo& listed);
  Result<std::vector<provenance::Found>> bases_of(const Lineage& child);
  void order();

  /// @param named_revision of what the policy names; nullptr: it is here for another reason. @returns false when
  /// something forbids it, which is noted.
  bool take(const provenance::Found& found, const std::string& why,
            const std::optional<std::string>* named_revision = nullptr);
  bool forbids(const RepoId& repo, const provenance::Found* found, const std::string& wanted, bool is_named);
  void add(ChosenRepo chosen, const std::string& why, bool is_named);
  void skip(const RepoId& repo, std::string why, std::string wanted, bool is_over_limits = false);
  /// What closures need of a repository that is wanted.
  void remember(const provenance::Found& found);
  std::optional<std::string> revision() const {
    const std::string& revision = policy_.revisions.revision;
    return revision.empty() ? std::nullopt : std::optional(revision);
  }

  const storage::Index& index_;
  const config::MirrorPolicy& policy_;
  const Exclusion exclusion_;
  const std::int64_t now_ms_;
  PolicyChoice out_;
  std::map<std::string, std::vector<std::size_t>> places_;  ///< name in lower case → chosen
  std::map<std::string, std::size_t> skipped_;              ///< name in lower case → skipped
  std::map<RepoKey, std::string> refused_;                  ///< whatever else wants it
  std::map<RepoKey, Lineage> taken_;                        ///< models that are chosen
  std::map<RepoId, std::string> datasets_;                  ///< declared → by whom first
  std::size_t skipped_more_ = 0, unknown_ = 0;
};

void Chooser::skip(const RepoId& repo, std::string why, std::string wanted, bool is_over_limits) {
  if (skipped_.contains(ascii_lower(repo.text()))) return;
  if (out_.skipped.size() == kSkippedMax) {
    ++skipped_more_;
    return;
  }
  skipped_.emplace(ascii_lower(repo.text()), out_.skipped.size());
  out_.skipped.push_back({repo, std::move(why), std::move(wanted), is_over_limits});
}

bool Chooser::forbids(const RepoId& repo, const provenance::Found* found, const std::string& wanted, bool is_named) {
  std::string reason = exclusion_.reason(repo, found);
  if (found != nullptr && reason.empty()) {
    if (const auto it = refused_.find(found->key); it != refused_.end()) reason = it->second;
    if (found->row.gone_status != 0) reason = "gone upstream (" + std::to_string(found->row.gone_status) + ")";
    if (found->facts.visibility == "private" && !is_named) reason = "private";
    if (found->facts.disabled) reason = "disabled by the Hub";
  }
  if (reason.empty()) return false;
  skip(repo, std::move(reason), wanted);
  return true;
}

void Chooser::add(ChosenRepo chosen, const std::string& why, bool is_named) {
  auto& places = places_[ascii_lower(chosen.repo.text())];
  // What is named is mirrored at the revisions that are named, whatever else wants it.
  const bool is_new = is_named
                          ? std::none_of(places.begin(), places.end(),
                                         [&](std::size_t at) { return out_.chosen[at].revision == chosen.revision; })
                          : places.empty();
  const auto revision = chosen.revision;
  if (is_new) {
    places.push_back(out_.chosen.size());
    out_.chosen.push_back(std::move(chosen));
  }
  for (const std::size_t at : places) {
    if (is_named && out_.chosen[at].revision != revision) continue;
    auto& reasons = out_.chosen[at].why;
    if (reasons.size() < kWhyMax && std::find(reasons.begin(), reasons.end(), why) == reasons.end())
      reasons.push_back(why);
  }
}

void Chooser::remember(const provenance::Found& found) {
  const config::PolicyClosure& closure = policy_.closure;
  if (closure.datasets)
    for (std::string& name : values_of_tags(found.facts.tags, "dataset:"))
      datasets_.emplace(RepoId{RepoKind::Dataset, std::move(name)}, found.row.name);
  if (found.key.kind != RepoKind::Model || (closure.bases == 0 && closure.derivatives == 0)) return;
  taken_.try_emplace(found.key, Lineage{found.key, found.row.name, found.facts.bases,
                                        values_of_tags(found.facts.tags, "base_model:")});
}

bool Chooser::take(const provenance::Found& found, const std::string& why,
                   const std::optional<std::string>* named_revision) {
  const RepoId repo{found.key.kind, found.row.name};
  if (forbids(repo, &found, why, named_revision != nullptr)) return false;
  ChosenRepo chosen;
  chosen.key = found.key;
  chosen.repo = repo;
  chosen.revision = named_revision != nullptr ? *named_revision : revision();
  chosen.downloads = found.popularity.downloads;
  chosen.likes = found.popularity.likes;
  chosen.parameters = found.facts.parameters;
  chosen.storage_bytes = found.facts.storage_bytes;
  chosen.modified_ms = found.facts.modified_ms;
  chosen.licences = found.facts.licences;
  chosen.gated = found.facts.visibility.starts_with("gated");
  add(std::move(chosen), why, named_revision != nullptr);
  remember(found);
  return true;
}

Result<> Chooser::name_one(const config::ListedRepo& listed) {
  const RepoSpec& spec = listed.spec;
  HM_TRY(const auto found, spec.rid ? provenance::find_listed(index_, RepoKey{spec.repo.kind, *spec.rid})
                                    : provenance::find_listed(index_, spec.repo));
  const auto wanted = spec.revision ? spec.revision : revision();
  if (!found && spec.rid) {
    skip({spec.repo.kind, RepoKey{spec.repo.kind, *spec.rid}.text()},
         "no listing knows this id; a Hub is asked by name, so write org/name", listed.where);
  } else if (!found) {
    ++unknown_;
    if (forbids(spec.repo, nullptr, listed.where, true)) return ok();
    ChosenRepo chosen;
    chosen.repo = spec.repo;
    chosen.revision = wanted;
    add(std::move(chosen), listed.where, true);
  } else if (!listed.licence.empty() && !found->facts.licences.empty() &&
             !provenance::contains_fold(found->facts.licences, listed.licence)) {
    std::string reason = listed.where + " takes it to be under " + printable(listed.licence) + "; the Hub lists " +
                         listed_licences(found->facts.licences);
    skip({found->key.kind, found->row.name}, reason, listed.where);
    refused_.emplace(found->key, std::move(reason));
  } else {
    std::string why = listed.where;
    if (!spec.rid && !ascii_equal_fold(spec.repo.name, found->row.name)) why += " as " + spec.repo.name;
    if (!listed.licence.empty() && found->facts.licences.empty())
      why += ", whose " + printable(listed.licence) + " is not confirmed: the Hub lists no licence";
    (void)take(*found, why, &wanted);
  }
  return ok();
}

Result<> Chooser::take_named() {
  // Licences first: a line that believes a wrong one holds against the lines that say none.
  for (const bool says_licence : {true, false}) {
    for (const config::ListedRepo& listed : policy_.select.repos) {
      if (listed.licence.empty() == says_licence) continue;
      HM_TRY(name_one(listed));
    }
  }
  return ok();
}

Result<> Chooser::take_selected() {
  const config::PolicySelect& select = policy_.select;
  if (!select.has_conditions()) return ok();
  const provenance::Filter filter = filter_of(select, now_ms_);
  std::size_t matches = 0;
  if (select.top != 0) {
    HM_TRY(const auto found, provenance::search(index_, filter, select.by, static_cast<std::size_t>(select.top)));
    for (const provenance::Found& one : found) (void)take(one, "selected");
    matches = found.size();
  } else {
    HM_TRY(within(provenance::each_match(index_, filter, kMatchesMax,
                                         [&](const provenance::Found& found) {
                                           ++matches;
                                           (void)take(found, "selected");
                                         }),
                  [] { return "choosing by [select]; add conditions, or select.top"; }));
  }
  if (matches != 0) return ok();
  HM_TRY(const std::uint32_t listed, storage::column_size(index_, storage::Column::State));
  out_.notes.emplace_back(listed == 0 ? "nothing is known of the Hub yet; run: hubmirror crawl"
                                      : "the conditions of [select] match nothing that is known");
  return ok();
}

Result<> Chooser::take_derivatives() {
  const config::PolicyClosure& closure = policy_.closure;
  std::vector<BaseRelation> relations;
  for (const std::string& word : closure.relations) relations.push_back(relation_of(word));
  std::vector<RepoKey> level;
  for (const auto& [key, lineage] : taken_) level.push_back(key);
  std::uint64_t room = closure.derivatives_max, found = 0;
  for (int depth = 0; depth < closure.derivatives && !level.empty(); ++depth) {
    HM_TRY(const auto derivatives, derivatives_of(index_, level, relations));
    level.clear();
    for (const Derivative& derivative : derivatives) {
      if (taken_.contains(derivative.key)) continue;
      ++found;
      if (room == 0) continue;
      HM_TRY(const auto row, provenance::find_listed(index_, derivative.key));
      if (!row || row->row.gone_status != 0) continue;  // what is gone was never asked for by name
      const std::string why = std::string(name_of(derivative.relation)) + " of " + taken_.at(derivative.base).name;
      if (!take(*row, why) || !taken_.contains(derivative.key)) continue;
      level.push_back(derivative.key);
      --room;
    }
  }
  if (room == 0 && found > closure.derivatives_max)
    out_.notes.push_back(std::to_string(found) + " derivatives were found; the " +
                         std::to_string(closure.derivatives_max) +
                         " with the most downloads are taken (closure.derivatives_max)");
  return ok();
}

/// The listed ones; what no listing knows is noted.
Result<std::vector<provenance::Found>> Chooser::bases_of(const Lineage& child) {
  std::vector<provenance::Found> out;
  std::set<RepoKey> seen{child.key};
  for (const provenance::Base& base : child.bases) {
    if (!seen.insert(base.key).second) continue;
    HM_TRY(auto found, provenance::find_listed(index_, base.key));
    if (found) out.push_back(std::move(*found));
  }
  if (out.size() >= child.base_names.size()) return out;
  std::vector<std::string> unknown;
  for (const std::string& name : child.base_names) {
    std::optional<provenance::Found> found;
    if (is_valid_repo_name(name)) {
      HM_TRY(found, provenance::find_listed(index_, RepoId{RepoKind::Model, name}));
    }
    if (!found)
      unknown.push_back(name);
    else if (seen.insert(found->key).second)
      out.push_back(std::move(*found));
  }
  // A tag may spell a name that is no more, of a base that was found by its id.
  if (out.size() + unknown.size() <= child.base_names.size())
    for (const std::string& name : unknown)
      skip({RepoKind::Model, name}, "no listing knows it", "base of " + child.name);
  return out;
}

Result<> Chooser::take_bases() {
  if (policy_.closure.bases == 0) return ok();
  std::set<RepoKey> seen;
  std::vector<Lineage> level;
  for (const auto& [key, lineage] : taken_) {
    seen.insert(key);
    level.push_back(lineage);
  }
  for (int depth = 0; depth < policy_.closure.bases && !level.empty(); ++depth) {
    std::vector<Lineage> next;
    for (const Lineage& child : level) {
      HM_TRY(const auto bases, bases_of(child));
      for (const provenance::Found& base : bases) {
        // What may not be taken itself still has bases that others descend from.
        (void)take(base, "base of " + child.name);
        if (seen.insert(base.key).second)
          next.push_back({base.key, base.row.name, base.facts.bases, values_of_tags(base.facts.tags, "base_model:")});
      }
    }
    level = std::move(next);
  }
  if (policy_.closure.bases == config::kClosureDepthMax && !level.empty())
    out_.notes.push_back(
        "more than " + std::to_string(config::kClosureDepthMax) +
        " levels of base models; those beyond are not followed, the first: " + printable(level.front().name));
  return ok();
}

Result<> Chooser::take_datasets() {
  for (const auto& [repo, by] : datasets_) {
    std::optional<provenance::Found> found;
    if (is_valid_repo_name(repo.name)) {
      HM_TRY(found, provenance::find_listed(index_, repo));
    }
    if (found)
      (void)take(*found, "training data of " + by);
    else
      skip(repo, "no listing knows it", "training data of " + by);
  }
  return ok();
}

void Chooser::order() {
  const auto rank = [this](const ChosenRepo& c) -> std::uint64_t {
    switch (policy_.schedule.order) {
      case config::PolicyOrder::SmallestFirst:
        return c.storage_bytes == 0 ? UINT64_MAX : c.storage_bytes;
      case config::PolicyOrder::NewestFirst:
        return UINT64_MAX - static_cast<std::uint64_t>(std::max<std::int64_t>(c.modified_ms, 0));
      case config::PolicyOrder::Downloads:
        break;
    }
    return UINT64_MAX - c.downloads;
  };
  std::sort(out_.chosen.begin(), out_.chosen.end(), [&](const ChosenRepo& a, const ChosenRepo& b) {
    return std::tuple(rank(a), a.repo, a.revision) < std::tuple(rank(b), b.repo, b.revision);
  });
}

Result<PolicyChoice> Chooser::finish() {
  order();
  const std::uint64_t repos_max = policy_.limits.repos_max;
  if (repos_max != 0 && out_.chosen.size() > repos_max) {
    for (std::size_t i = repos_max; i < out_.chosen.size(); ++i)
      skip(out_.chosen[i].repo, "beyond limits.repos_max, which is " + std::to_string(repos_max),
           out_.chosen[i].why.front(), true);
    out_.chosen.resize(repos_max);
  }
  if (unknown_ != 0)
    out_.notes.push_back(std::to_string(unknown_) + " of the repositories named " + (unknown_ == 1 ? "is" : "are") +
                         " in no listing; the Hub is asked by name");
  if (skipped_more_ != 0)
    out_.notes.push_back(std::to_string(skipped_more_) + " more were skipped than are told of one by one");
  return std::move(out_);
}
}  // namespace

Result<PolicyChoice> choose(const storage::Index& index, const config::MirrorPolicy& policy, std::int64_t now_ms) {
  return Chooser(index, policy, now_ms).run();
}
}  // namespace hm::crawler
