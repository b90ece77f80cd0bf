#include "provenance/report/families.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "provenance/listing.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance::report {
using storage::Column;

namespace {
/// What a stored key is made of, behind its kind.
struct Id {
  std::uint64_t high = 0;
  std::uint32_t low = 0;
  auto operator<=>(const Id&) const = default;
};
Id id_of(std::string_view stored_key) {
  Id id;
  for (std::size_t i = 1; i < 9; ++i) id.high = (id.high << 8) | static_cast<unsigned char>(stored_key[i]);
  for (std::size_t i = 9; i < storage::kRepoKeyBytes; ++i)
    id.low = (id.low << 8) | static_cast<unsigned char>(stored_key[i]);
  return id;
}

/// Ordinals of models by their ids.
class Models {
 public:
  static Result<Models> read(const Population& population) {
    Models out;
    HM_TRY(each_text(population.index(), Column::Key, population.size(), [&](std::uint32_t i, std::string_view key) {
      if (key.size() == storage::kRepoKeyBytes && population.is_of(i, RepoKind::Model))
        out.of_.push_back({id_of(key), i});
    }));
    std::sort(out.of_.begin(), out.of_.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
    return out;
  }
  std::uint32_t find(std::string_view stored_key) const {
    if (stored_key.empty() || stored_key[0] != static_cast<char>(RepoKind::Model)) return kNobody;
    const Id id = id_of(stored_key);
    const auto it = std::lower_bound(of_.begin(), of_.end(), id, [](const Entry& e, const Id& i) { return e.id < i; });
    return it == of_.end() || it->id != id ? kNobody : it->ordinal;
  }

 private:
  struct Entry {
    Id id;
    std::uint32_t ordinal;
  };
  std::vector<Entry> of_;
};

class Reader {
 public:
  Reader(const Population& population, std::uint64_t steps_max)
      : population_(population), steps_max_(steps_max), has_base_(population.size()), seen_(population.size()) {}

  Result<Families> run() {
    HM_TRY(read_edges());
    arrange();
    find_roots();
    find_owners();
    return std::move(out_);
  }

 private:
  struct Edge {
    std::uint32_t parent, child;
  };

  Result<> read_edges() {
    HM_TRY(const Models models, Models::read(population_));
    return each_text(population_.index(), Column::Bases, population_.size(),
                     [&](std::uint32_t child, std::string_view packed) {
                       if (packed.size() >= storage::kBaseBytes && population_.is_of(child, RepoKind::Model))
                         take_bases(models, child, packed);
                     });
  }
  void take_bases(const Models& models, std::uint32_t child, std::string_view packed) {
    const std::size_t relation = static_cast<unsigned char>(packed[0]);
    const std::size_t before = edges_.size();
    bool itself = false, others = false;
    for (; packed.size() >= storage::kBaseBytes; packed.remove_prefix(storage::kBaseBytes)) {
      const std::uint32_t parent = models.find(packed.substr(1, storage::kRepoKeyBytes));
      if (parent == child) {
        itself = true;
        continue;
      }
      others = true;
      const auto same = [&](const Edge& e) { return e.parent == parent; };
      if (parent != kNobody && std::none_of(edges_.begin() + static_cast<std::ptrdiff_t>(before), edges_.end(), same))
        edges_.push_back({parent, child});
    }
    has_base_[child] = others ? 1 : 0;
    if (!population_.is_public(child)) return;
    ++out_.declared;
    ++out_.by_relation[relation < out_.by_relation.size() ? relation : 0];
    if (itself && !others) ++out_.of_themselves;
    if (others && edges_.size() == before) ++out_.of_none_listed;
    if (edges_.size() != before) ++with_listed_base_;
  }

