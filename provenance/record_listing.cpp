// What listings say of repositories, mirrored or not: rows, columns and the journal entries of what changed.
#include <algorithm>
#include <map>
#include <set>

#include "base/log.hpp"
#include "provenance/derive.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance {
namespace key = storage::key;
using storage::Column;
using storage::Family;

namespace {
constexpr char kNextOrdinal[] = "listings/next";  // Meta: u64, of the next repository that is listed for the first time
constexpr std::int64_t kWeekMs = std::int64_t{7} * 24 * 3'600'000;
constexpr std::uint64_t kMissingPercentMax = 50;  // a sweep that misses more than this is not believed

Result<json::object> parse_facts(const RepoKey& k, const std::string& facts) {
  HM_TRY(json::value value, parse_json(facts));
  if (!value.is_object()) return Error{Errc::Corrupt, "the facts of listing row " + k.text() + " are no object"};
  return std::move(value.get_object());
}

/// What of a listing is a fact for the journal.
struct Journalled {
  explicit Journalled(const ListingFacts& f)
      : visibility(f.visibility), disabled(f.disabled), head(f.head), modified_ms(f.modified_ms), licences(f.licences) {}
  std::string visibility;
  bool disabled;
  std::optional<Commit> head;
  std::int64_t modified_ms;
  std::vector<std::string> licences;
  bool operator==(const Journalled&) const = default;
};

/// The rows of one page on their way into one batch.
class Page {
 public:
  Page(const storage::Index& index, const std::string& src, std::int64_t now_ms)
      : index_(index), columns_(index), src_(src), now_ms_(now_ms) {}

  Result<storage::ListingRow> row_of(const Listing& seen, bool& is_new) {
    const RepoKey k{seen.repo.kind, seen.rid};
    if (const auto it = rows_.find(k); it != rows_.end()) return it->second;
    HM_TRY(auto stored, storage::find_listing(index_, k));
    is_new = !stored;
    if (stored) return std::move(*stored);
    storage::ListingRow row;
    HM_TRY(row.ordinal, take_ordinal());
    row.first_seen_ms = now_ms_;
    return row;
  }
  Result<> put(const RepoKey& k, storage::ListingRow row, const ListingFacts& facts) {
    HM_TRY(set_columns(columns_, k, row, facts));
    batch_.put(Family::Listings, key::repo(k), storage::pack_listing(row));
    rows_[k] = std::move(row);
    return ok();
  }
  Result<> note_seen(std::uint32_t ordinal, std::optional<std::uint32_t> sweep) {
    return sweep ? columns_.set(Column::Seen, ordinal, *sweep) : Result<>(ok());
  }
  Result<> note_popularity(std::uint32_t ordinal, const Popularity& popularity) {
    if (weeks_.insert(ordinal / storage::kColumnChunk).second) {
      HM_TRY(columns_.keep_last_week(ordinal, static_cast<std::uint32_t>(now_ms_ / kWeekMs)));
    }
    HM_TRY(columns_.set(Column::Downloads, ordinal, popularity.downloads));
    HM_TRY(columns_.set(Column::Likes, ordinal, popularity.likes));
    return columns_.set(Column::Trending, ordinal, popularity.trending);
  }
  /// Who has the name of `seen` by what is stored and by what this page said before.
  Result<std::optional<RepoKey>> holder_of(const RepoId& repo) const {
    if (const auto it = names_.find(key::name(repo)); it != names_.end()) return std::optional(it->second);
    HM_TRY(const auto bytes, index_.get(Family::Names, key::name(repo)));
    if (!bytes) return std::optional<RepoKey>{};
    HM_TRY(const auto name, storage::unpack_name(*bytes));
    return std::optional(name.key);
  }
  void take_name(const RepoId& repo, const RepoKey& k) { names_[key::name(repo)] = k; }

  storage::Batch finish(storage::Batch with) {
    for (const auto& change : batch_.changes()) with.put(change.family, change.key, change.value);
    columns_.flush(with);
    if (next_ordinal_) with.put(Family::Meta, kNextOrdinal, key::u64(*next_ordinal_));
    return with;
  }
  const std::string& src() const { return src_; }
  std::int64_t now_ms() const { return now_ms_; }

