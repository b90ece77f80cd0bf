// What listings say of repositories, mirrored or not: rows, columns and the journal entries of what changed.
#include <boost/json/monotonic_resource.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/log.hpp"
#include "provenance/derive.hpp"
#include "provenance/lineage/edges.hpp"
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
// A sweep that misses more than either is not believed. Fewer are asked for by name, one by one, whatever share of the
// Hub they are: a small one may lose most of what it had, and its ghosts would stay for ever.
constexpr std::uint64_t kMissingPercentMax = 50, kMissingMax = 1'000;

Result<json::object> parse_facts(const RepoKey& k, const std::string& facts) {
  HM_TRY(json::value value, parse_json(facts));
  if (!value.is_object()) return Error{Errc::Corrupt, "the facts of listing row " + k.text() + " are no object"};
  return std::move(value.get_object());
}

/// What of a listing is a fact for the journal.
struct Journalled {
  explicit Journalled(const ListingFacts& f)
      : visibility(f.visibility),
        disabled(f.disabled),
        head(f.head),
        modified_ms(f.modified_ms),
        licences(f.licences) {}
  std::string visibility;
  bool disabled;
  std::optional<Commit> head;
  std::int64_t modified_ms;
  std::vector<std::string> licences;
  bool operator==(const Journalled&) const = default;
};

using MakeEntry = std::function<json::object(std::string_view type, const RepoId& repo, const Rid& rid)>;

json::object listed_entry(json::object e, const ListingFacts& facts) {
  e["vis"] = facts.visibility;
  e["up"] = facts.modified_ms;
  e["made"] = facts.created_ms;
  if (facts.head) e["commit"] = facts.head->hex();
  if (facts.disabled) e["dis"] = true;
  if (facts.licences.empty()) return e;
  json::array licences(e.storage());
  for (const std::string& licence : facts.licences) licences.emplace_back(licence);
  e["lic"] = std::move(licences);
  return e;
}

/// The rows of one page on their way into one batch, and the entries that follow from them.
class Page {
 public:
  Page(const storage::Index& index, const std::string& src, std::int64_t now_ms)
      : index_(index), columns_(index), deriver_(index), src_(src), now_ms_(now_ms) {}

  Result<> list(const Listing& seen, std::optional<std::uint32_t> sweep, const MakeEntry& make) {
    const RepoKey k{seen.repo.kind, seen.rid};
    bool is_new = false;
    HM_TRY(auto row, row_of(seen, is_new));
    if (sweep) {
      HM_TRY(columns_.set(Column::Seen, row.ordinal, *sweep));
    }
    if (seen.popularity) {
      HM_TRY(note_popularity(row.ordinal, *seen.popularity));
    }
    ++outcome_.listed;
    const bool renamed = !is_new && row.name != seen.repo.name;
    const bool differs = is_new || renamed || row.facts != seen.facts || row.gone_status != 0;
    if (!differs && row.missing_since_ms == 0 && row.src == src_) return ok();
    const ListingFacts facts = read_facts(seen.fields);
    HM_TRY(const bool journalled, is_worth_an_entry(k, row, is_new, facts));
    if (is_new || renamed) {
      HM_TRY(take_name(k, is_new ? seen.repo.name : row.name, seen.repo, make));
    }
    if (journalled) entries_.push_back(listed_entry(make("listed", seen.repo, seen.rid), facts));
    ++(is_new ? outcome_.added : outcome_.changed);
    if (differs) {
      HM_TRY(change_edges(k, row, is_new, seen));
    }
    if (differs) row.changed_ms = now_ms_;
    row.src = src_;
    row.name = seen.repo.name;
    row.facts = seen.facts;
    row.gone_status = 0;
    row.missing_since_ms = 0;
    return put(k, std::move(row), facts);
  }

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
  Result<> change_edges(const RepoKey& k, const storage::ListingRow& before, bool is_new, const Listing& seen) {
    lineage::Statements old{before.name, {}};
    if (!is_new) {
      HM_TRY(const json::object facts, parse_facts(k, before.facts));
      old.claims = lineage::claims_of_listing(k.kind, facts);
    }
    return deriver_.edges().change(k, storage::EdgeOrigin::Listing, old,
                                   {seen.repo.name, lineage::claims_of_listing(k.kind, seen.fields)}, batch_);
  }
  Result<> note_popularity(std::uint32_t ordinal, const Popularity& popularity) {
    if (weeks_.insert(ordinal / storage::kColumnChunk).second) {
      HM_TRY(columns_.keep_last_week(ordinal, static_cast<std::uint32_t>(now_ms_ / kWeekMs)));
    }
    HM_TRY(columns_.set(Column::Downloads, ordinal, popularity.downloads));
    HM_TRY(columns_.set(Column::Likes, ordinal, popularity.likes));
    return columns_.set(Column::Trending, ordinal, popularity.trending);
  }
  storage::Batch finish(storage::Batch with) {
    with.append(std::move(batch_));
    columns_.flush(with);
    if (next_ordinal_) with.put(Family::Meta, kNextOrdinal, key::u64(*next_ordinal_));
    return with;
  }
  std::int64_t now_ms() const { return now_ms_; }
  const ListingOutcome& outcome() const { return outcome_; }
  std::vector<json::object> take_entries() { return std::move(entries_); }
  Deriver& deriver() { return deriver_; }

