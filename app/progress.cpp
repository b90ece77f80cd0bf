#include "app/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "app/output.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kRateWindowMs = 10'000;  // long enough to calm the figure, short enough to show a stall
constexpr std::int64_t kRateStepMs = 250;
constexpr std::size_t kBarColumns = 22;
constexpr std::size_t kFileLinesMax = 6;
constexpr std::int64_t kPlainEveryMs = 10'000, kPlainAtMostEveryMs = 1'000;
constexpr std::uint64_t kPlainShare = 20;  // one line per twentieth, i.e. 5 %

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};
TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row == 0 ? std::size_t{24} : size.ws_row};
}
std::string rate_text(std::uint64_t bytes_per_second) {
  return bytes_per_second == 0 ? std::string() : human_bytes(bytes_per_second) + "/s";
}
std::string left_text(std::uint64_t done, std::uint64_t total, std::uint64_t rate) {
  if (rate == 0 || total <= done) return {};
  return human_seconds((total - done + rate - 1) / rate) + " left";
}
void append(std::string& text, const std::string& part) {
  if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
}
}  // namespace

void RateMeter::sample(std::uint64_t total_bytes, std::int64_t now_ms) {
  if (!samples_.empty() && now_ms - samples_.back().at_ms < kRateStepMs && samples_.size() > 1) {
    samples_.back().bytes = total_bytes;
  } else {
    samples_.push_back({now_ms, total_bytes});
  }
  while (samples_.size() > 2 && now_ms - samples_[1].at_ms >= kRateWindowMs) samples_.pop_front();
}

std::uint64_t RateMeter::bytes_per_second(std::int64_t now_ms) const {
  if (samples_.size() < 2) return 0;
  const std::int64_t span_ms = now_ms - samples_.front().at_ms;
  const std::uint64_t bytes = samples_.back().bytes - std::min(samples_.front().bytes, samples_.back().bytes);
  return span_ms <= 0 ? 0 : bytes * 1000 / static_cast<std::uint64_t>(span_ms);
}

std::string_view doing(crawler::Stage stage) {
  switch (stage) {
    case crawler::Stage::Visit:
      return "asking the Hub";
    case crawler::Stage::Git:
      return "fetching git objects";
    case crawler::Stage::Plan:
      return "reading the file lists";
    case crawler::Stage::Blobs:
      return "fetching files";
    case crawler::Stage::Publish:
      return "publishing";
    case crawler::Stage::Done:
      return "done";
  }
  return "working";
}

std::string percent(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return "0 %";
  if (done >= total) return "100 %";
  return std::to_string(static_cast<unsigned>(static_cast<double>(done) / static_cast<double>(total) * 100.0)) + " %";
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  if (width < 3) return {};
  const std::size_t room = width - 2;
  std::size_t filled = total == 0 ? 0
                                  : static_cast<std::size_t>(static_cast<double>(std::min(done, total)) /
                                                             static_cast<double>(total) * static_cast<double>(room));
  filled = std::min(filled, room);
  return "[" + std::string(filled, '#') + std::string(room - filled, '.') + "]";
}

void ProgressState::apply(std::size_t slot, const crawler::ProgressEvent& event, std::int64_t now_ms) {
  Repo& repo = repos_[slot];
  repo.name = printable(event.repo.text());
  repo.stage = event.stage;
  if (event.stage == crawler::Stage::Git) {  // its bytes are the pack's, of unknown size
    repo.git_bytes = event.bytes_done;
  } else {
    repo.files_total = event.files_total;
    repo.files_done = event.files_done;
    repo.bytes_total = event.bytes_total;
    repo.bytes_done = event.bytes_done;
  }
  if (!event.file.empty()) {
    File& file = repo.files[event.file];
    file.total = event.file_bytes_total;
    file.bytes += event.file_bytes_more;
    file.rate.sample(file.bytes, now_ms);
    if (event.file_done) {
      if (event.file_failed)
        repo.lost += file.bytes;
      else
        repo.credited += file.total - std::min(file.bytes, file.total);
      repo.files.erase(event.file);
    }
  }
  std::uint64_t moved = moved_by_finished_;
  for (const auto& [id, r] : repos_) moved += r.bytes_done + r.git_bytes;
  rate_.sample(moved, now_ms);
}