 private:
  Result<std::uint32_t> take_ordinal() {
    if (!next_ordinal_) {
      HM_TRY(const auto stored, index_.get(Family::Meta, kNextOrdinal));
      next_ordinal_ = stored ? key::parse_u64(*stored).value_or(0) : 0;
    }
    return static_cast<std::uint32_t>((*next_ordinal_)++);
  }

  const storage::Index& index_;
  storage::ColumnEditor columns_;
  storage::Batch batch_;
  const std::string& src_;
  const std::int64_t now_ms_;
  std::map<RepoKey, storage::ListingRow> rows_;
  std::map<std::string, RepoKey> names_;
  std::set<std::uint32_t> weeks_;
  std::optional<std::uint64_t> next_ordinal_;
};
}  // namespace

json::object Recorder::listed_entry(const std::string& src, const RepoId& repo, const Rid& rid,
                                    const ListingFacts& facts) const {
  json::object e = entry("listed", src, repo, rid);
  e["vis"] = facts.visibility;
  e["up"] = facts.modified_ms;
  e["made"] = facts.created_ms;
  if (facts.head) e["commit"] = facts.head->hex();
  if (facts.disabled) e["dis"] = true;
  if (!facts.licences.empty()) {
    json::array licences;
    for (const std::string& licence : facts.licences) licences.emplace_back(licence);
    e["lic"] = std::move(licences);
  }
  return e;
}

Result<ListingOutcome> Recorder::record_listing(const std::string& src, const std::vector<Listing>& items,
                                                std::optional<std::uint32_t> sweep, storage::Batch state) {
  const std::lock_guard lock(mutex_);
  ListingOutcome outcome;
  Page page(index_, src, clock_.unix_ms());
  std::vector<json::object> entries;
  for (const Listing& seen : items) {
    const RepoKey k{seen.repo.kind, seen.rid};
    bool is_new = false;
    HM_TRY(auto row, page.row_of(seen, is_new));
    HM_TRY(page.note_seen(row.ordinal, sweep));
    if (seen.popularity) {
      HM_TRY(page.note_popularity(row.ordinal, *seen.popularity));
    }
    ++outcome.listed;
    if (!is_new && row.name == seen.repo.name && row.facts == seen.facts && row.gone_status == 0 &&
        row.missing_since_ms == 0 && row.src == src)
      continue;
    const ListingFacts facts = read_facts(seen.fields);
    bool journalled = is_new || row.gone_status != 0;
    if (!journalled) {
      HM_TRY(const json::object before, parse_facts(k, row.facts));
      journalled = Journalled(read_facts(before)) != Journalled(facts);
    }
    HM_TRY(const std::string known_as, name_before(k, is_new ? seen.repo.name : row.name));
    if (known_as != seen.repo.name) {
      entries.push_back(entry("moved", src, {seen.repo.kind, known_as}, seen.rid));
      entries.back()["to"] = seen.repo.name;
      ++outcome.moved;
    }
    if (is_new || row.name != seen.repo.name) {
      HM_TRY(const auto holder, page.holder_of(seen.repo));
      if (holder && *holder != k) {
        entries.push_back(entry("replaced", src, seen.repo, seen.rid));
        entries.back()["was"] = holder->rid.text();
        ++outcome.replaced;
      }
      page.take_name(seen.repo, k);
    }
    if (journalled) entries.push_back(listed_entry(src, seen.repo, seen.rid, facts));
    ++(is_new ? outcome.added : outcome.changed);
    row.src = src;
    if (is_new || row.name != seen.repo.name || row.facts != seen.facts || row.gone_status != 0)
      row.changed_ms = page.now_ms();
    row.name = seen.repo.name;
    row.facts = seen.facts;
    row.gone_status = 0;
    row.missing_since_ms = 0;
    HM_TRY(page.put(k, std::move(row), facts));
  }
  HM_TRY(append_or_commit(std::move(entries), page.finish(std::move(state))));
  return outcome;
}

/// The name that the journal knows: of the newest visit when there was one, else of the newest listing.
Result<std::string> Recorder::name_before(const RepoKey& k, const std::string& listed) const {
  HM_TRY(const auto visited, Deriver(index_).repo(k));
  return visited ? visited->repo.name : listed;
}

Result<> Recorder::append_or_commit(std::vector<json::object> entries, storage::Batch batch) {
  return entries.empty() ? index_.commit(batch) : append(std::move(entries), std::move(batch));
}

