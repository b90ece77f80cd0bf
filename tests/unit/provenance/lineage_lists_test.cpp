// Walks down read lists of edges that were written at some moment. They must tell what the rows tell now, whatever
// happened since, and whatever became of the writing.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <set>
#include <utility>

#include "provenance/lineage/edges.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/edge_lists.hpp"
#include "storage/edge_lists_format.hpp"
#include "storage/key_space.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/provenance/lineage_world.hpp"

namespace hm::provenance {
namespace {
using storage::Batch;
using storage::Family;
namespace fmt = storage::edge_lists;

/// The same index; a test changes what it wants to go differently.
class Wrapped : public storage::Index {
 public:
  explicit Wrapped(Index& real) : real_(real) {}
  Result<std::optional<std::string>> get(Family family, std::string_view k) const override {
    return real_.get(family, k);
  }
  Result<> scan(Family family, std::string_view prefix,
                const std::function<bool(std::string_view, std::string_view)>& visit,
                std::string_view from) const override {
    return real_.scan(family, prefix, visit, from);
  }
  Result<std::optional<std::pair<std::string, std::string>>> last(Family family,
                                                                  std::string_view prefix) const override {
    return real_.last(family, prefix);
  }
  Result<> commit(const Batch& batch) override { return real_.commit(batch); }
  Result<> clear(Family family) override { return real_.clear(family); }
  Result<> refresh() override { return real_.refresh(); }
  std::uint64_t version() const override { return real_.version(); }

 protected:
  Index& real_;
};
/// Where nobody ever wrote lists.
class WithoutLists final : public Wrapped {
 public:
  using Wrapped::Wrapped;
  Result<std::optional<std::string>> get(Family family, std::string_view k) const override {
    if (family == Family::Edges && k == std::string(1, fmt::kState)) return std::optional<std::string>();
    return real_.get(family, k);
  }
};
/// Takes so many batches.
class Failing final : public Wrapped {
 public:
  Failing(Index& real, int commits) : Wrapped(real), left_(commits) {}
  Result<> commit(const Batch& batch) override {
    if (batch.empty()) return ok();
    if (left_-- <= 0) return Error{Errc::NoSpace, "no more"};
    return real_.commit(batch);
  }

 private:
  int left_;
};
class Full final : public Wrapped {
 public:
  using Wrapped::Wrapped;
  Result<> require_space(std::uint64_t bytes) const override {
    EXPECT_GT(bytes, 1'000U);
    return Error{Errc::NoSpace, "not enough space"};
  }
};
/// Something happens before each batch.
class Busy final : public Wrapped {
 public:
  Busy(Index& real, std::function<void()> happens) : Wrapped(real), happens_(std::move(happens)) {}
  Result<> commit(const Batch& batch) override {
    happens_();
    return real_.commit(batch);
  }

 private:
  std::function<void()> happens_;
};
/// Somebody writes lists anew between one look and the next.
class Renewing final : public Wrapped {
 public:
  Renewing(Index& real, int looks) : Wrapped(real), left_(looks) {}
  Result<std::optional<std::string>> get(Family family, std::string_view k) const override {
    if (family == Family::Edges && left_-- == 0) renew(real_);
    return real_.get(family, k);
  }
  bool has_renewed() const { return left_ < 0; }
  static void renew(Index& index) {
    Batch change;  // begin_edge_lists() does nothing when nothing changed
    change.put(Family::Edges, fmt::changed_key(storage::last_edge_lists(index).value(), "x"), {});
    EXPECT_THAT(index.commit(change), test::Succeeds());
    Batch begun;
    const auto number = storage::begin_edge_lists(index, begun);
    EXPECT_THAT(index.commit(begun), test::Succeeds());
    EXPECT_THAT(storage::write_edge_lists(index, number.value().value()), test::Succeeds());
  }

