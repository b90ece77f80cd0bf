#include "mirror/git/history.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "mirror/git/object_check.hpp"
#include "mirror/git/repository_impl.hpp"

namespace hm::mirror {
namespace {
Result<CommitFacts> facts_of(const git_commit* commit) {
  CommitFacts out;
  out.id = from_git(*git_commit_id(commit));
  HM_TRY(out.time_ms, milliseconds_of(commit));
  if (const git_signature* author = git_commit_author(commit); author != nullptr) out.author = author->name;
  std::string_view text = git_commit_message(commit);  // without the newlines before it
  const std::size_t line = text.find('\n');
  out.title = trim(text.substr(0, line));
  if (line != text.npos) out.message = trim(text.substr(line));
  return out;
}

/// Paths that are wanted, as a tree of names.
class WantedPaths {
 public:
  explicit WantedPaths(const std::vector<std::string>& paths) : nodes_(1), node_of_(paths.size()) {
    for (std::size_t id = 0; id < paths.size(); ++id) {
      std::size_t at = 0;
      for (const std::string_view name : split(paths[id], '/')) {
        const auto [child, is_new] = nodes_[at].children.try_emplace(std::string(name), nodes_.size());
        const std::size_t next = child->second;
        if (is_new) nodes_.emplace_back().parent = at;
        at = next;
      }
      nodes_[at].ids.push_back(id);
      node_of_[id] = at;
      add_open(at, 1);
    }
  }
  struct Node {
    std::unordered_map<std::string, std::size_t> children;
    std::vector<std::size_t> ids;  ///< paths that end here
    std::size_t parent = 0;
    int open = 0;  ///< paths here and below that are still looked for
  };
  const Node& node(std::size_t index) const { return nodes_[index]; }
  void close(std::size_t id) { add_open(node_of_[id], -1); }

 private:
  void add_open(std::size_t at, int by) {
    for (;; at = nodes_[at].parent) {
      nodes_[at].open += by;
      if (at == 0) return;
    }
  }
  std::vector<Node> nodes_;
  std::vector<std::size_t> node_of_;
};

class LastChanges {
 public:
  LastChanges(const Repository::Impl& repository, const std::vector<std::string>& paths)
      : repository_(repository), wanted_(paths), changes_(paths.size()), marks_(paths.size(), 0) {}

  Result<std::vector<std::optional<CommitFacts>>> find(const GitOid& tip, std::size_t commits_max) {
    HM_TRY(const auto commit, repository_.commit(tip));
    std::vector<std::size_t> there;
    HM_TRY(collect_changed(0, from_git(*git_commit_tree_id(commit.get())), std::nullopt, 1, there));
    std::sort(there.begin(), there.end());
    for (std::size_t id = 0; id < changes_.size(); ++id)
      if (!std::binary_search(there.begin(), there.end(), id)) wanted_.close(id);
    if (!there.empty()) waiting_[key_of(commit.get())] = std::move(there);
    for (std::size_t looked_at = 0; !waiting_.empty(); ++looked_at) {
      auto next = waiting_.extract(waiting_.begin());
      HM_TRY(const auto at, repository_.commit(next.key().second));
      if (looked_at < commits_max) {
        HM_TRY(look_at(at.get(), std::move(next.mapped())));
      } else {
        HM_TRY(settle(at.get(), next.mapped()));
      }
    }
    return std::move(changes_);
  }

 private:
  /// Newest first.
  using Key = std::pair<std::int64_t, GitOid>;
  static Key key_of(const git_commit* commit) {
    const std::int64_t time = git_commit_time(commit);
    return {time == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : -time,
            from_git(*git_commit_id(commit))};
  }

  Result<> look_at(const git_commit* commit, std::vector<std::size_t> ids) {
    const GitOid tree = from_git(*git_commit_tree_id(commit));
    for (unsigned n = 0, count = git_commit_parentcount(commit); n < count && !ids.empty(); ++n) {
      HM_TRY(const auto parent, repository_.commit(from_git(*git_commit_parent_id(commit, n))));
      std::vector<std::size_t> changed;
      HM_TRY(collect_changed(0, tree, from_git(*git_commit_tree_id(parent.get())), 1, changed));
      ++mark_;
      for (const std::size_t id : changed) marks_[id] = mark_;
      const auto same = std::partition(ids.begin(), ids.end(), [this](std::size_t id) { return marks_[id] == mark_; });
      if (same == ids.end()) continue;
      auto& there = waiting_[key_of(parent.get())];
      there.insert(there.end(), same, ids.end());
      ids.erase(same, ids.end());
    }
    return settle(commit, ids);
  }

