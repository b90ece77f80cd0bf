// Tables by a word of the listings: task, licence, library. Columns hold 32 bits of a word; which word it is tells the
// row of one repository that has it.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "base/canonical_json.hpp"
#include "provenance/listing.hpp"
#include "provenance/report/ecosystem_tables.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance::report {
using storage::Column;

namespace {
/// What the Hub offers as categories of datasets.
constexpr auto kTasks = std::to_array<std::string_view>({
    "any-to-any",
    "audio-classification",
    "audio-text-to-text",
    "audio-to-audio",
    "automatic-speech-recognition",
    "depth-estimation",
    "document-question-answering",
    "feature-extraction",
    "fill-mask",
    "graph-ml",
    "image-classification",
    "image-feature-extraction",
    "image-segmentation",
    "image-text-to-image",
    "image-text-to-text",
    "image-text-to-video",
    "image-to-3d",
    "image-to-image",
    "image-to-text",
    "image-to-video",
    "keypoint-detection",
    "mask-generation",
    "multiple-choice",
    "object-detection",
    "other",
    "question-answering",
    "reinforcement-learning",
    "robotics",
    "sentence-similarity",
    "summarization",
    "table-question-answering",
    "table-to-text",
    "tabular-classification",
    "tabular-regression",
    "tabular-to-text",
    "text-classification",
    "text-generation",
    "text-ranking",
    "text-retrieval",
    "text-to-3d",
    "text-to-audio",
    "text-to-image",
    "text-to-speech",
    "text-to-video",
    "text2text-generation",
    "time-series-forecasting",
    "token-classification",
    "translation",
    "unconditional-image-generation",
    "video-classification",
    "video-text-to-text",
    "video-to-video",
    "visual-document-retrieval",
    "visual-question-answering",
    "voice-activity-detection",
    "zero-shot-classification",
    "zero-shot-image-classification",
    "zero-shot-object-detection",
});
constexpr std::string_view kTaskTag = "task_categories:";
constexpr std::size_t kFoldBytes = 4;

std::uint32_t fold_at(std::string_view packed) {
  std::uint32_t fold = 0;
  for (std::size_t byte = kFoldBytes; byte-- > 0;) fold = (fold << 8) | static_cast<unsigned char>(packed[byte]);
  return fold;
}

using ByYear = std::map<int, std::uint64_t>;

/// Datasets by task and year of creation; of one that names several tasks, each.
struct Tasks {
  std::array<ByYear, kTasks.size()> created;

  ByYear datasets;
  std::uint64_t with_task = 0, undated = 0;
};

Result<Tasks> read_tasks(const Population& p) {
  std::unordered_map<std::uint32_t, std::size_t> task_of;
  for (std::size_t t = 0; t < kTasks.size(); ++t)
    task_of[storage::fold32(std::string(kTaskTag) + std::string(kTasks[t]))] = t;
  Tasks out;
  std::vector<std::size_t> named;
  HM_TRY(each_text(p.index(), Column::Tags, p.size(), [&](std::uint32_t i, std::string_view packed) {
    if (!p.is_public(i, RepoKind::Dataset)) return;
    named.clear();
    for (; packed.size() >= kFoldBytes; packed.remove_prefix(kFoldBytes)) {
      const auto it = task_of.find(fold_at(packed));
      if (it != task_of.end() && std::find(named.begin(), named.end(), it->second) == named.end())
        named.push_back(it->second);
    }
    const int year = p.created_year(i);
    for (const std::size_t t : named) {
      if (year != 0) ++out.created[t][year];
    }
    out.with_task += named.empty() ? 0 : 1;
  }));
  for (std::uint32_t i = 0; i < p.size(); ++i)
    if (p.is_public(i, RepoKind::Dataset)) ++(p.created_year(i) == 0 ? out.undated : out.datasets[p.created_year(i)]);
  return out;
}

/// Rows of one year, most datasets first: `sums` are those at its end.
void add_year(FigureTable& table, const Tasks& tasks, int year, const std::array<std::uint64_t, kTasks.size()>& sums,
              std::uint64_t datasets) {
  std::vector<std::size_t> order;
  for (std::size_t t = 0; t < kTasks.size(); ++t)
    if (sums[t] != 0) order.push_back(t);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sums[a] > sums[b]; });
  std::uint64_t rank = 0;
  for (std::size_t n = 0; n < order.size(); ++n) {
    const std::size_t t = order[n];
    if (n == 0 || sums[t] != sums[order[n - 1]]) rank = n + 1;
    const auto made = tasks.created[t].find(year);
    table.rows.push_back({std::string(kTasks[t]), std::to_string(year),
                          made == tasks.created[t].end() ? std::uint64_t{0} : made->second, sums[t], rank,
                          Share{sums[t], datasets}});
  }
}

struct Group {
  std::uint64_t fold = 0, repositories = 0, downloads = 0;
  std::uint32_t example = 0;
};

/// Repositories of one kind by what a column of words holds, most first; fold 0 is no word.
Result<std::vector<Group>> groups_of(const Population& p, Column column, RepoKind kind) {
  std::unordered_map<std::uint64_t, Group> groups;
  HM_TRY(each_number(p.index(), column, p.size(), [&](std::uint32_t i, std::uint64_t fold) {
    if (!p.is_public(i, kind)) return;
    Group& group = groups.try_emplace(fold, Group{fold, 0, 0, i}).first->second;
    ++group.repositories;
    group.downloads += p.downloads(i);
    group.example = std::min(group.example, i);
  }));
  std::vector<Group> out;
  for (const auto& [fold, group] : groups) out.push_back(group);
  std::sort(out.begin(), out.end(), [](const Group& a, const Group& b) {
    return a.repositories != b.repositories ? a.repositories > b.repositories : a.example < b.example;
  });
  return out;
}

