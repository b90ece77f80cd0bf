#include "storage/journal_mark.hpp"

#include <array>
#include <cstdio>

#include "base/log.hpp"
#include "base/text.hpp"
#include "storage/journal.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kWord = "hubmirror-journal ";
constexpr std::size_t kDigits = 20;  // of the number of entries: always the same length, so that it is written in place
constexpr std::size_t kLineBytes = kWord.size() + kDigits + 1 + 2 * Sha256::kSize + 1;
}  // namespace

std::string JournalMark::line_of(const Mark& mark) {
  const std::string digits = std::to_string(mark.entries);
  return std::string(kWord) + std::string(kDigits - digits.size(), '0') + digits + " " + mark.newest.hex() + "\n";
}

Result<std::optional<JournalMark::Mark>> JournalMark::read() const {
  auto text = read_small_file(fs_, path_, kLineBytes);
  if (!text) {
    const bool is_none = text.error().code == Errc::NotFound || text.error().code == Errc::Refused;  // absent; too long
    if (is_none) return std::optional<Mark>();
    return within(Result<std::optional<Mark>>(std::move(text).as_failure()),
                  [] { return "reading how far the journal had come; remove that file if it is not hubmirror's"; });
  }
  const std::string_view line = text.assume_value();
  if (line.size() != kLineBytes || !line.starts_with(kWord)) return std::optional<Mark>();  // torn by a power loss
  const auto entries = parse_u64(line.substr(kWord.size(), kDigits));
  const auto newest = Sha256::parse(line.substr(kWord.size() + kDigits + 1, 2 * Sha256::kSize));
  if (!entries || *entries == 0 || !newest) return std::optional<Mark>();
  return std::optional(Mark{*entries, *newest});
}

Result<std::optional<std::string>> JournalMark::mismatch(Index& index) const {
  HM_TRY(const auto mark, read());
  if (!mark) return std::optional<std::string>();
  const Journal journal(index);
  HM_TRY(std::uint64_t size, journal.size());
  if (size < mark->entries) {  // a reader's view may be older than the mark it has just read
    HM_TRY(index.refresh());
    HM_TRY(size, journal.size());
  }
  if (size < mark->entries) {
    return std::optional("the journal has " + std::to_string(size) + " entries, and this store has seen " +
                         std::to_string(mark->entries) + ": the index is older than what is stored");
  }
  HM_TRY(const auto entry, journal.get(mark->entries - 1));
  if (entry && sha256(entry->bytes) == mark->newest) return std::optional<std::string>();
  return std::optional("journal entry " + std::to_string(mark->entries - 1) +
                       " is not the one this store has seen there: the index was put back from an older backup and has "
                       "gone another way since");
}

Result<> JournalMark::accept(Index& index) {
  const Journal journal(index);
  HM_TRY(const std::uint64_t size, journal.size());
  if (size == 0) {
    auto removed = fs_.remove(path_);
    if (!removed && removed.error().code != Errc::NotFound) return removed;
    return ok();
  }
  HM_TRY(const auto entry, journal.get(size - 1));
  if (!entry) return Error{Errc::Corrupt, "journal entry " + std::to_string(size - 1) + " is missing"};
  return replace_file(fs_, path_, line_of({size, sha256(entry->bytes)}));
}

void JournalMark::note(const JournalEntry& newest) {
  const std::string line = line_of({newest.sequence + 1, sha256(newest.bytes)});
  auto write = [&]() -> Result<> {
    const auto size = fs_.file_size(path_);
    if (!size || size.assume_value() != kLineBytes) return replace_file(fs_, path_, line);
    HM_TRY(const auto file, fs_.open_existing(path_));
    return file->write_at(0, std::as_bytes(std::span(line)));
  };
  if (const auto written = write(); !written)
    log(LogLevel::Warning, "journal mark not written", {{"path", path_}, {"why", written.error().what}});
}
}  // namespace hm::storage
