#include "storage/journal.hpp"

#include <algorithm>
#include <map>

#include "storage/journal_mark.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::int64_t kEntryVersion = 1;
constexpr std::size_t kSrcBytesMax = 253;  // a DNS name
constexpr std::string_view kLastPrefix = "journal/last/";

/// Meta: sequence of the newest entry of a repository of one source; of the mirror itself without a repository.
std::string last_key(std::string_view src, const std::optional<RepoKey>& key) {
  return std::string(kLastPrefix).append(src).append(1, '\0').append(key ? key::repo(*key) : std::string());
}

struct Subject {
  std::string src;
  std::optional<RepoKey> key;  ///< none: the mirror itself
};

const json::string* string_field(const json::object& entry, std::string_view name) {
  const json::value* v = entry.if_contains(json::string_view(name.data(), name.size()));
  return v == nullptr ? nullptr : v->if_string();
}

/// Checks the fields every entry has and says whom it is about.
Result<Subject> subject_of(const json::object& entry) {
  auto missing = [](std::string_view name, std::string_view form) {
    return Error{Errc::BadInput, "journal entry: \"" + std::string(name) + "\" has to be " + std::string(form)};
  };
  const json::string* const t = string_field(entry, "t");
  if (t == nullptr || t->empty()) return missing("t", "a word");
  const json::string* const src = string_field(entry, "src");
  if (src == nullptr || src->empty() || src->size() > kSrcBytesMax || src->find('\0') != json::string::npos)
    return missing("src", "the host of the source");
  const json::value* const obs = entry.if_contains("obs");
  if (obs == nullptr || !(obs->is_int64() ? obs->get_int64() >= 0 : obs->is_uint64()))
    return missing("obs", "POSIX milliseconds");
  const json::string* const kind = string_field(entry, "kind");
  if (kind != nullptr && std::string_view(*kind) == kMirrorItself) {
    if (entry.contains("rid")) return missing("rid", "absent, since it is about no repository");
    return Subject{std::string(*src), std::nullopt};
  }
  const auto repo_kind = kind == nullptr ? std::nullopt : parse_repo_kind(std::string_view(*kind));
  if (!repo_kind || name_of(*repo_kind) != std::string_view(*kind))
    return missing("kind", "model, dataset, space or mirror");
  const json::string* const rid = string_field(entry, "rid");
  const auto id = rid == nullptr ? std::nullopt : Rid::parse(std::string_view(*rid));
  if (!id) return missing("rid", "24 lowercase hex digits");
  return Subject{std::string(*src), RepoKey{*repo_kind, *id}};
}

Result<JournalEntry> sealed(std::uint64_t sequence, json::object value) {
  HM_TRY(std::string bytes, canonical_json(value));
  if (bytes.size() > kJournalEntryBytesMax) {
    return Error{Errc::BadInput, "journal entry has " + std::to_string(bytes.size()) + " bytes, at most " +
                                     std::to_string(kJournalEntryBytesMax) + " are allowed"};
  }
  return JournalEntry{sequence, std::move(bytes), std::move(value)};
}

/// @param key a last_key()
Result<std::optional<std::uint64_t>> last_at(const Index& index, const std::string& key) {
  HM_TRY(const auto stored, index.get(Family::Meta, key));
  if (!stored) return std::optional<std::uint64_t>();
  const auto sequence = key::parse_u64(*stored);
  if (!sequence) return Error{Errc::Corrupt, "the index holds a malformed pointer to a newest journal entry"};
  return sequence;
}

Error damaged(std::uint64_t sequence, std::string_view why) {
  return {Errc::Corrupt,
          "journal entry " + std::to_string(sequence) + ": " + std::string(why) + "; put back index/ from a backup"};
}
}  // namespace

Result<JournalEntry> parse_journal_entry(std::uint64_t sequence, std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kJournalEntryBytesMax)
    return damaged(sequence, "it has " + std::to_string(bytes.size()) + " bytes");
  auto value = parse_canonical_json(bytes);
  if (!value) return damaged(sequence, value.error().what);
  if (!value.assume_value().is_object()) return damaged(sequence, "it is no object");
  json::object& object = value.assume_value().get_object();
  const json::value* const v = object.if_contains("v");
  if (v == nullptr || !v->is_int64()) return damaged(sequence, "it has no version");
  if (v->get_int64() != kEntryVersion) {
    return Error{Errc::Refused, "journal entry " + std::to_string(sequence) + " has version " +
                                    std::to_string(v->get_int64()) + ", this program knows " +
                                    std::to_string(kEntryVersion)};
  }
  const json::value* const prev = object.if_contains("prev");
  if (prev == nullptr || !prev->is_int64() || prev->get_int64() < -1 ||
      (prev->get_int64() >= 0 && static_cast<std::uint64_t>(prev->get_int64()) >= sequence)) {
    return damaged(sequence, "its \"prev\" names no earlier entry");
  }
  if (auto subject = subject_of(object); !subject) return damaged(sequence, subject.error().what);
  return JournalEntry{sequence, std::string(bytes), std::move(object)};
}

