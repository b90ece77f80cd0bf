#include "provenance/audit/ancestry.hpp"

#include <algorithm>
#include <deque>
#include <unordered_set>

namespace hm::provenance::audit {
Result<Ancestry::Edges> Ancestry::edges_of(const lineage::Node& node, const std::string& id, bool keep) {
  if (const auto known = kept_.find(id); known != kept_.end()) return known->second;
  Edges out;
  HM_TRY(auto edges, graph_.parents(node, walk_, &out.cut));
  out.all = std::make_shared<const std::vector<lineage::Edge>>(std::move(edges));
  if (keep) {
    if (kept_.size() == kKeptMax) kept_.clear();
    kept_.emplace(id, out);
  }
  return out;
}

Result<std::vector<Step>> Ancestry::above(const lineage::Node& start) {
  struct Pending {
    lineage::Node node;
    std::string id;
    std::uint32_t step;
    int depth;
  };
  std::vector<Step> out;
  std::deque<Pending> pending{{start, lineage::id_of(start), Step::kStart, 0}};
  std::unordered_set<std::string> seen{pending.front().id};
  cut_at_.clear();
  while (!pending.empty()) {
    const Pending at = std::move(pending.front());
    pending.pop_front();
    if (at.depth >= walk_.depth_max) continue;
    HM_TRY(const auto edges_here, edges_of(at.node, at.id, at.depth != 0));
    const auto& edges = edges_here.all;
    if (edges_here.cut && cut_at_.empty()) cut_at_ = lineage::text_of(at.node);
    for (std::size_t i = 0; i < edges->size(); ++i) {
      std::string id = lineage::id_of((*edges)[i].to);
      const bool again = !seen.insert(id).second;
      if (!again)
        pending.push_back({(*edges)[i].to, std::move(id), static_cast<std::uint32_t>(out.size()), at.depth + 1});
      out.push_back({edges, i, at.step, at.depth + 1, again});
    }
  }
  return out;
}

Result<lineage::Standing> Standings::of(const lineage::Node& node, const std::string& id) {
  if (const auto known = kept_.find(id); known != kept_.end()) return known->second;
  HM_TRY(const lineage::Standing standing, lineage::standing_of(index_, node));
  if (kept_.size() == kKeptMax) kept_.clear();
  kept_.emplace(id, standing);
  return standing;
}

lineage::Walk walk_to_bases() {
  using storage::Relation;
  lineage::Walk walk;
  walk.relations = {Relation::DerivedFrom, Relation::Finetune,  Relation::Adapter,    Relation::Quantized,
                    Relation::Merge,       Relation::Converted, Relation::FromDataset};
  return walk;
}

std::vector<std::string> path_to(const std::vector<Step>& steps, std::uint32_t step) {
  std::vector<std::string> out;
  for (; step != Step::kStart; step = steps[step].before) out.push_back(lineage::hop_text(steps[step].edge()));
  std::reverse(out.begin(), out.end());
  return out;
}
}  // namespace hm::provenance::audit