  /// The children of each parent lie together: from begin_[parent] to begin_[parent + 1].
  void arrange() {
    begin_.assign(population_.size() + 1, 0);
    for (const Edge& edge : edges_) ++begin_[edge.parent + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    children_.resize(edges_.size());
    std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
    for (const Edge& edge : edges_) children_[next[edge.parent]++] = edge.child;
    edges_ = {};
  }
  bool has_children(std::uint32_t parent) const { return begin_[parent] != begin_[parent + 1]; }
  template <class Visit>
  void each_child(std::uint32_t parent, const Visit& visit) const {
    for (std::uint32_t at = begin_[parent]; at < begin_[parent + 1]; ++at) visit(children_[at]);
  }

  /// Visits once each what can be reached from `from`, which is visited only when a path leads back to it.
  template <class Visit>
  void each_descendant(const std::vector<std::uint32_t>& from, const Visit& visit) {
    ++round_;
    std::vector<std::uint32_t> open(from);
    while (!open.empty()) {
      const std::uint32_t parent = open.back();
      open.pop_back();
      steps_ += begin_[parent + 1] - begin_[parent];
      each_child(parent, [&](std::uint32_t child) {
        if (seen_[child] == round_) return;
        seen_[child] = round_;
        visit(child);
        if (has_children(child)) open.push_back(child);
      });
    }
  }
  std::uint64_t public_children(std::uint32_t parent) const {
    std::uint64_t count = 0;
    each_child(parent, [&](std::uint32_t child) { count += population_.is_public(child) ? 1 : 0; });
    return count;
  }

  void find_roots() {
    for (std::uint32_t i = 0; i < population_.size(); ++i)
      if (has_base_[i] == 0 && has_children(i)) out_.roots.push_back({i, public_children(i), 0});
    std::stable_sort(out_.roots.begin(), out_.roots.end(),
                     [](const Root& a, const Root& b) { return a.direct > b.direct; });
    steps_ = 0;
    std::vector<char> reached(population_.size());
    for (Root& root : out_.roots) {
      if (steps_ > steps_max_) {
        ++out_.not_counted_roots;
        continue;
      }
      each_descendant({root.ordinal}, [&](std::uint32_t child) {
        reached[child] = 1;
        root.descendants += population_.is_public(child) ? 1 : 0;
      });
    }
    std::uint64_t with_root = 0;
    for (std::uint32_t i = 0; i < population_.size(); ++i)
      with_root += reached[i] != 0 && population_.is_public(i) ? 1 : 0;
    if (out_.not_counted_roots == 0) out_.rootless = with_listed_base_ - with_root;
    std::stable_sort(out_.roots.begin(), out_.roots.end(),
                     [](const Root& a, const Root& b) { return a.descendants > b.descendants; });
  }

  void find_owners() {
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> bases;
    for (std::uint32_t i = 0; i < population_.size(); ++i)
      if (population_.owner(i) != kNobody && has_children(i)) bases[population_.owner(i)].push_back(i);
    for (const auto& [owner, of] : bases) {
      OwnersFamily family{owner, of.size(), 0, 0, 0};
      ++round_;
      for (const std::uint32_t base : of) {
        each_child(base, [&](std::uint32_t child) {
          if (seen_[child] == round_) return;
          seen_[child] = round_;
          family.direct += population_.is_public(child) ? 1 : 0;
        });
      }
      out_.owners.push_back(family);
    }
    std::sort(out_.owners.begin(), out_.owners.end(), [](const OwnersFamily& a, const OwnersFamily& b) {
      return a.direct != b.direct ? a.direct > b.direct : a.owner < b.owner;
    });
    steps_ = 0;
    for (OwnersFamily& family : out_.owners) {
      if (steps_ > steps_max_) {
        ++out_.not_counted_owners;
        continue;
      }
      each_descendant(bases[family.owner], [&](std::uint32_t child) {
        if (!population_.is_public(child)) return;
        ++family.descendants;
        family.by_others += population_.owner(child) != family.owner ? 1 : 0;
      });
    }
    std::stable_sort(out_.owners.begin(), out_.owners.end(),
                     [](const OwnersFamily& a, const OwnersFamily& b) { return a.descendants > b.descendants; });
  }

  const Population& population_;
  const std::uint64_t steps_max_;
  std::vector<char> has_base_;       ///< declares a base that is not itself
  std::vector<std::uint32_t> seen_;  ///< the last round that came by
  std::uint32_t round_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t with_listed_base_ = 0;  ///< public models
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> begin_, children_;
  Families out_;
};
}  // namespace

Result<Families> read_families(const Population& population, std::uint64_t steps_max) {
  return Reader(population, steps_max).run();
}
}  // namespace hm::provenance::report