void ProgressState::finished(std::size_t slot) {
  ++repos_done_;
  const auto it = repos_.find(slot);
  if (it == repos_.end()) return;
  const Repo& repo = it->second;
  moved_by_finished_ += repo.bytes_done + repo.git_bytes;
  const Totals totals = totals_of(repo);  // one that is not complete stays short of its total
  finished_.done += totals.done;
  finished_.total += totals.total;
  repos_.erase(it);
}

ProgressState::Totals ProgressState::totals_of(const Repo& repo) const {
  const std::uint64_t total = std::max(repo.bytes_total, repo.bytes_done) + repo.git_bytes;
  const std::uint64_t done = repo.bytes_done + repo.credited + repo.git_bytes;
  return {std::min(done - std::min(repo.lost, done), total), total};
}
std::uint64_t ProgressState::bytes_done() const {
  std::uint64_t sum = finished_.done;
  for (const auto& [slot, repo] : repos_) sum += totals_of(repo).done;
  return sum;
}
std::uint64_t ProgressState::bytes_total() const {
  std::uint64_t sum = finished_.total;
  for (const auto& [slot, repo] : repos_) sum += totals_of(repo).total;
  return sum;
}

std::vector<std::string> ProgressState::file_lines(std::size_t width, std::size_t lines_max,
                                                   std::int64_t now_ms) const {
  struct Busy {
    const std::string* path;
    const File* file;
    std::uint64_t rate;
  };
  std::vector<Busy> busy;
  for (const auto& [slot, repo] : repos_) {
    for (const auto& [path, file] : repo.files) busy.push_back({&path, &file, file.rate.bytes_per_second(now_ms)});
  }
  const std::size_t shown = std::min({busy.size(), lines_max, kFileLinesMax});
  std::partial_sort(
      busy.begin(), busy.begin() + static_cast<std::ptrdiff_t>(shown), busy.end(),
      [](const Busy& a, const Busy& b) { return a.rate != b.rate ? a.rate > b.rate : *a.path < *b.path; });
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < shown; ++i) {
    const File& file = *busy[i].file;
    std::string figures = " " + percent(file.bytes, file.total);
    if (width >= 60) figures += " of " + human_bytes(file.total);
    if (width >= 76 && busy[i].rate != 0) figures += ", " + rate_text(busy[i].rate);
    const std::size_t room = width > figures.size() + 2 ? width - figures.size() - 2 : 0;
    std::string name = fit(printable(*busy[i].path), room);
    name += std::string(room - std::min(room, display_width(name)), ' ');
    lines.push_back(fit("  " + name + figures, width));
  }
  return lines;
}

std::vector<std::string> ProgressState::render(std::size_t width, std::size_t lines_max, std::int64_t now_ms) const {
  if (width < 8 || lines_max == 0) return {};
  std::vector<std::string> lines;
  const std::size_t repo_lines = std::min(repos_.size(), lines_max - 1);
  lines = file_lines(width, lines_max - 1 - repo_lines, now_ms);
  std::size_t left = repo_lines;
  for (const auto& [slot, repo] : repos_) {
    if (left-- == 0) break;
    std::string text = repo.name + ": " + std::string(doing(repo.stage));
    if (repo.stage == crawler::Stage::Blobs)
      text += ", " + std::to_string(repo.files_done) + " of " + std::to_string(repo.files_total);
    if (repo.stage == crawler::Stage::Git && repo.git_bytes != 0) text += ", " + human_bytes(repo.git_bytes);
    lines.push_back(fit(text, width));
  }
  const std::uint64_t done = bytes_done(), total = bytes_total();
  std::string text = width >= 60 ? bar(done, total, kBarColumns) + " " : std::string();
  lines.push_back(fit(text + total_line(now_ms), width));
  return lines;
}

std::string ProgressState::total_line(std::int64_t now_ms) const {
  const std::uint64_t done = bytes_done(), total = bytes_total(), rate = rate_.bytes_per_second(now_ms);
  const bool at_work = !repos_.empty();  // the last bytes may still turn out to be wrong
  std::string text =
      (at_work && total != 0 && done >= total ? "99 %" : percent(done, total)) + " of " + human_bytes(total);
  append(text, rate_text(rate));
  append(text, left_text(done, total, rate));
  if (repos_total_ > 1)
    append(text, std::to_string(repos_done_) + " of " + std::to_string(repos_total_) + " repositories done");
  return text;
}

