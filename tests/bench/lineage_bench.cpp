// hm_lineage_bench FOLDER ROOT: the index in the folder, and a model of it with many descendants. Or
// hm_lineage_bench FOLDER [FAMILY] [OTHERS]: a family of FAMILY (113,000) descendants up to twelve levels deep among
// OTHERS (100,000) repositories without bases, listed page by page, every fourth with the files that the Hub tells;
// then how long it takes to see all of them, the ancestors of one, who has a file and what that affects; and to see all
// of them when one repository of two hundred, a day's share, got another base since the lists of edges were written,
// and when they were written anew. Medians of nine, in milliseconds; the first time apart, because the index was just
// opened then.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "provenance/audit/impact.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/edge_lists.hpp"
#include "storage/file_holders.hpp"
#include "storage/key_space.hpp"
#include "storage/survey_row.hpp"

namespace {
using namespace hm;
using Clock = std::chrono::steady_clock;
constexpr int kPage = 1000, kDepth = 12, kRounds = 9, kChangedEvery = 200;

double ms_since(Clock::time_point began) {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}
Rid rid(int number) {
  char hex[25];
  std::snprintf(hex, sizeof hex, "66%022x", static_cast<unsigned>(number));
  return *Rid::parse(hex);
}
std::string name(int number) {
  return "owner-" + std::to_string(number % 977) + "/model-of-some-length-" + std::to_string(number);
}

struct Made {
  int number, parent, depth;
};
/// Most name the root, as in real families.
std::vector<Made> family(int count) {
  std::vector<Made> out{{0, -1, 0}};
  std::mt19937 random(7);
  for (int i = 1; i <= count; ++i) {
    std::size_t parent = 0;
    if (random() % 10 >= 7) parent = random() % out.size();
    if (out[parent].depth >= kDepth) parent = 0;
    out.push_back({i, static_cast<int>(parent), out[parent].depth + 1});
  }
  return out;
}
provenance::Listing item(const Made& made) {
  std::string text =
      "{\"_id\":\"" + rid(made.number).text() + "\",\"id\":\"" + name(made.number) +
      "\",\"sha\":\"0123456789012345678901234567890123456789\",\"tags\":[\"transformers\",\"license:mit\"]";
  if (made.parent >= 0)
    text += ",\"baseModels\":{\"relation\":\"finetune\",\"models\":[{\"_id\":\"" + rid(made.parent).text() +
            "\",\"id\":\"" + name(made.parent) + "\"}]}";
  return provenance::read_listing({RepoKind::Model, name(made.number)}, rid(made.number),
                                  parse_json(text + "}").value().as_object());
}

constexpr int kSurveyedEvery = 4, kSharing = 3;
/// Three repositories have each file.
Sha256 weights(int number) {
  char hex[65];
  std::snprintf(hex, sizeof hex, "%064x", static_cast<unsigned>(number / kSurveyedEvery / kSharing) * 2654435761U);
  return *Sha256::parse(hex);
}
void survey(storage::Index& index, int count) {
  const auto began = Clock::now();
  storage::Batch batch;
  int surveyed = 0;
  for (int i = 0; i < count; i += kSurveyedEvery, ++surveyed) {
    const storage::SurveyRow row{name(i),
                                 *Commit::parse("0123456789012345678901234567890123456789"),
                                 1,
                                 {{"config.json", 700, {}}, {"model.safetensors", 1U << 30, weights(i)}}};
    if (!storage::put_survey(index, batch, {RepoKey{RepoKind::Model, rid(i)}}, "", row)) std::abort();
    if (batch.changes().size() < 2 * kPage && i + kSurveyedEvery < count) continue;
    if (!index.commit(std::exchange(batch, {}))) std::abort();
  }
  std::printf("told the files of %d repositories: %.0f a second\n", surveyed, surveyed / (ms_since(began) / 1000));
}

void list(storage::Index& index, const std::vector<Made>& all, std::uint32_t sweep) {
  storage::Journal journal(index);
  provenance::Recorder recorder(index, journal, system_clock(), "bench");
  std::vector<provenance::Listing> page;
  for (const Made& made : all) {
    page.push_back(item(made));
    if (page.size() < kPage && &made != &all.back()) continue;
    if (!recorder.record_listing("hub", page, sweep, {})) std::abort();
    page.clear();
  }
}

void write_lists(storage::Index& index) {
  const auto began = Clock::now();
  storage::Batch begun;
  const auto number = storage::begin_edge_lists(index, begun);
  if (!index.commit(begun) || !storage::write_edge_lists(index, number.value().value())) std::abort();
  std::printf("wrote the lists of edges: %.0f ms\n", ms_since(began));
}

void fill(const std::string& folder, std::vector<Made> all, int others) {
  const auto index = storage::open_index(folder, storage::Index::Mode::Write, {}).value();
  for (int i = 0; i < others; ++i) all.push_back({static_cast<int>(all.size()), -1, 0});
  auto began = Clock::now();
  list(*index, all, 1);
  std::printf("listed %zu repositories: %.0f a second\n", all.size(),
              static_cast<double>(all.size()) / (ms_since(began) / 1000));
  survey(*index, static_cast<int>(all.size()));
  write_lists(*index);
}
/// One of two hundred gets the root for its base, or another one.
std::size_t change(const std::string& folder, const std::vector<Made>& family_rows, int others) {
  const auto index = storage::open_index(folder, storage::Index::Mode::Write, {}).value();
  std::vector<Made> changed;
  const int count = static_cast<int>(family_rows.size()) + others;
  for (int i = kChangedEvery; i < count; i += kChangedEvery) {
    const bool of_family = i < static_cast<int>(family_rows.size());
    changed.push_back({i, of_family && family_rows[static_cast<std::size_t>(i)].parent == 0 ? i - 1 : 0, 1});
  }
  list(*index, changed, 1);
  return changed.size();
}

template <class Run>
void measure(const char* what, const Run& run) {
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto began = Clock::now();
    run();
    times.push_back(ms_since(began));
  }
  const double first = times.front();
  std::sort(times.begin(), times.end());
  std::printf("%-28s first %8.2f ms, median %8.2f ms, maximum %8.2f ms\n", what, first, times[kRounds / 2],
              times.back());
}