 private:
  Result<bool> is_worth_an_entry(const RepoKey& k, const storage::ListingRow& row, bool is_new,
                                 const ListingFacts& facts) const {
    if (is_new || row.gone_status != 0) return true;
    HM_TRY(const json::object before, parse_facts(k, row.facts));
    return Journalled(read_facts(before)) != Journalled(facts);
  }
  /// Entries for a name that is new to this rid. @param listed what the listings called it before
  Result<> take_name(const RepoKey& k, const std::string& listed, const RepoId& repo, const MakeEntry& make) {
    HM_TRY(const auto visited, deriver_.repo(k));
    const std::string before = visited ? visited->repo.name : listed;  // what the journal knows
    if (before != repo.name) {
      entries_.push_back(make("moved", {repo.kind, before}, k.rid));
      entries_.back()["to"] = repo.name;
      ++outcome_.moved;
    }
    HM_TRY(const auto holder, holder_of(repo));
    if (holder && *holder != k) {
      entries_.push_back(make("replaced", repo, k.rid));
      entries_.back()["was"] = holder->rid.text();
      ++outcome_.replaced;
    }
    names_[key::name(repo)] = k;
    return ok();
  }
  /// Who has the name by what is stored and by what this page said before.
  Result<std::optional<RepoKey>> holder_of(const RepoId& repo) const {
    if (const auto it = names_.find(key::name(repo)); it != names_.end()) return std::optional(it->second);
    HM_TRY(const auto name, deriver_.name(repo));
    return name ? std::optional(name->key) : std::nullopt;
  }
  Result<std::uint32_t> take_ordinal() {
    if (!next_ordinal_) {
      HM_TRY(const auto stored, index_.get(Family::Meta, kNextOrdinal));
      next_ordinal_ = stored ? key::parse_u64(*stored).value_or(0) : 0;
    }
    return static_cast<std::uint32_t>((*next_ordinal_)++);
  }

  const storage::Index& index_;
  storage::ColumnEditor columns_;
  Deriver deriver_;
  storage::Batch batch_;
  std::vector<json::object> entries_;
  ListingOutcome outcome_;
  const std::string& src_;
  const std::int64_t now_ms_;
  std::map<RepoKey, storage::ListingRow> rows_;
  std::map<std::string, RepoKey> names_;
  std::set<std::uint32_t> weeks_;
  std::optional<std::uint64_t> next_ordinal_;
};
}  // namespace

Result<ListingOutcome> Recorder::record_listing(const std::string& src, const std::vector<Listing>& items,
                                                std::optional<std::uint32_t> sweep, storage::Batch state) {
  const std::lock_guard lock(mutex_);
  Page page(index_, src, clock_.unix_ms());
  const auto memory = json::make_shared_resource<json::monotonic_resource>();  // of all entries of the page
  const MakeEntry make = [&](std::string_view type, const RepoId& repo, const Rid& rid) {
    return entry(type, src, repo, rid, memory);
  };
  for (const Listing& seen : items) {
    HM_TRY(page.list(seen, sweep, make));
  }
  const ListingOutcome outcome = page.outcome();
  auto entries = page.take_entries();
  auto batch = page.finish(std::move(state));
  if (entries.empty()) {
    HM_TRY(index_.commit(batch));
  } else {
    HM_TRY(append(std::move(entries), std::move(batch), page.deriver()));
  }
  return outcome;
}

namespace {
struct Unlisted {
  std::uint64_t known = 0;              ///< of this source and kind, not gone
  std::vector<std::uint32_t> ordinals;  ///< of those that the sweep did not list, ascending
};

/// Three columns one after the other, in one pass each.
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
  HM_TRY(storage::scan_column(index, Column::State, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i) {
      const std::uint64_t state = chunk.number(i);
      if ((state & storage::kStateKind) != storage::state_of(kind) || (state & storage::kStateGone) != 0)
        *at(first + i) = false;
    }
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
  std::unique_lock lock(mutex_);
  HM_TRY(const auto unlisted, unlisted_in(index_, src, kind, sweep));
  std::vector<RepoKey> overdue;
  const std::uint64_t missing = unlisted.ordinals.size();
  if (missing > kMissingMax && missing * 100 > unlisted.known * kMissingPercentMax) {
    log(LogLevel::Warning, "the sweep is not believed: it lists less than half of what is known",
        {{"kind", std::string(name_of(kind))},
         {"known", std::to_string(unlisted.known)},
         {"not_listed", std::to_string(missing)}});
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
  HM_TRY(const auto lists, storage::begin_edge_lists(index_, state));
  HM_TRY(index_.commit(state));
  lock.unlock();
  lineage::write_lists(index_, lists);
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
  return append(std::move(entries), page.finish({}), page.deriver());
}
}  // namespace hm::provenance