std::string ProgressState::line(std::size_t slot, std::int64_t now_ms) const {
  const auto it = repos_.find(slot);
  if (it == repos_.end()) return {};
  const Repo& repo = it->second;
  std::string text = repo.name + ": " + std::string(doing(repo.stage));
  if (repo.stage != crawler::Stage::Blobs || repo.files_total == 0) return text;
  const Totals t = totals_of(repo);
  const std::uint64_t rate = rate_.bytes_per_second(now_ms);
  text += ": " + std::to_string(repo.files_done) + " of " + counted(repo.files_total, "file") + ", " +
          human_bytes(t.done) + " of " + human_bytes(t.total) + " (" + percent(t.done, t.total) + ")";
  append(text, rate_text(rate));
  append(text, left_text(t.done, t.total, rate));
  return text;
}

void ProgressDisplay::apply(std::size_t slot, const crawler::ProgressEvent& event, std::int64_t now_ms) {
  if (mode_ == Mode::Silent) return;
  const std::lock_guard lock(mutex_);
  state_.apply(slot, event, now_ms);
  const auto [stage, first] = stages_.try_emplace(slot, event.stage);
  if (mode_ == Mode::Lines && (first || stage->second != event.stage) && event.stage != crawler::Stage::Done)
    pending_.push_back(state_.line(slot, now_ms));
  stage->second = event.stage;
}

void ProgressDisplay::finished(std::size_t slot, std::string summary) {
  if (mode_ == Mode::Silent) return;
  const std::lock_guard lock(mutex_);
  state_.finished(slot);
  stages_.erase(slot);
  if (!summary.empty()) pending_.push_back(std::move(summary));
}

void ProgressDisplay::say(const std::string& text) {
  const std::lock_guard lock(mutex_);
  erase_bars();
  err_ << text << "\n" << std::flush;
}

void ProgressDisplay::draw(std::int64_t now_ms) {
  if (mode_ == Mode::Bars) draw_bars(now_ms);
  if (mode_ == Mode::Lines) draw_lines(now_ms);
}

void ProgressDisplay::erase_bars() {
  if (lines_drawn_ != 0) err_ << "\x1b[" << lines_drawn_ << "A\x1b[J";
  lines_drawn_ = 0;
}

void ProgressDisplay::draw_bars(std::int64_t now_ms) {
  const TerminalSize size = terminal_size();
  std::vector<std::string> said, lines;
  {
    const std::lock_guard lock(mutex_);
    said.swap(pending_);
    lines = state_.render(size.columns - 1, size.rows > 2 ? size.rows - 2 : 1, now_ms);
  }
  // Written outside the lock: a terminal that is held up (Ctrl-S) must not hold up the network thread.
  erase_bars();
  for (const std::string& text : said) err_ << text << "\n";
  for (const std::string& text : lines) err_ << text << "\n";
  lines_drawn_ = lines.size();
  err_ << std::flush;
}

void ProgressDisplay::draw_lines(std::int64_t now_ms) {
  std::vector<std::string> said;
  {
    const std::lock_guard lock(mutex_);
    said.swap(pending_);
    const std::uint64_t done = state_.bytes_done(), total = state_.bytes_total();
    const bool moved = done != last_line_bytes_;
    const bool share =
        total != 0 && (done - std::min(done, last_line_bytes_)) >= std::max<std::uint64_t>(1, total / kPlainShare);
    const std::int64_t since_ms = now_ms - last_line_ms_;
    if (last_line_ms_ == 0)
      last_line_ms_ = now_ms;
    else if (moved && total != 0 && (since_ms >= kPlainEveryMs || (share && since_ms >= kPlainAtMostEveryMs))) {
      said.push_back("total: " + state_.total_line(now_ms));
      last_line_ms_ = now_ms;
      last_line_bytes_ = done;
    }
  }
  for (const std::string& text : said) err_ << text << "\n";
  if (!said.empty()) err_ << std::flush;
}

void ProgressDisplay::close() {
  if (mode_ == Mode::Silent) return;
  const std::lock_guard lock(mutex_);
  erase_bars();
  for (const std::string& text : pending_) err_ << text << "\n";
  pending_.clear();
  err_ << std::flush;
}
}  // namespace hm::app