/// The word of a group, from the row of its example.
Result<std::string> word_of(const Population& p, Column column, const Group& group) {
  storage::ColumnReader columns(p.index());
  HM_TRY(const std::string stored, columns.bytes(Column::Key, group.example));
  const auto key = storage::key::parse_repo(stored);
  if (key) {
    HM_TRY(const auto row, storage::find_listing(p.index(), *key));
    if (row) {
      HM_TRY(const json::value parsed, parse_json(row->facts));
      const ListingFacts facts = parsed.is_object() ? read_facts(parsed.get_object()) : ListingFacts();
      const std::vector<std::string> words = column == Column::Licence ? facts.licences : std::vector{facts.library};
      if (words.size() == 1 && storage::fold32(words[0]) == group.fold) return words[0];
    }
  }
  return Error{Errc::Corrupt, "the columns of the index do not fit its listing rows; run: hubmirror index rebuild"};
}

/// Rows of one kind: the first kListedMax words, then what is left, several at once, and none.
Result<> add_words(FigureTable& table, const Population& p, Column column, RepoKind kind) {
  HM_TRY(const auto groups, groups_of(p, column, kind));
  Group none, several, rest;
  std::uint64_t listed = 0;
  const auto add = [&](const std::string& word, const Group& group) {
    table.rows.push_back({std::string(name_of(kind)), word, group.repositories,
                          Share{group.repositories, p.count(kind)}, group.downloads,
                          Share{group.downloads, p.all_downloads(kind)}});
  };
  for (const Group& group : groups) {
    if (group.fold == 0) {
      none = group;
    } else if (column == Column::Licence && group.fold == storage::kFoldSeveral) {
      several = group;
    } else if (listed == kListedMax) {
      rest.repositories += group.repositories;
      rest.downloads += group.downloads;
    } else {
      ++listed;
      HM_TRY(const std::string word, word_of(p, column, group));
      add(word, group);
    }
  }
  if (rest.repositories != 0) add("(any other)", rest);
  if (several.repositories != 0) add("(several)", several);
  add("(none)", none);
  table.judged.part += p.count(kind) - none.repositories;
  table.judged.of += p.count(kind);
  table.gaps.push_back({std::string(name_of(kind)) + "s without one", none.repositories, "their listing names none"});
  return ok();
}
}  // namespace

Result<FigureTable> datasets_by_task_table(const Population& p) {
  HM_TRY(const Tasks tasks, read_tasks(p));
  FigureTable table;
  table.id = "datasets_by_task";
  table.title = "Datasets by task and year";
  table.population =
      "public datasets that are listed now and carry a tag task_categories: of the Hub's own list; one with several "
      "counts for each";
  table.columns = {{"task", "as the tag says"},
                   {"year", "of creation, UTC"},
                   {"created", "datasets of the task created in it"},
                   {"by_end", "datasets of the task created in it or before"},
                   {"rank", "of the task by by_end"},
                   {"share", "by_end, of all public datasets created by then"}};
  table.keys = 2;
  std::array<std::uint64_t, kTasks.size()> sums{};
  std::uint64_t datasets = 0;
  for (const auto& [year, count] : tasks.datasets) {
    datasets += count;
    for (std::size_t t = 0; t < kTasks.size(); ++t)
      if (const auto it = tasks.created[t].find(year); it != tasks.created[t].end()) sums[t] += it->second;
    add_year(table, tasks, year, sums, datasets);
  }
  table.judged = {tasks.with_task, p.count(RepoKind::Dataset)};
  table.gaps = {{"no task", p.count(RepoKind::Dataset) - tasks.with_task, "no tag of theirs is a task of the list"},
                {"no date of creation", tasks.undated, "the listing gave none"}};
  return table;
}

Result<FigureTable> licences_table(const Population& p) {
  FigureTable table;
  table.id = "licences";
  table.title = "Declared licences";
  table.population =
      "public models and datasets, each kind by itself, by the tag license: of their listing; what their files say is "
      "not looked at";
  table.columns = {{"kind", "model or dataset"},
                   {"licence", "as the tag spells it; the first 50 of a kind, then any other, several at once, none"},
                   {"repositories", "that declare it"},
                   {"share", "of the public repositories of the kind"},
                   {"downloads", "of these repositories in 30 days"},
                   {"share_of_downloads", "of those of the kind"}};
  table.keys = 2;
  HM_TRY(add_words(table, p, Column::Licence, RepoKind::Model));
  HM_TRY(add_words(table, p, Column::Licence, RepoKind::Dataset));
  return table;
}

Result<FigureTable> libraries_table(const Population& p) {
  FigureTable table;
  table.id = "libraries";
  table.title = "Libraries";
  table.population = "public models by the library that their listing names";
  table.columns = {{"kind", "model"},
                   {"library", "the first 50, then any other, none"},
                   {"models", "that name it"},
                   {"share", "of the public models"},
                   {"downloads", "of these models in 30 days"},
                   {"share_of_downloads", "of those of all public models"}};
  table.keys = 2;
  HM_TRY(add_words(table, p, Column::Library, RepoKind::Model));
  return table;
}
}  // namespace hm::provenance::report
