#include "tests/simulation/oracle.hpp"

#include <algorithm>
#include <optional>

#include "base/canonical_json.hpp"
#include "provenance/listing.hpp"
#include "storage/columns.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::test::sim {
namespace {
using scale::Truth;
constexpr std::size_t kFindingsMax = 20;

void add(Findings& to, std::string finding) {
  if (to.size() < kFindingsMax) to.push_back(std::move(finding));
}
std::string label(const Truth& truth) {
  return std::string(name_of(truth.kind)) + " " + truth.rid.text() + " " + truth.name;
}
std::string_view visibility_of(scale::Gate gate) {
  return gate == scale::Gate::Open ? "public" : gate == scale::Gate::Auto ? "gated-auto" : "gated-manual";
}
std::string text_in(const json::object& entry, const char* field) {
  const json::value* const value = entry.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

/// What the journal tells of one repository.
struct Told {
  std::string name;                    ///< now
  std::set<std::string> names;         ///< ever
  std::optional<json::object> listed;  ///< the newest entry of this type
  bool gone = false;
  std::set<std::string> replaced;  ///< rids whose names it took
};
using Story = std::map<RepoKey, Told>;

/// The facts of an entry: without what each has of its own.
std::string facts_of(json::object entry) {
  for (const char* field : {"obs", "prev", "v", "node"}) entry.erase(field);
  return canonical_json(entry).value();
}

/// Reads the journal from its begin and checks each entry against those before it.
class Reader {
 public:
  explicit Reader(Findings& findings) : findings_(findings) {}
  void read(const storage::JournalEntry& e) {
    const auto kind = parse_repo_kind(text_in(e.value, "kind"));
    const auto rid = Rid::parse(text_in(e.value, "rid"));
    if (!kind || !rid) return complain(e, "names no repository");
    const RepoKey key{*kind, *rid};
    const auto before = last_.find(key);
    const std::int64_t prev = before == last_.end() ? -1 : static_cast<std::int64_t>(before->second.first);
    if (e.value.at("prev").as_int64() != prev) complain(e, "does not follow the one before it");
    const std::string facts = facts_of(e.value);
    if (before != last_.end() && before->second.second == facts) complain(e, "says the same as the one before it");
    tell(key, e);
    last_[key] = {e.sequence, facts};
  }
  Story take() { return std::move(story_); }

 private:
  void complain(const storage::JournalEntry& e, const std::string& why) {
    add(findings_, "journal entry " + std::to_string(e.sequence) + " " + why + ": " + e.bytes);
  }
  void tell(const RepoKey& key, const storage::JournalEntry& e) {
    const std::string type = text_in(e.value, "t");
    const std::string id = text_in(e.value, "id");
    Told& told = story_[key];
    if (type == "listed") {
      if (told.names.empty()) take_name(key, told, id, e);
      if (told.name != id) complain(e, "calls it by a name that no entry gave it");
      told.listed = e.value;
      told.gone = false;
    } else if (type == "moved") {
      if (told.name != id) complain(e, "moves it away from a name that it had not");
      take_name(key, told, text_in(e.value, "to"), e);
    } else if (type == "replaced") {
      told.replaced.insert(text_in(e.value, "was"));
      owed_.erase({key.rid.text(), text_in(e.value, "was")});
      if (told.names.empty()) take_name(key, told, id, e);
    } else if (type == "gone") {
      if (told.gone) complain(e, "says again that it is gone");
      if (told.names.empty()) complain(e, "says that something is gone that was never there");
      told.gone = true;
    } else {
      complain(e, "is of a type that no listing brings");
    }
  }
  void take_name(const RepoKey& key, Told& told, const std::string& name, const storage::JournalEntry& e) {
    auto& holder = holders_[{key.kind, name}];
    if (holder && *holder != key.rid && text_in(e.value, "t") != "replaced" && !told.replaced.contains(holder->text()))
      owed_[{key.rid.text(), holder->text()}] = e.sequence;
    holder = key.rid;
    told.name = name;
    told.names.insert(name);
  }

 public:
  /// Names that changed hands without a word.
  void finish() {
    for (const auto& [who, sequence] : owed_)
      add(findings_, who.first + " took the name of " + who.second + " at entry " + std::to_string(sequence) +
                         ", and nothing says that it replaced it");
  }

 private:
  Findings& findings_;
  Story story_;
  std::map<RepoKey, std::pair<std::uint64_t, std::string>> last_;
  std::map<std::pair<RepoKind, std::string>, std::optional<Rid>> holders_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> owed_;
};

Story read_journal(const storage::Index& index, Findings& findings) {
  Reader reader(findings);
  auto& writable = const_cast<storage::Index&>(index);  // a Journal that is only read
  const auto whole = storage::Journal(writable).each(0, [&](const storage::JournalEntry& e) -> Result<bool> {
    reader.read(e);
    return true;
  });
  if (!whole) add(findings, "the journal cannot be read: " + whole.error().what);
  reader.finish();
  return reader.take();
}

/// Gate and licence, which the listing of Spaces does not say.
void check_terms(const Truth& truth, const storage::ListingRow& row, const provenance::ListingFacts& facts,
                 const Told& told, storage::ColumnReader& columns, Findings& findings) {
  if (facts.visibility != visibility_of(truth.gate) || text_in(*told.listed, "vis") != facts.visibility)
    add(findings, label(truth) + " has another gate than what is stored or journalled");
  const auto licence = facts.licences.empty() ? std::string() : facts.licences.front();
  if (licence != truth.licence) add(findings, label(truth) + " has another licence than what is stored");
  const auto state = columns.number(storage::Column::State, row.ordinal).value();
  const bool gated = (state & (storage::kStateGated | storage::kStateGatedManual)) != 0;
  if ((state & storage::kStateGone) != 0 || gated != (truth.gate != scale::Gate::Open))
    add(findings, label(truth) + " has another state in its column");
}

/// One repository that is there.
void check_present(const Truth& truth, const storage::ListingRow* row, const Told* told, storage::ColumnReader& columns,
                   Findings& findings) {
  if (row == nullptr) return add(findings, label(truth) + " was missed");
  if (row->gone_status != 0) return add(findings, label(truth) + " is there and taken for gone");
  if (row->name != truth.name) add(findings, label(truth) + " is known as " + row->name);
  if (told == nullptr || !told->listed) return add(findings, label(truth) + " is in no journal entry");
  if (told->gone) add(findings, label(truth) + " is there, and gone by the journal");
  if (told->name != truth.name) add(findings, label(truth) + " is " + told->name + " by the journal");
  const auto facts = provenance::read_facts(parse_json(row->facts).value().as_object());
  if (!facts.head || facts.head->hex() != truth.sha || text_in(*told->listed, "commit") != truth.sha)
    add(findings, label(truth) + " has another head than what is stored or journalled");
  if (truth.kind != RepoKind::Space) check_terms(truth, *row, facts, *told, columns, findings);
}

void check_absent(const Truth& truth, const storage::ListingRow* row, const Told* told, Findings& findings) {
  if (row == nullptr) return;  // came and went unseen
  if (row->gone_status == 0) add(findings, label(truth) + " is a ghost: removed or private, and taken to be there");
  if (told == nullptr || !told->gone) add(findings, label(truth) + " is gone, and the journal does not say so");
}

/// Whoever took a name from one that was known under it has an entry that says so.
void check_replacements(const Story& story, const std::vector<scale::Mutation>& changes, Findings& findings) {
  for (const scale::Mutation& m : changes) {
    if (m.what != "replace") continue;
    const auto old = story.find({m.kind, m.rid});
    const auto taken = story.find({m.kind, m.new_rid});
    if (old == story.end() || taken == story.end()) continue;  // one of them was never seen
    if (!old->second.names.contains(m.old_name) || !taken->second.names.contains(m.old_name)) continue;
    if (taken->second.replaced.empty())
      add(findings,
          m.new_rid.text() + " replaced " + m.rid.text() + " as " + m.old_name + ", and the journal does not say so");
  }
}
}  // namespace

Findings check_journal(const storage::Index& index) {
  Findings findings;
  read_journal(index, findings);
  return findings;
}

Findings check_at_rest(const scale::World& world, const storage::Index& index,
                       const std::vector<scale::Mutation>& changes) {
  Findings findings;
  const Story story = read_journal(index, findings);
  std::map<RepoKey, storage::ListingRow> rows;
  std::set<std::uint32_t> ordinals;
  const auto read = storage::each_listing(index, [&](const RepoKey& key, const storage::ListingRow& row) {
    if (!ordinals.insert(row.ordinal).second) add(findings, key.text() + " shares its place in the columns");
    rows.emplace(key, row);
    return true;
  });
  if (!read) add(findings, "the listings cannot be read: " + read.error().what);
  storage::ColumnReader columns(index);
  for (std::size_t k = 0; k < scale::kKinds; ++k) {
    world.for_each(scale::kind_at(k), [&](const Truth& truth) {
      const auto row = rows.find({truth.kind, truth.rid});
      const auto told = story.find({truth.kind, truth.rid});
      const auto* const r = row == rows.end() ? nullptr : &row->second;
      const auto* const t = told == story.end() ? nullptr : &told->second;
      if (truth.visible)
        check_present(truth, r, t, columns, findings);
      else
        check_absent(truth, r, t, findings);
    });
  }
  check_replacements(story, changes, findings);
  return findings;
}

void TailOracle::changed(const scale::Mutation& m) {
  const bool is_a_commit = m.what == "create" || m.what == "touch" || m.what == "replace";
  if (is_a_commit) kinds_[scale::index_of(m.kind)].since.insert(m.what == "replace" ? m.new_rid : m.rid);
}

void TailOracle::tail_begins(RepoKind kind) {
  Kind& k = kinds_[scale::index_of(kind)];
  k.before.merge(k.since);
  k.since.clear();
}

Findings TailOracle::tail_ended(RepoKind kind, const storage::Index& index) {
  Findings findings;
  Kind& k = kinds_[scale::index_of(kind)];
  for (const Rid& rid : k.before) {
    if (k.since.contains(rid) || !k.has_mark) continue;  // changed again meanwhile: the next tail's
    const auto truth = world_.find(rid);
    if (!truth->visible) continue;
    const auto row = storage::find_listing(index, {kind, rid}).value();
    const auto facts =
        row ? provenance::read_facts(parse_json(row->facts).value().as_object()) : provenance::ListingFacts();
    if (!facts.head || facts.head->hex() != truth->sha)
      add(findings, label(*truth) + " changed before a tail began that did not find it");
  }
  k.before.clear();
  k.has_mark = true;
  return findings;
}
}  // namespace hm::test::sim
