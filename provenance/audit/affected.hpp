// provenance/audit/affected.hpp: what descends from some repositories, as `impact` tells it: counts, the most
// downloaded, and those that are mirrored with the path on which they are affected. Layer 4. Threads: used by one.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/lineage/descent.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// Downloads of the last 30 days by place; 0 of what no listing named.
Result<std::vector<std::uint64_t>> downloads_of(const storage::Index& index, const std::vector<std::string_view>& keys);
/// By place.
Result<std::vector<char>> mirrored_of(const storage::Index& index, const std::vector<std::string_view>& keys);

/// By their first cell, a text.
void sort_by_name(report::FigureTable& table);
/// Tells in the table how many of `findings` are not listed, when that is more than are.
void add_findings_gap(report::FigureTable& table, std::uint64_t findings);
inline constexpr std::size_t kAffectedFindingsMax = 10'000;

class Affected {
 public:
  explicit Affected(const storage::Index& index) : index_(index) {}
  /// It counts as the cause: it is in no table, and what descends from it is not followed from elsewhere.
  void exclude(const lineage::Node& cause);
  /// Everything that descends from `root`; what was added before is told by its shortest way.
  Result<> add(const lineage::Node& root, const lineage::Walk& walk);
  /// Looks up what is mirrored and downloaded. To be called once, before what follows.
  Result<> look_up();

  /// How many do not descend from the first root and only use it, or something that does. @returns Corrupt.
  Result<std::uint64_t> only_users() const;
  std::uint64_t size() const { return rows_.size(); }
  std::uint64_t mirrored() const { return mirrored_; }
  report::FigureTable relations_table() const;
  report::FigureTable depths_table() const;
  report::FigureTable downloads_table() const;  ///< the first 100
  report::FigureTable mirrored_table() const;
  /// A warning for each that is mirrored, in `rule`; at most kAffectedFindingsMax, as mirrored_table() tells.
  std::vector<report::Finding> findings(std::string_view rule) const;
  /// The mirrored ones and all between them and the roots.
  report::Graph graph(std::string title) const;

 private:
  struct Row {
    std::uint32_t descent, place;
  };
  const lineage::Descent& descent_of(const Row& row) const { return descents_[row.descent]; }
  std::string name(std::size_t i) const;
  std::vector<std::string> path(const Row& row) const;
  std::vector<std::size_t> mirrored_rows() const;
  /// Of one that is mirrored, in its own words; null of others.
  const lineage::Edge* edge(std::uint32_t descent, std::uint32_t place) const;

  const storage::Index& index_;
  std::vector<lineage::Node> roots_;
  std::vector<lineage::Descent> descents_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> seen_;  ///< places of rows; kCause of what was excluded
  static constexpr std::size_t kCause = SIZE_MAX;
  std::vector<std::uint64_t> downloads_;
  std::vector<char> is_mirrored_, is_root_mirrored_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, lineage::Edge> edges_;  ///< of those, by descent and place
  std::uint64_t mirrored_ = 0;
};
}  // namespace hm::provenance::audit
