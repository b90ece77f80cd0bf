#include "app/audit_subjects.hpp"

#include <algorithm>

#include "app/output.hpp"
#include "app/policies.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "crawler/policy_choice.hpp"
#include "provenance/lineage/graph.hpp"

namespace hm::app {
namespace {
void finish(std::vector<RepoKey>& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

Result<> add_policy(const storage::Index& index, const config::MirrorPolicy& policy, Subjects& out) {
  HM_TRY(const auto choice, crawler::choose(index, policy, system_clock().unix_ms()));
  std::uint64_t unknown = 0;
  for (const crawler::ChosenRepo& chosen : choice.chosen) {
    if (chosen.key)
      out.keys.push_back(*chosen.key);
    else
      ++unknown;
  }
  if (unknown != 0)
    out.gaps.push_back({"chosen by name and never listed", unknown, "the policy " + policy.name + " names them"});
  return ok();
}

Result<Subjects> of_policies(const Context& context, const storage::Index& index,
                             const std::vector<std::string>& names) {
  HM_TRY(const auto policies, policies_in_force(context, "nothing can be audited"));
  Subjects out;
  for (const std::string& name : names) {
    const auto at = std::find_if(policies.begin(), policies.end(), [&](const auto& p) { return p.name == name; });
    if (at == policies.end()) {
      std::vector<std::string> there;
      for (const auto& policy : policies) there.push_back(policy.name);
      return Error{Errc::BadInput, "--policy: there is no policy \"" + printable(name) +
                                       "\"; there are: " + (there.empty() ? "none" : joined(there, ", "))};
    }
    HM_TRY(add_policy(index, *at, out));
  }
  out.words = (names.size() == 1 ? "what the policy " : "what the policies ") + joined(names, ", ") +
              (names.size() == 1 ? " chooses" : " choose");
  return out;
}
}  // namespace

namespace {
/// What no question of this kind heeds must not be typed in vain.
Result<RepoSpec> whole_repository(const std::string& typed) {
  HM_TRY(RepoSpec spec, repo_spec_of(typed));
  if (spec.revision)
    return Error{Errc::BadInput, printable(typed) +
                                     ": this is asked of whole repositories, with all revisions that are published; "
                                     "leave the revision out"};
  return spec;
}
Error unknown(const std::string& typed) {
  return {Errc::NotFound, printable(typed) +
                              " is not known here: no listing and no visit told of it; hubmirror search finds what "
                              "is, hubmirror crawl --once reads the listings"};
}
struct TypedNode {
  provenance::lineage::Node node;
  bool is_known;  ///< a listing or a visit told of it
};
Result<TypedNode> typed_node(const storage::Index& index, const std::string& typed) {
  HM_TRY(const RepoSpec spec, whole_repository(typed));
  const provenance::lineage::Graph graph(index);
  auto found = spec.rid ? graph.find(RepoKey{spec.repo.kind, *spec.rid}) : graph.find(spec.repo);
  HM_TRY(auto node, std::move(found));
  if (!node.key) return TypedNode{std::move(node), false};
  HM_TRY(const auto name, graph.name_of(*node.key));
  return TypedNode{std::move(node), name.has_value()};
}
}  // namespace

Result<RepoKey> known_key(const storage::Index& index, const std::string& typed) {
  HM_TRY(const auto found, typed_node(index, typed));
  if (!found.is_known) return unknown(typed);
  return *found.node.key;
}

Result<provenance::lineage::Node> known_node(const storage::Index& index, const std::string& typed) {
  HM_TRY(TypedNode found, typed_node(index, typed));
  auto& [node, is_known] = found;
  if (is_known) return std::move(node);
  provenance::lineage::Walk any;  // spaces use what was deleted as well; that is no lineage
  any.depth_max = 1;
  for (int i = 0; i < storage::kRelationCount; ++i) any.relations.push_back(static_cast<storage::Relation>(i));
  bool named = false;
  HM_TRY(provenance::lineage::Graph(index).descendants(node, any, [&](const auto&) {
    named = true;
    return false;
  }));
  if (!named) return unknown(typed);
  return std::move(node);
}

Result<Subjects> subjects_of(const Context& context, const ReadServices& services, const AuditSubjects& asked) {
  if (!asked.repos.empty() + !asked.policies.empty() + asked.all > 1)
    return Error{Errc::BadInput, "repositories, --policy and --all exclude each other; say one of them"};
  Subjects out;
  if (asked.all) {
    out.all = true;
    out.words = "all that is known";
    return out;
  }
  if (!asked.policies.empty()) {
    HM_TRY(out, of_policies(context, *services.index, asked.policies));
  } else if (!asked.repos.empty()) {
    for (const std::string& typed : asked.repos) {
      HM_TRY(const RepoKey key, known_key(*services.index, typed));
      out.keys.push_back(key);
    }
    out.words = asked.repos.size() == 1 ? printable(asked.repos[0]) : counted(asked.repos.size(), "repository");
  } else {
    HM_TRY(services.catalog.each_repo([&](const storage::RepoRow& row) {
      out.keys.push_back({row.repo.kind, row.rid});
      return true;
    }));
    out.words = "everything that is mirrored";
  }
  finish(out.keys);
  return out;
}
}  // namespace hm::app
