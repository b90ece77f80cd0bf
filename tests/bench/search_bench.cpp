// How long questions to a crawled index take, without the start of the program:
//   hm_search_bench DATA_DIR [RUNS]
// prints the first answer and the median of the others in milliseconds, beside a plain scan of the column of downloads.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "provenance/selection.hpp"
#include "storage/columns.hpp"
#include "storage/journal.hpp"

namespace {
using namespace hm;

double milliseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void measure(const char* what, int runs, const std::function<std::size_t()>& work) {
  std::size_t found = 0;
  const double first = milliseconds([&] { found = work(); });
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(milliseconds([&] { found = work(); }));
  std::sort(times.begin(), times.end());
  std::printf("%-44s first %7.1f ms, then %7.1f ms (%.1f-%.1f), %zu found\n", what, first, times[times.size() / 2],
              times.front(), times.back(), found);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s DATA_DIR [RUNS]\n", argv[0]), 2;
  const int runs = argc > 2 ? std::max(1, std::atoi(argv[2])) : 7;
  const auto index = storage::open_index(std::string(argv[1]) + "/index", storage::Index::Mode::Read, {}).value();
  auto ask = [&](const provenance::Filter& filter) {
    return [&, filter] { return provenance::search(*index, filter, provenance::SortBy::Downloads, 20).value().size(); };
  };
  measure("plain scan of one column of numbers", runs, [&] {
    std::size_t rows = 0;
    (void)storage::scan_column(*index, storage::Column::Downloads,
                               [&](std::uint32_t, const storage::ColumnChunk& chunk) {
                                 rows += chunk.size();
                                 return true;
                               });
    return rows;
  });
  provenance::Filter two;
  two.licences = {"apache-2.0"};
  two.libraries = {"transformers"};
  measure("licence and library", runs, ask(two));
  provenance::Filter words;
  words.words = {"lamara"};  // a family of the generated Hub
  words.kind = RepoKind::Model;
  measure("word and kind", runs, ask(words));
  words.words = {"jorsuhek"};
  measure("rare word and kind", runs, ask(words));
  provenance::Filter tags;
  tags.tags = {"safetensors"};
  tags.licences = {"mit", "apache-2.0"};
  measure("tag and licence", runs, ask(tags));
  const auto some = provenance::search(*index, two, provenance::SortBy::Downloads, 1).value();
  if (some.empty()) return 0;
  measure("history of one repository", runs,
          [&] { return storage::Journal::entries_of(*index, some[0].row.src, some[0].key, SIZE_MAX).value().size(); });
  return 0;
}