 private:
  mutable int left_;
};

struct Seen {
  std::string key, name;
  storage::Relation relation;
  storage::Evidence evidence;
  int depth;
  std::uint32_t parent;
  auto operator<=>(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  const auto repo = storage::key::parse_repo(seen.key);
  *out << seen.depth << ' ' << (repo ? repo->text() : "?") << ' ' << seen.name << ' ' << name_of(seen.relation) << ' '
       << name_of(seen.evidence) << " below " << seen.parent;
}

class EdgeListsTest : public LineageWorld {
 protected:
  static std::vector<Seen> walk(const storage::Index& index, const lineage::Node& root, const lineage::Walk& walk = {},
                                std::size_t stop_after = SIZE_MAX) {
    std::vector<Seen> out;
    EXPECT_THAT(lineage::Graph(index).descendants(root, walk,
                                                  [&](const lineage::Descendant& d) {
                                                    out.push_back({std::string(d.key), std::string(d.name), d.relation,
                                                                   d.evidence, d.depth, d.parent});
                                                    return out.size() < stop_after;
                                                  }),
                test::Succeeds());
    return out;
  }
  std::uint32_t begin() {
    Batch batch;
    const auto number = storage::begin_edge_lists(*index_, batch).value();
    EXPECT_THAT(index_->commit(batch), test::Succeeds());
    return number.value_or(0);
  }
  void write() {
    const std::uint32_t number = begin();
    if (number != 0) {
      ASSERT_THAT(storage::write_edge_lists(*index_, number), test::Succeeds());
    }
  }
  std::size_t rows_of_lists(char what) const {
    std::size_t count = 0;
    EXPECT_THAT(index_->scan(Family::Edges, std::string(1, what), [&](auto, auto) { return ++count, true; }, {}),
                test::Succeeds());
    return count;
  }
};

/// So many that the children of one fill some chunks.
TEST_F(EdgeListsTest, LargeLevelsComeWholeInOneOrderAndEndWhereTheVisitorEnds) {
  constexpr int kChildren = 6'000, kParents = 600, kFirstBelow = 10'000;
  list(1, "org/root");
  list_children(2, kChildren + 1, 1);
  for (int i = 0; i < kParents; ++i) list_children(kFirstBelow + i, kFirstBelow + i, 2 + 10 * i);
  list(2, "org/m2", {"1", std::to_string(kFirstBelow + 7)});  // a circle
  const auto by_rows = walk(*index_, node("org/root"));
  write();
  EXPECT_GE(rows_of_lists(fmt::kChunk), 3U);
  const auto all = walk(*index_, node("org/root"));
  EXPECT_EQ(all, by_rows);
  ASSERT_EQ(all.size(), std::size_t{kChildren} + kParents);
  std::set<std::string> keys;
  for (const Seen& seen : all) {
    EXPECT_TRUE(keys.insert(seen.key).second) << seen.name;
    const int number = std::stoi(seen.name.substr(5));  // org/m<number>
    EXPECT_EQ(seen.key, storage::key::repo({RepoKind::Model, rid(number)}));
    EXPECT_EQ(seen.depth, number < kFirstBelow ? 1 : 2);
    if (seen.depth == 1) {
      EXPECT_EQ(seen.parent, lineage::Descendant::kRoot);
    } else {
      EXPECT_EQ(all[seen.parent].name, "org/m" + std::to_string((number - kFirstBelow) * 10 + 2));
    }
  }
  for (const std::size_t stop_after : {1U, 1'999U, 5'999U, 6'000U, 6'001U, 6'599U}) {
    const auto some = walk(*index_, node("org/root"), {}, stop_after);
    ASSERT_EQ(some.size(), stop_after);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
  }
}

/// Some of many children change, and lists are replaced while their list, which fills some chunks, is read.
TEST_F(EdgeListsTest, ChangesAndRenewalsWithinAListOfManyChunks) {
  constexpr int kChildren = 6'000;
  list(1, "org/root");
  list_children(2, kChildren + 1, 1);
  write();
  for (int number = 2; number <= kChildren; number += 97) list(number, "org/m" + std::to_string(number), {"7"});
  list_children(kChildren + 2, kChildren + 40, 1);
  list(kChildren / 2, "org/renamed", {"1"}, "quantized");
  const WithoutLists plain(*index_);
  const auto all = walk(plain, node("org/root"));
  EXPECT_EQ(walk(*index_, node("org/root")), all);
  {
    const auto reader = storage::open_index(dir_.string(), storage::Index::Mode::Read, {}).value();
    EXPECT_EQ(walk(*reader, node("org/root")), all);
  }
  bool renewed = true;
  for (int looks = 0; renewed; looks += 5) {
    const Renewing index(*index_, looks);
    EXPECT_EQ(walk(index, node("org/root")), all) << looks;
    renewed = index.has_renewed();
  }
}

/// A list that ends where a chunk does.
TEST_F(EdgeListsTest, ListsOfAnyLengthComeToTheirEnd) {
  constexpr int kFirst = 1'000, kFewest = 2'330, kMost = 2'350;  // some 28 bytes each, in chunks of 64 KiB
  list(1, "org/root");
  list(2, "org/last");
  list_children(kFirst, kFirst + kFewest - 1, 1);
  list_children(9'000, 9'003, 2);
  bool one = false, two = false;
  for (int count = kFewest; count <= kMost; ++count) {
    write();
    (rows_of_lists(fmt::kChunk) == 1 ? one : two) = true;
    EXPECT_EQ(walk(*index_, node("org/root")).size(), static_cast<std::size_t>(count));
    EXPECT_EQ(walk(*index_, node("org/last")).size(), 4U);
    list_children(kFirst + count, kFirst + count, 1);
  }
  EXPECT_TRUE(one && two) << "no length was where a chunk ends";
}

TEST_F(EdgeListsTest, AFullDiskLeavesTheOlderListsAndNothingElse) {
  list(1, "org/root");
  list_children(2, 50, 1);
  write();
  const auto heads = rows_of_lists(fmt::kHead);
  list_children(51, 60, 3);
  Full index(*index_);
  EXPECT_THAT(storage::write_edge_lists(index, begin()), test::FailsWith(Errc::NoSpace, "writing the lists of edges"));
  EXPECT_EQ(rows_of_lists(fmt::kHead), heads);
  EXPECT_EQ(rows_of_lists(fmt::kChunk), 1U);
  EXPECT_EQ(walk(*index_, node("org/root")).size(), 59U);
}

TEST_F(EdgeListsTest, ARebuildThatMayNotFitLeavesTheIndexAsItIs) {
  list(1, "org/root");
  list_children(2, 50, 1);
  Full index(*index_);
  EXPECT_THAT(rebuild_index(index, *journal_), test::FailsWith(Errc::NoSpace, "it was left as it is"));
  EXPECT_THAT(check_index_whole(*index_), test::Succeeds());
  EXPECT_EQ(walk(*index_, node("org/root")).size(), 49U);
  EXPECT_THAT(rebuild_index(*index_, *journal_), test::Succeeds());
}

/// A Hub in which anything may happen to anybody.
class AnyHub : public EdgeListsTest {
 protected:
  static constexpr int kRepos = 40;
  int any(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string name_of(int number) const {
    return "org/r" + std::to_string(number) + suffix_[static_cast<std::size_t>(number)];
  }
  std::string any_base() {
    const int base = 1 + any(kRepos);
    if (any(2) == 0) return std::to_string(base);
    return any(4) == 0 ? "org/nobody" + std::to_string(any(3)) : name_of(base);
  }
  void list_again(int number) {
    static const std::vector<std::string> kRelations{"finetune", "adapter", "quantized", "merge"};
    Listed as;
    for (int i = any(3); i > 0; --i) as.bases.push_back(any_base());
    as.relation = kRelations[static_cast<std::size_t>(any(4))];
    if (any(4) == 0)
      as.kind = RepoKind::Space, as.bases.clear(), as.more = R"(,"models":[")" + name_of(1 + any(kRepos)) + "\"]";
    if (as.kind == RepoKind::Space)
      list(1'000 + number, "org/space" + std::to_string(number), as);
    else
      list(number, name_of(number), as);
  }
  void rename(int number) {
    suffix_[static_cast<std::size_t>(number)] = any(2) == 0 ? "" : "-new" + std::to_string(any(2));
    list_again(number);
    if (any(2) == 0) mirror(number, name_of(number));
  }
  void take_name_of_another(int number) { list(number, name_of(1 + any(kRepos)), {any_base()}); }
  void publish_again(int number) {
    Published as;
    as.card = "base_model: " + (any(3) == 0 ? std::string("org/nobody1") : name_of(1 + any(kRepos))) + "\n";
    as.commit = "abcdef"[any(6)];
    publish(number, name_of(number), as);
  }
  void remove(int number) {
    const auto bytes = index_->get(Family::Repos, storage::key::repo(key(number))).value();
    if (!bytes) return;
    ASSERT_THAT(recorder_->remove(storage::unpack_repo(*bytes).value(), "test"), test::Succeeds());
  }
  void happen() {
    const int number = 1 + any(kRepos);
    switch (any(8)) {
      case 0:
        return rename(number);
      case 1:
        return publish_again(number);
      case 2:
        return any(3) == 0 ? remove(number) : publish_again(number);
      case 3:
        return any(4) == 0 ? take_name_of_another(number) : list_again(number);
      default:
        return list_again(number);
    }
  }
  /// Lists are written, or an attempt ends somewhere.
  void maybe_write() {
    switch (any(6)) {
      case 0:
        return write();
      case 1:
        begin();
        return;
      case 2: {
        Failing index(*index_, any(6));
        if (const std::uint32_t number = begin(); number != 0) (void)storage::write_edge_lists(index, number);
        return;
      }
      default:
        return;
    }
  }
  void expect_same(int round) {
    const WithoutLists plain(*index_);
    std::vector<lineage::Walk> walks(4);
    walks[1].relations = {storage::Relation::Uses, storage::Relation::Finetune};
    walks[2].evidence_min = storage::Evidence::Declared, walks[2].depth_max = 2;
    walks[3].relations = {storage::Relation::Uses};
    for (int number = -2; number <= kRepos; ++number) {
      const auto root = node(number <= 0 ? "org/nobody" + std::to_string(-number) : name_of(number));
      for (const lineage::Walk& w : walks)
        ASSERT_EQ(walk(*index_, root, w), walk(plain, root, w)) << root.repo.name << " in round " << round;
    }
  }

  std::mt19937 random_{4711};
  std::vector<std::string> suffix_ = std::vector<std::string>(kRepos + 1);
};

TEST_F(AnyHub, TellsWhatTheRowsTellAfterAnyChangeAndAnyAttempt) {
  for (int round = 0; round < 50; ++round) {
    for (int i = any(12); i >= 0; --i) happen();
    maybe_write();
    for (int i = any(4); i > 0; --i) happen();
    expect_same(round);
    if (HasFatalFailure()) return;
  }
}

TEST_F(AnyHub, WhatChangesWhileListsAreWrittenIsToldToo) {
  for (int i = 0; i < 200; ++i) list_again(1 + any(kRepos));
  for (int round = 0; round < 10; ++round) {
    Busy index(*index_, [this] {
      for (int i = 0; i < 5; ++i) happen();
    });
    const std::uint32_t number = begin();
    ASSERT_NE(number, 0U);
    ASSERT_THAT(storage::write_edge_lists(index, number), test::Succeeds());
    expect_same(round);
    if (HasFatalFailure()) return;
  }
}

TEST_F(AnyHub, GoesOnWithRowsWhenListsAreWrittenAnewOnTheWay) {
  for (int i = 0; i < 200; ++i) list_again(1 + any(kRepos));
  write();
  for (int i = 0; i < 10; ++i) list_again(1 + any(kRepos));
  for (int number = 1; number <= kRepos; ++number) {
    const auto root = node(name_of(number));
    auto expected = walk(*index_, root);
    for (int looks = 0;; ++looks) {
      const Renewing index(*index_, looks);
      auto seen = walk(index, root);
      if (!index.has_renewed()) break;
      const auto by_key = [](const Seen& a, const Seen& b) { return a.key < b.key; };
      std::sort(seen.begin(), seen.end(), by_key);
      auto sorted = expected;
      std::sort(sorted.begin(), sorted.end(), by_key);
      ASSERT_EQ(seen.size(), sorted.size()) << root.repo.name << " after " << looks;
      for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i].key, sorted[i].key);
    }
  }
}

TEST_F(AnyHub, WhatAttemptsLeftIsRemovedByTheNextThatComesToItsEnd) {
  for (int i = 0; i < 200; ++i) list_again(1 + any(kRepos));
  for (int commits = 0; commits < 5; ++commits) {
    Failing index(*index_, commits);
    (void)storage::write_edge_lists(index, begin());
    list_again(1 + any(kRepos));
  }
  EXPECT_GT(rows_of_lists(fmt::kChanged), 0U);
  write();
  EXPECT_EQ(rows_of_lists(fmt::kChanged), 0U);
  EXPECT_EQ(rows_of_lists(fmt::kDirectory), 1U);
  EXPECT_EQ(rows_of_lists(fmt::kChunk), 1U);
  EXPECT_EQ(begin(), 0U) << "nothing changed, nothing is written";
  list_again(1);
  const auto rows = rows_of_lists(fmt::kHead);
  write();
  EXPECT_LE(rows_of_lists(fmt::kHead), rows + 2);  // none of the older ones
}

TEST_F(AnyHub, DamagedListsAreAnErrorThatSaysWhatToDo) {
  for (int i = 0; i < 200; ++i) list_again(1 + any(kRepos));
  write();
  const auto chunk = index_->last(Family::Edges, std::string(1, fmt::kChunk)).value().value();
  int refused = 0;
  for (std::size_t length = 0; length < chunk.second.size(); length += 7) {
    for (const bool cut : {true, false}) {
      std::string bytes = cut ? chunk.second.substr(0, length) : chunk.second;
      if (!cut) bytes[length] = static_cast<char>(bytes[length] ^ 0xff);
      Batch damage;
      damage.put(Family::Edges, chunk.first, bytes);
      ASSERT_THAT(index_->commit(damage), test::Succeeds());
      for (int number = 1; number <= kRepos; number += 5) {
        const auto done =
            lineage::Graph(*index_).descendants(node(name_of(number)), {}, [](const auto&) { return true; });
        if (done) continue;
        EXPECT_EQ(done.error().code, Errc::Corrupt);
        EXPECT_NE(done.error().what.find("index rebuild"), std::string::npos) << done.error().what;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}
}  // namespace
}  // namespace hm::provenance