namespace {
struct Unlisted {
  std::uint64_t known = 0;               ///< of this source and kind, not gone
  std::vector<std::uint32_t> ordinals;  ///< of those that the sweep did not list, ascending
};

/// Four columns side by side, chunk by chunk, in one pass each.
Result<Unlisted> unlisted_in(const storage::Index& index, const std::string& src, RepoKind kind, std::uint32_t sweep) {
  Unlisted out;
  std::vector<bool> counts;
  auto at = [&](std::uint32_t ordinal) {
    if (counts.size() <= ordinal) counts.resize(ordinal + 1, false);
    return counts.begin() + ordinal;
  };
  HM_TRY(storage::scan_column(index, Column::Source, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i) *at(first + i) = chunk.number(i) == storage::fold32(src);
    return true;
  }));
  HM_TRY(storage::scan_column(index, Column::Key, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i)
      if (chunk.bytes(i)[0] != static_cast<char>(kind)) *at(first + i) = false;
    return true;
  }));
  HM_TRY(storage::scan_column(index, Column::State, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i)
      if ((chunk.number(i) & storage::kStateGone) != 0) *at(first + i) = false;
    return true;
  }));
  out.known = static_cast<std::uint64_t>(std::count(counts.begin(), counts.end(), true));
  HM_TRY(storage::scan_column(index, Column::Seen, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i)
      if (chunk.number(i) >= sweep) *at(first + i) = false;
    return true;
  }));
  for (std::uint32_t ordinal = 0; ordinal < counts.size(); ++ordinal)
    if (counts[ordinal]) out.ordinals.push_back(ordinal);
  return out;
}

Result<std::vector<RepoKey>> keys_of(const storage::Index& index, const std::vector<std::uint32_t>& ordinals) {
  std::vector<RepoKey> keys;
  auto next = ordinals.begin();
  HM_TRY(storage::scan_column(index, Column::Key, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (; next != ordinals.end() && *next < first + chunk.size(); ++next) {
      const auto k = key::parse_repo(chunk.bytes(*next - first));
      if (k) keys.push_back(*k);
    }
    return next != ordinals.end();
  }));
  return keys;
}
}  // namespace

Result<std::vector<RepoKey>> Recorder::finish_sweep(const std::string& src, RepoKind kind, std::uint32_t sweep,
                                                    std::int64_t began_ms, std::int64_t patience_ms,
                                                    storage::Batch state) {
  const std::lock_guard lock(mutex_);
  HM_TRY(const auto unlisted, unlisted_in(index_, src, kind, sweep));
  std::vector<RepoKey> overdue;
  if (unlisted.ordinals.size() * 100 > unlisted.known * kMissingPercentMax) {
    log(LogLevel::Warning, "the sweep is not believed: it lists less than half of what is known",
        {{"kind", std::string(name_of(kind))}, {"known", std::to_string(unlisted.known)},
         {"not_listed", std::to_string(unlisted.ordinals.size())}});
  } else {
    HM_TRY(const auto keys, keys_of(index_, unlisted.ordinals));
    const std::int64_t now_ms = clock_.unix_ms();
    for (const RepoKey& k : keys) {
      HM_TRY(auto row, storage::find_listing(index_, k));
      if (!row || row->first_seen_ms >= began_ms) continue;  // first seen elsewhere while the sweep was on its way
      if (row->missing_since_ms == 0) {
        row->missing_since_ms = now_ms;
        state.put(Family::Listings, key::repo(k), storage::pack_listing(*row));
      } else if (now_ms - row->missing_since_ms >= patience_ms) {
        overdue.push_back(k);
      }
    }
  }
  HM_TRY(index_.commit(state));
  return overdue;
}

Result<> Recorder::record_listing_gone(const RepoKey& k, int http_status) {
  const std::lock_guard lock(mutex_);
  HM_TRY(auto row, storage::find_listing(index_, k));
  if (!row || row->gone_status == http_status) return ok();
  Page page(index_, row->src, clock_.unix_ms());
  std::vector<json::object> entries{entry("gone", row->src, {k.kind, row->name}, k.rid)};
  entries.back()["status"] = http_status;
  row->gone_status = http_status;
  row->changed_ms = page.now_ms();
  HM_TRY(const json::object facts, parse_facts(k, row->facts));
  HM_TRY(page.put(k, *row, read_facts(facts)));
  return append(std::move(entries), page.finish({}));
}
}  // namespace hm::provenance