  Result<> settle(const git_commit* commit, const std::vector<std::size_t>& ids) {
    if (ids.empty()) return ok();
    HM_TRY(const CommitFacts facts, facts_of(commit));
    for (const std::size_t id : ids) {
      changes_[id] = facts;
      wanted_.close(id);
    }
    return ok();
  }

  /// Paths at and below a node whose entries in `now` are other than in `before`, or not there.
  Result<> collect_changed(std::size_t node, const GitOid& now, std::optional<GitOid> before, std::uint32_t depth,
                           std::vector<std::size_t>& out) {
    if (wanted_.node(node).open == 0 || before == now) return ok();
    if (depth > kTreeDepthCeiling)
      return Error{Errc::Refused, "directories are nested deeper than " + std::to_string(kTreeDepthCeiling)};
    HM_TRY(const auto tree, repository_.tree(now));
    GitTreeHandle old;
    if (before) {
      HM_TRY(old, repository_.tree(*before));
    }
    const std::size_t old_count = old ? git_tree_entrycount(old.get()) : 0;
    std::string name;
    for (std::size_t i = 0, j = 0, n = git_tree_entrycount(tree.get()); i < n; ++i) {  // both are sorted
      const git_tree_entry* entry = git_tree_entry_byindex(tree.get(), i);
      const git_tree_entry* twin = nullptr;
      for (; j < old_count; ++j) {
        const git_tree_entry* candidate = git_tree_entry_byindex(old.get(), j);
        const int order = git_tree_entry_cmp(candidate, entry);
        if (order > 0) break;
        if (order == 0) twin = candidate;
      }
      if (twin != nullptr && git_oid_equal(git_tree_entry_id(twin), git_tree_entry_id(entry)) != 0 &&
          git_tree_entry_filemode_raw(twin) == git_tree_entry_filemode_raw(entry))
        continue;
      const auto& children = wanted_.node(node).children;
      const auto child = children.find(name.assign(git_tree_entry_name(entry)));
      if (child == children.end()) continue;
      const auto& ids = wanted_.node(child->second).ids;
      out.insert(out.end(), ids.begin(), ids.end());
      if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) continue;
      std::optional<GitOid> below;
      if (twin != nullptr) below = from_git(*git_tree_entry_id(twin));
      HM_TRY(collect_changed(child->second, from_git(*git_tree_entry_id(entry)), below, depth + 1, out));
    }
    return ok();
  }

  const Repository::Impl& repository_;
  WantedPaths wanted_;
  std::vector<std::optional<CommitFacts>> changes_;
  std::map<Key, std::vector<std::size_t>> waiting_;  ///< commits to look at, and for which paths
  std::vector<std::uint64_t> marks_;                 ///< of a path: the last comparison that found it changed
  std::uint64_t mark_ = 0;
};
}  // namespace

Result<CommitFacts> commit_facts(const Repository& repository, const GitOid& commit) {
  HM_TRY(const auto object, repository.impl().commit(commit));
  return facts_of(object.get());
}

Result<CommitPage> commits_from(const Repository& repository, const GitOid& tip, std::uint64_t skip,
                                std::uint64_t limit) {
  CommitPage page;
  HM_TRY(repository.walk_commits({tip}, [&](const GitOid& commit) -> Result<> {
    if (page.total >= skip && page.total - skip < limit) {
      HM_TRY(auto facts, commit_facts(repository, commit));
      page.commits.push_back(std::move(facts));
    }
    ++page.total;
    return ok();
  }));
  return page;
}

Result<std::vector<std::optional<CommitFacts>>> last_changes(const Repository& repository, const GitOid& commit,
                                                             const std::vector<std::string>& paths,
                                                             std::size_t commits_max) {
  return LastChanges(repository.impl(), paths).find(commit, commits_max);
}
}  // namespace hm::mirror
