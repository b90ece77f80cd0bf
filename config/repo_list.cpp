#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/text.hpp"
#include "config/mirror_policy.hpp"

namespace hm::config {
namespace {
constexpr std::size_t kReposMax = 1'000'000;  // of one list: what a policy may choose
constexpr std::size_t kLicenceBytesMax = 200;

constexpr std::array<std::string_view, 4> kColumns{"repo", "revision", "licence", "license"};

/// A spreadsheet's first row names the columns: no cell of it is anything else.
bool is_heading(const std::vector<std::string_view>& cells) {
  return cells.size() > 1 && std::ranges::all_of(cells, [](std::string_view cell) {
           return std::ranges::any_of(kColumns,
                                      [&](std::string_view name) { return ascii_equal_fold(trim(cell), name); });
         });
}
Result<> check_heading(const std::vector<std::string_view>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool right = i < 3 && (ascii_equal_fold(trim(cells[i]), kColumns[i]) ||
                                 (i == 2 && ascii_equal_fold(trim(cells[i]), kColumns[3])));
    if (!right) return Error{Errc::BadInput, "the columns have to be repo, revision, licence, in this order"};
  }
  return ok();
}

Result<ListedRepo> listed_of(const std::vector<std::string_view>& cells) {
  if (cells.size() > 3)
    return Error{Errc::BadInput,
                 std::to_string(cells.size()) + " columns; a line is repo, revision, licence, with tabs between"};
  ListedRepo listed;
  listed.text = trim(cells[0]);
  const std::string_view revision = cells.size() > 1 ? trim(cells[1]) : std::string_view();
  HM_TRY(listed.spec, parse_repo_spec(listed.text));
  if (!revision.empty()) {
    if (listed.spec.revision)
      return Error{Errc::BadInput, "\"" + printable(listed.text) + "\" has a revision, and so has the next column"};
    HM_TRY(const RepoSpec with_revision, parse_repo_spec("name@" + std::string(revision)));
    listed.spec.revision = with_revision.revision;
  }
  if (cells.size() > 2) listed.licence = trim(cells[2]);
  if (listed.licence.size() > kLicenceBytesMax || printable(listed.licence) != listed.licence)
    return Error{Errc::BadInput, "the licence is longer than " + std::to_string(kLicenceBytesMax) +
                                     " bytes, or holds control characters or invalid UTF-8"};
  return listed;
}
}  // namespace

Result<std::vector<ListedRepo>> parse_repo_list(std::string_view text, std::string_view source_name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::string source = printable(source_name);
  std::vector<ListedRepo> out;
  bool first = true;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    line = line.substr(0, std::min(line.find('#'), line.size()));
    if (trim(line).empty()) continue;
    const std::vector<std::string_view> cells = split(line, '\t');
    std::string where = source + ":" + std::to_string(number);
    if (std::exchange(first, false) && is_heading(cells)) {
      HM_TRY(within(check_heading(cells), [&] { return where; }));
      continue;
    }
    auto listed = listed_of(cells);
    if (!listed) return Error{Errc::BadInput, where + ": " + listed.assume_error().what};
    if (out.size() == kReposMax)
      return Error{Errc::BadInput, where + ": more than " + std::to_string(kReposMax) + " repositories in one list"};
    out.push_back(std::move(listed).assume_value());
    out.back().where = std::move(where);
  }
  return out;
}
}  // namespace hm::config