Result<std::uint64_t> Journal::append(std::vector<json::object> entries, Batch batch,
                                      const std::function<Result<>(const JournalEntry&, Batch&)>& derive) {
  const std::lock_guard lock(append_mutex_);
  HM_TRY(const std::uint64_t first, size());
  std::optional<JournalEntry> newest;
  std::map<std::string, std::uint64_t> last;  // of the repositories of this call; the index does not know them yet
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t sequence = first + i;
    json::object& value = entries[i];
    HM_TRY(const Subject subject, subject_of(value));
    const std::string key = last_key(subject.src, subject.key);
    if (!last.contains(key)) {
      HM_TRY(const auto before, last_at(index_, key));
      if (before) last.emplace(key, *before);
    }
    const auto before = last.find(key);
    value["v"] = kEntryVersion;
    value["prev"] = before == last.end() ? std::int64_t{-1} : static_cast<std::int64_t>(before->second);
    last[key] = sequence;
    HM_TRY(JournalEntry entry, sealed(sequence, std::move(value)));
    batch.put(Family::Journal, key::u64(sequence), entry.bytes);
    if (derive) {
      HM_TRY(derive(entry, batch));
    }
    if (i + 1 == entries.size()) newest.emplace(std::move(entry));  // an entry that is assigned to would be copied
  }
  for (const auto& [key, sequence] : last) batch.put(Family::Meta, key, key::u64(sequence));
  HM_TRY(within(index_.commit(batch), [&] {
    return "appending " + std::to_string(entries.size()) + " journal entries at " + std::to_string(first);
  }));
  if (mark_ != nullptr && newest) mark_->note(*newest);
  return first;
}

Result<> Journal::each(std::uint64_t from, const std::function<Result<bool>(const JournalEntry&)>& visit) const {
  Result<> outcome = ok();
  std::uint64_t expected = from;
  auto one = [&](std::string_view key, std::string_view bytes) -> Result<bool> {
    const auto sequence = key::parse_u64(key);
    if (!sequence || *sequence != expected) return damaged(expected, "it is missing");
    ++expected;
    HM_TRY(const JournalEntry entry, parse_journal_entry(*sequence, bytes));
    return visit(entry);
  };
  HM_TRY(index_.scan(
      Family::Journal, {},
      [&](std::string_view key, std::string_view bytes) {
        auto go_on = one(key, bytes);
        if (!go_on) outcome = go_on.error();
        return go_on && go_on.assume_value();
      },
      key::u64(from)));
  return outcome;
}

namespace {
Result<std::optional<JournalEntry>> entry_at(const Index& index, std::uint64_t sequence) {
  HM_TRY(const auto bytes, index.get(Family::Journal, key::u64(sequence)));
  if (!bytes) return std::optional<JournalEntry>();
  HM_TRY(JournalEntry entry, parse_journal_entry(sequence, *bytes));
  return std::optional(std::move(entry));
}
Result<std::uint64_t> entries_in(const Index& index) {
  HM_TRY(const auto newest, index.last(Family::Journal, {}));
  if (!newest) return std::uint64_t{0};
  const auto sequence = key::parse_u64(newest->first);
  if (!sequence) return Error{Errc::Corrupt, "the journal holds a key that is no sequence number"};
  return *sequence + 1;
}
}  // namespace

Result<std::optional<JournalEntry>> Journal::get(std::uint64_t sequence) const { return entry_at(index_, sequence); }

Result<std::uint64_t> Journal::size() const { return entries_in(index_); }

Result<std::vector<JournalEntry>> Journal::entries_of(const Index& index, std::string_view src, const RepoKey& key,
                                                      std::size_t max) {
  std::vector<JournalEntry> out;
  HM_TRY(auto at, last_at(index, last_key(src, key)));
  while (at && out.size() < max) {
    HM_TRY(auto entry, entry_at(index, *at));
    if (!entry) return damaged(*at, "it is missing");
    const std::int64_t before = entry->value.at("prev").as_int64();
    out.push_back(std::move(*entry));
    at = before < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(before));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Result<std::uint64_t> Journal::first_since(const Index& index, std::int64_t since_ms) {
  HM_TRY(std::uint64_t high, entries_in(index));
  std::uint64_t low = 0;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    HM_TRY(const auto entry, entry_at(index, middle));
    if (!entry) return damaged(middle, "it is missing");
    if (entry->value.at("obs").to_number<std::int64_t>() >= since_ms)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

Result<std::vector<std::string>> Journal::sources(const Index& index) {
  std::vector<std::string> out;
  std::string from(kLastPrefix);
  for (bool more = true; more;) {
    more = false;
    HM_TRY(index.scan(
        Family::Meta, kLastPrefix,
        [&](std::string_view k, std::string_view) {
          const std::size_t end = k.find('\0');
          const std::string_view src = k.substr(kLastPrefix.size(), end - kLastPrefix.size());
          if (end + 1 == k.size()) return true;  // of the mirror itself, about no repository
          out.emplace_back(src);
          from = std::string(kLastPrefix).append(src).append(1, '\1');  // behind all of its repositories
          more = true;
          return false;
        },
        from));
  }
  return out;
}
}  // namespace hm::storage