void measure_graph(const provenance::lineage::Graph& graph, const provenance::lineage::Node& root) {
  std::size_t seen = 0, bytes = 0;
  std::string deepest;
  int depth = 0;
  measure("all descendants of the root", [&] {
    seen = bytes = 0;
    const auto done = graph.descendants(root, {}, [&](const provenance::lineage::Descendant& d) {
      ++seen;
      bytes += d.name.size();
      if (d.depth > depth) depth = d.depth, deepest = d.key;
      return true;
    });
    if (!done) std::abort();
  });
  std::printf("%zu descendants, %zu bytes of names, %d levels\n", seen, bytes, depth);
  if (deepest.empty()) return;
  const auto node = graph.find(*storage::key::parse_repo(deepest)).value();
  std::size_t steps = 0;
  measure("ancestors of the deepest", [&] { steps = graph.ancestors(node, {}).value().size(); });
  std::printf("%zu ancestors\n", steps);
}
void measure_files(const storage::Index& index) {
  std::mt19937 random(11);
  std::size_t holders = 0, affected = 0;
  const auto any_file = [&] { return weights(static_cast<int>(random() % 100'000)); };
  measure("who has a file", [&] {
    holders = 0;
    if (!storage::each_holder(index, any_file(), [&](const storage::FileHolder&) { return ++holders, true; }))
      std::abort();
  });
  measure("impact of a file",
          [&] { affected = provenance::audit::impact_of_file(index, any_file()).value().findings.size(); });
  std::printf("%zu holders, %zu findings the last time\n", holders, affected);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: hm_lineage_bench FOLDER [FAMILY [OTHERS] | ROOT]\n"), 2;
  const std::string folder = argv[1], second = argc > 2 ? argv[2] : "";
  const bool of_root = second.find('/') != std::string::npos;
  const auto rows = family(argc > 2 && !of_root ? std::atoi(argv[2]) : 113'000);
  const int others = argc > 3 ? std::atoi(argv[3]) : 100'000;
  if (!of_root && !std::filesystem::exists(folder)) fill(folder, rows, others);
  {
    const auto index = storage::open_index(folder, storage::Index::Mode::Read, {}).value();
    const provenance::lineage::Graph graph(*index);
    measure_graph(graph, of_root ? graph.find(RepoId{RepoKind::Model, second}).value()
                                 : graph.find(RepoKey{RepoKind::Model, rid(0)}).value());
    if (of_root) return 0;
    measure_files(*index);
  }
  const auto again = [&] {
    const auto index = storage::open_index(folder, storage::Index::Mode::Read, {}).value();
    const provenance::lineage::Graph graph(*index);
    measure_graph(graph, graph.find(RepoKey{RepoKind::Model, rid(0)}).value());
  };
  std::printf("%zu got another base\n", change(folder, rows, others));
  again();
  write_lists(*storage::open_index(folder, storage::Index::Mode::Write, {}).value());
  again();
}
