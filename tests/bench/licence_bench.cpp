// How long the licence engine takes over a made graph as large as the Hub:
//   hm_licence_bench [NODES]        default 2,300,000
//   hm_licence_bench FOLDER         over an index: the folder `index` of a data directory
// prints seconds and memory of the pass over all, and what explaining one node takes, by depth.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "provenance/licence/bulk.hpp"
#include "provenance/licence/engine.hpp"
#include "provenance/licence/hub_lineage.hpp"
#include "provenance/licence/index_lineage.hpp"
#include "storage/index.hpp"

namespace {
using namespace hm;
using namespace hm::provenance::licence;

constexpr std::array<const char*, 20> kLicences{"NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "NOASSERTION",
                                                "Apache-2.0",
                                                "Apache-2.0",
                                                "Apache-2.0",
                                                "MIT",
                                                "MIT",
                                                "LicenseRef-hub-llama3",
                                                "LicenseRef-hub-gemma",
                                                "LicenseRef-hub-creativeml-openrail-m",
                                                "CC-BY-NC-4.0",
                                                "GPL-3.0-only"};

/// Half of the nodes have a base; a few bases have most of the children; one in fifty is a merge; one in ten names a
/// licence of its own, as "other" does.
struct MadeHub final : Lineage {
  struct Node {
    std::uint32_t licence = 0, base = kNoNode, second = kNoNode;
    Relation relation = Relation::Finetune;
    std::uint8_t depth = 0;
  };
  std::vector<Node> nodes;
  explicit MadeHub(NodeId count) {
    std::mt19937_64 random(42);
    nodes.resize(count);
    NodeId deepest = 0;
    for (NodeId i = 0; i < count; ++i) {
      Node& n = nodes[i];
      n.licence = random() % 10 == 0 ? 1000 + static_cast<std::uint32_t>(random() % 20'000)
                                     : static_cast<std::uint32_t>(random() % kLicences.size());
      if (i < 1000 || random() % 2 == 0) continue;
      const double u = static_cast<double>(random() % 1'000'000) / 1e6;
      n.base = random() % 4 != 0 ? static_cast<NodeId>(u * u * u * 1000) : static_cast<NodeId>(random() % i);
      if (random() % 50 == 0) n.base = deepest;  // long chains are rare, and are there
      if (nodes[n.base].depth >= 40) n.base = static_cast<NodeId>(random() % 1000);
      constexpr std::array<Relation, 4> kRelations{Relation::Finetune, Relation::Adapter, Relation::Quantized,
                                                   Relation::Finetune};
      n.relation = kRelations[random() % 4];
      n.depth = static_cast<std::uint8_t>(nodes[n.base].depth + 1);
      if (n.depth > nodes[deepest].depth || nodes[deepest].depth >= 40) deepest = i;
      if (random() % 50 == 0) n.second = static_cast<NodeId>(random() % i), n.relation = Relation::Merge;
    }
  }
  Result<Claim> claim(NodeId node) const override {
    Claim claim;
    const Node& n = nodes[node];
    claim.name = (node % 5 == 0 ? "owner/Llama-3-" : "owner/model-") + std::to_string(node);
    claim.expression =
        n.licence >= 1000 ? "LicenseRef-hub-other-" + std::to_string(n.licence) : std::string(kLicences[n.licence]);
    claim.material = n.relation == Relation::Adapter ? Material::Adapter : Material::Model;
    return claim;
  }
  Result<> parents(NodeId node, std::vector<Edge>& into) const override {
    const Node& n = nodes[node];
    if (n.base != kNoNode) into.push_back({n.base, n.relation, Evidence::Declared, "card base_model"});
    if (n.second != kNoNode) into.push_back({n.second, n.relation, Evidence::Derived, "mergekit"});
    return ok();
  }
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}
/// Of this thread alone: what others took of the core meanwhile is not in it.
double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}
double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Times {
  std::vector<double> wall, cpu;
  void print(const char* what, int depth) {
    if (wall.empty()) return;
    std::sort(wall.begin(), wall.end());
    std::printf("%s at depth %2d: median %.3f ms, slowest of %zu %.3f ms (of the core alone: %.3f ms)\n", what, depth,
                wall[wall.size() / 2], wall.size(), wall.back(), *std::max_element(cpu.begin(), cpu.end()));
  }
};
template <class Run>
auto timed(Times& times, const Run& run) {
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_before = cpu_ms();
  auto result = run();
  times.cpu.push_back(cpu_ms() - cpu_before);
  times.wall.push_back(seconds_since(begin) * 1e3);
  return result;
}
constexpr std::array kDepths{1, 6, 12, 20};
constexpr std::size_t kTimes = 200;

void print_all(const Bulk& bulk, NodeId count, double seconds, double before) {
  std::printf("all %u nodes: %.2f s, %zu states, %zu in cycles, peak %.0f MiB, of which %.0f MiB are the graph\n",
              count, seconds, bulk.states, bulk.in_cycles, peak_mib(), before);
  for (std::size_t i = 0; i < kOutcomeNames.size(); ++i)
    std::printf("  %9llu %s\n", static_cast<unsigned long long>(bulk.outcomes[i]),
                std::string(kOutcomeNames[i]).c_str());
}

int over_made(const Catalogue& catalogue, NodeId count) {
  const MadeHub hub(count);
  const double before = peak_mib();
  Judge judge(catalogue);
  const auto begin = std::chrono::steady_clock::now();
  const auto bulk = judge_all(judge, hub, count);
  if (!bulk) return std::fprintf(stderr, "%s\n", bulk.error().what.c_str()), 1;
  print_all(bulk.value(), count, seconds_since(begin), before);
  for (const int depth : kDepths) {
    Times times;
    for (NodeId i = 0; i < count && times.wall.size() < kTimes; ++i) {
      if (hub.nodes[i].depth != depth) continue;
      const auto verdict = timed(times, [&] { return explain(judge, hub, i); });
      if (!verdict || !(verdict.value().summary == bulk.value().summaries[i]))
        return std::fprintf(stderr, "node %u is judged otherwise alone\n", i), 1;
    }
    times.print("explain", depth);
  }
  return 0;
}

/// Of each node on the way of its first parents.
std::vector<int> depths_of(const HubLineage& hub) {
  std::vector<int> depths(hub.size());
  std::vector<Edge> edges;
  for (NodeId node = 0; node < hub.size(); ++node) {
    for (NodeId at = node; depths[node] < 64; ++depths[node]) {
      edges.clear();
      if (!hub.parents(at, edges) || edges.empty() || edges[0].parent == kNoNode || edges[0].parent == at) break;
      at = edges[0].parent;
    }
  }
  return depths;
}

int over_index(const Catalogue& catalogue, const std::string& folder) {
  const auto index = hm::storage::open_index(folder, hm::storage::Index::Mode::Read, {}).value();
  auto begin = std::chrono::steady_clock::now();
  const auto hub = HubLineage::read(*index, catalogue).value();
  const double before = peak_mib();
  std::printf("reading %u repositories: %.2f s\n", hub.size(), seconds_since(begin));
  Judge judge(catalogue);
  begin = std::chrono::steady_clock::now();
  const auto bulk = judge_all(judge, hub, hub.size()).value();
  print_all(bulk, hub.size(), seconds_since(begin), before);
  const auto depths = depths_of(hub);
  for (const int depth : kDepths) {
    Times times;
    for (NodeId i = 0; i < hub.size() && times.wall.size() < kTimes; ++i) {
      if (depths[i] != depth) continue;
      const auto key = hub.key_of(*index, i).value();
      const auto verdict = timed(times, [&] {
        const IndexLineage lineage(*index, catalogue);  // as a command begins: nothing of it was read before
        return explain(judge, lineage, *lineage.node_of(key, History::Read).value());
      });
      if (!verdict || !(verdict.value().summary == bulk.summaries[i]))
        return std::fprintf(stderr, "%s is judged otherwise alone\n", key.text().c_str()), 1;
    }
    times.print("explain out of the index", depth);
  }
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const auto begin = std::chrono::steady_clock::now();
  const Catalogue catalogue = Catalogue::built_in().value();
  std::printf("catalogue: %zu licences in %.1f ms\n", catalogue.licences().size(), seconds_since(begin) * 1e3);
  if (argc > 1 && std::filesystem::is_directory(argv[1])) return over_index(catalogue, argv[1]);
  return over_made(catalogue, static_cast<NodeId>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2'300'000));
}
