// A pack enters the object store whole and good, or nothing enters.
#include "mirror/git/quarantine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "git_fixture.hpp"
#include "pack_maker.hpp"
#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using git_test::Origin;
using test::FailsWith;
using test::Succeeds;
using testing::Contains;
using testing::IsEmpty;
using Entries = std::vector<std::tuple<std::string, std::string, GitOid>>;

class QuarantineTest : public git_test::GitTest {
 protected:
  QuarantineTest() : origin_(path("origin.git")), mirror_(path("mirror.git")) {
    EXPECT_THAT(create_bare_repository(fs_, mirror_), Succeeds());
  }
  /// Feeds `pack` in pieces and goes through all steps.
  Result<FetchOutcome> receive(std::string_view pack, const std::vector<GitOid>& wants, GitLimits limits = {},
                               std::size_t piece = 1000) {
    HM_TRY(auto quarantine, Quarantine::begin(fs_, mirror_, limits, stop_));
    for (; !pack.empty(); pack.remove_prefix(std::min(piece, pack.size()))) {
      HM_TRY(quarantine->append(pack.substr(0, piece)));
    }
    HM_TRY(quarantine->complete());
    FetchOutcome outcome;
    HM_TRY(quarantine->examine(wants, outcome));
    HM_TRY(quarantine->publish());
    return outcome;
  }
  /// A commit whose root is this tree, with everything it needs but nothing else.
  Result<FetchOutcome> receive_tree(const Entries& entries, std::vector<GitOid> extra = {}, GitLimits limits = {}) {
    const GitOid tree = origin_.tree(entries), commit = origin_.commit(tree);
    extra.push_back(tree), extra.push_back(commit);
    return receive(origin_.pack(extra), {commit}, limits);
  }
  void expect_store_untouched() { EXPECT_THAT(git_test::files_below(mirror_ + "/objects"), IsEmpty()); }

  FileSystem& fs_ = real_file_system();
  const Origin origin_;
  const std::string mirror_;
  std::atomic<bool> stop_{false};
};

TEST_F(QuarantineTest, TakesAGoodPackInAnyPieces) {
  origin_.grow_history(20);
  const std::string pack = origin_.git("pack-objects -q --all --stdout < /dev/null");
  const GitOid tip = *GitOid::parse(origin_.git("rev-parse main").substr(0, 40));
  const auto outcome = receive(pack, {tip}, {}, 77);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome.value().pack_bytes, pack.size());
  EXPECT_EQ(outcome.value().new_objects,
            static_cast<std::uint64_t>(std::stoi(origin_.git("rev-list --objects --all | wc -l"))));
  EXPECT_THAT(outcome.value().remarks, IsEmpty());
  EXPECT_EQ(git_test::shell(mirror_, "git fsck --strict --full " + tip.hex()), "");
  EXPECT_FALSE(std::filesystem::exists(mirror_ + "/objects/incoming"));
  EXPECT_EQ(git_test::files_below(mirror_ + "/objects").size(), 2U);
}

TEST_F(QuarantineTest, CompletesThinPacksFromTheStore) {
  origin_.grow_history(30);
  const GitOid old_tip = *GitOid::parse(origin_.git("rev-parse main").substr(0, 40));
  ASSERT_THAT(receive(origin_.git("pack-objects -q --all --stdout < /dev/null"), {old_tip}), Succeeds());
  origin_.grow_history(10);
  const GitOid tip = *GitOid::parse(origin_.git("rev-parse main").substr(0, 40));
  const std::string thin = origin_.git("pack-objects -q --revs --thin --delta-base-offset --stdout <<E\n" + tip.hex() +
                                       "\n^" + old_tip.hex() + "\nE\n");
  ASSERT_THAT(receive(thin, {tip}), Succeeds());
  git_test::write_file(mirror_ + "/packed-refs", tip.hex() + " refs/heads/main\n");
  EXPECT_EQ(git_test::shell(mirror_, "git fsck --strict --full"), "");
  EXPECT_EQ(git_test::objects_of(mirror_), git_test::objects_of(origin_.path()));
}

TEST_F(QuarantineTest, RefusesHostileTrees) {
  const GitOid blob = origin_.blob("x"), empty = origin_.tree({});
  const std::vector<std::pair<Entries, std::string>> hostile{
      {{{"100644", ".", blob}}, "hasDot]"},
      {{{"40000", "..", empty}}, "hasDotdot"},
      {{{"40000", ".git", empty}}, "hasDotgit"},
      {{{"100644", ".GIT ", blob}}, "hasDotgit"},
      {{{"100644", "git~1", blob}}, "hasDotgit"},
      {{{"100644", ".g\u200cit", blob}}, "hasDotgit"},
      {{{"100644", "a/b", blob}}, "fullPathname"},
      {{{"100644", "", blob}}, "emptyName"},
      {{{"100644", "a", blob}, {"100644", "a", blob}}, "duplicateEntries"},
      {{{"100644", "a", blob}, {"40000", "a", empty}}, "duplicateEntries"},
      {{{"100644", "b", blob}, {"100644", "a", blob}}, "treeNotSorted"},
      {{{"107777", "a", blob}}, "badFilemode"},
      {{{"100644", "a", GitOid{}}}, "nullSha1"},
  };
  for (const auto& [entries, rule] : hostile) {
    const auto outcome = receive_tree(entries, {blob, empty});
    EXPECT_THAT(outcome, FailsWith(Errc::Refused, rule));
    EXPECT_THAT(outcome, FailsWith(Errc::Refused, "examining tree")) << "names the tree";
  }
  EXPECT_THAT(receive_tree({{"10x644", "a", blob}}, {blob}), FailsWith(Errc::Corrupt, "badTree"));
  expect_store_untouched();
}

TEST_F(QuarantineTest, SaysWhereAHostileTreeIs) {
  const GitOid blob = origin_.blob("x"), bad = origin_.tree({{"100644", "..", blob}}),
               sub = origin_.tree({{"40000", "weights", bad}});
  EXPECT_THAT(receive_tree({{"40000", "models", sub}}, {blob, bad, sub}),
              FailsWith(Errc::Refused, "at 'models/weights'"));
  EXPECT_THAT(receive_tree({{"40000", "models", sub}}, {blob, bad, sub}), FailsWith(Errc::Refused, bad.hex()));
}

TEST_F(QuarantineTest, ExaminesTreesThatNoCommitLeadsTo) {
  const GitOid blob = origin_.blob("x"), bad = origin_.tree({{"100644", ".git", blob}}),
               good = origin_.tree({{"100644", "a", blob}}), commit = origin_.commit(good);
  EXPECT_THAT(receive(origin_.pack({blob, bad, good, commit}), {commit}), FailsWith(Errc::Refused, bad.hex()));
}

TEST_F(QuarantineTest, RefusesHolesInTheGraph) {
  const GitOid blob = origin_.blob("x"), tree = origin_.tree({{"100644", "a", blob}}),
               outer = origin_.tree({{"40000", "d", tree}}), root = origin_.commit(outer),
               next = origin_.commit(outer, {root});
  const std::vector<GitOid> all{blob, tree, outer, root, next};
  for (std::size_t missing = 0; missing + 1 < all.size(); ++missing) {
    std::vector<GitOid> some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_THAT(receive(origin_.pack(some), {next}), FailsWith(Errc::Corrupt, all[missing].hex())) << missing;
  }
  EXPECT_THAT(receive(origin_.pack({blob, tree, outer, root}), {next}), FailsWith(Errc::Corrupt, "did not send"));
  const GitOid tag = origin_.write("tag", "object " + next.hex() + "\ntype commit\ntag v\ntagger a <a@b> 1 +0000\n\nm");
  EXPECT_THAT(receive(origin_.pack({tag}), {tag}), FailsWith(Errc::Corrupt, next.hex()));
  expect_store_untouched();
  EXPECT_THAT(receive(origin_.pack(all), {next}), Succeeds());
  EXPECT_THAT(receive(origin_.pack({tag}), {tag}), Succeeds()) << "the rest is here by now";
}

TEST_F(QuarantineTest, RefusesObjectsNamedAsAnotherKind) {
  const GitOid blob = origin_.blob("x"), empty = origin_.tree({}), good = origin_.commit(empty);
  const std::string wrong_kind = "is named as a";
  EXPECT_THAT(receive_tree({{"40000", "d", blob}}, {blob}), FailsWith(Errc::Corrupt, wrong_kind));
  EXPECT_THAT(receive_tree({{"100644", "f", good}}, {good, empty}), FailsWith(Errc::Corrupt, wrong_kind));
  const GitOid commit = origin_.commit(blob);
  EXPECT_THAT(receive(origin_.pack({blob, commit}), {commit}), FailsWith(Errc::Corrupt, wrong_kind));
  const GitOid child = origin_.commit(empty, {blob});
  EXPECT_THAT(receive(origin_.pack({blob, empty, child}), {child}), FailsWith(Errc::Corrupt, wrong_kind));
  // The same against objects that were here before.
  ASSERT_THAT(receive(origin_.pack({blob, empty, good}), {good}), Succeeds());
  EXPECT_THAT(receive_tree({{"40000", "d", blob}}), FailsWith(Errc::Corrupt, wrong_kind));
  EXPECT_THAT(receive_tree({{"100644", "f", good}}), FailsWith(Errc::Corrupt, wrong_kind));
}

TEST_F(QuarantineTest, RefusesMalformedCommitsAndTags) {
  const GitOid empty = origin_.tree({}),
               commit = origin_.write("commit", "tree " + empty.hex() + "\ncommitter a <a@b> 1 +0000\n\nm");
  EXPECT_THAT(receive(origin_.pack({empty, commit}), {commit}), FailsWith(Errc::Corrupt, "missingAuthor"));
  const GitOid tag = origin_.write("tag", "object " + empty.hex() + "\ntype twig\ntag v\n\nm");
  EXPECT_THAT(receive(origin_.pack({empty, tag}), {tag}), FailsWith(Errc::Corrupt, "badType"));
}

TEST_F(QuarantineTest, RemarksTwinsSubmodulesAndLinksOutside) {
  const GitOid blob = origin_.blob("x"), out = origin_.blob("../../etc/passwd"), in = origin_.blob("../README"),
               sub = origin_.tree({{"120000", "ok", in}, {"120000", "out", out}});
  const auto outcome = receive_tree({{"160000", "MODULE", *GitOid::parse(std::string(40, '1'))},
                                     {"100644", "Model.bin", blob},
                                     {"100644", "README", blob},
                                     {"100644", "e\u0301.txt", blob},
                                     {"100644", "model.bin", blob},
                                     {"40000", "sub", sub},
                                     {"100644", "\u00e9.txt", blob}},
                                    {blob, out, in, sub});
  ASSERT_THAT(outcome, Succeeds());
  std::vector<std::string> seen;
  for (const TreeRemark& remark : outcome.value().remarks) seen.push_back(remark.kind + " " + remark.path);
  EXPECT_THAT(seen, testing::UnorderedElementsAre("submodule MODULE", "case-twin model.bin", "unicode-twin \u00e9.txt",
                                                  "symlink-outside sub/out"));
}

TEST_F(QuarantineTest, LimitsDepth) {
  GitLimits limits;
  limits.tree_depth_max = 10;
  const GitOid blob = origin_.blob("x");
  std::vector<GitOid> objects{blob};
  GitOid tree = origin_.tree({{"100644", "f", blob}});
  objects.push_back(tree);
  for (int i = 0; i < 8; ++i) objects.push_back(tree = origin_.tree({{"40000", "d", tree}}));  // nine levels
  EXPECT_THAT(receive_tree({{"40000", "d", tree}, {"40000", "e", tree}}, objects, limits), Succeeds());
  objects.push_back(origin_.tree({{"40000", "d", tree}}));
  EXPECT_THAT(receive_tree({{"40000", "e", objects.back()}}, objects, limits),
              FailsWith(Errc::Refused, "deeper than 10"));
  // Below a directory that is here already, the old levels count too.
  const GitOid upper = objects.back();
  EXPECT_THAT(receive_tree({{"40000", "e", upper}}, {upper}, limits), FailsWith(Errc::Refused, "deeper than 10"));
}

TEST_F(QuarantineTest, LimitsSizesAndCounts) {
  const GitOid blob = origin_.blob(std::string(100'000, 'z'));
  const GitOid tree = origin_.tree({{"100644", "f", blob}}), commit = origin_.commit(tree);
  const std::string pack = origin_.pack({blob, tree, commit});
  GitLimits limits;
  limits.object_bytes_max = 99'999;
  EXPECT_THAT(receive(pack, {commit}, limits), FailsWith(Errc::Refused, "97.7 KiB"));
  limits = {};
  limits.objects_max = 2;
  EXPECT_THAT(receive(pack, {commit}, limits), FailsWith(Errc::Refused, "3 objects; at most 2"));
  limits = {};
  limits.pack_bytes_max = pack.size() - 1;
  EXPECT_THAT(receive(pack, {commit}, limits), FailsWith(Errc::Refused, "larger than"));
  expect_store_untouched();
}

TEST_F(QuarantineTest, AHugeAnnouncementCostsNoMemory) {
  // A delta that says it makes 60 GiB out of a small base: refused when resolved, before any byte of it exists.
  const GitOid base = origin_.blob("base base base base");
  std::string pack = origin_.pack({base});
  const std::string script = R"(python3 - <<'E'
import hashlib, sys, zlib
base = b"base base base base"
def varint(n):
    out = b""
    while True:
        c = n & 127; n >>= 7
        out += bytes([c | (128 if n else 0)])
        if not n: return out
def header(kind, size):
    c = kind << 4 | size & 15; size >>= 4; out = b""
    while size: out += bytes([c | 128]); c = size & 127; size >>= 7
    return out + bytes([c])
delta = varint(len(base)) + varint(60 << 30) + b"\x90\x04" * 10
first = header(3, len(base)) + zlib.compress(base)
second = header(6, len(delta)) + bytes([len(first)]) + zlib.compress(delta)
body = b"PACK\0\0\0\2\0\0\0\2" + first + second
open("huge.pack", "wb").write(body + hashlib.sha1(body).digest())
E)";
  git_test::shell(directory_, script);
  const auto outcome = receive(git_test::read_file(path("huge.pack")), {base});
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().code == Errc::Refused || outcome.error().code == Errc::Corrupt) << outcome.error().what;
  expect_store_untouched();
}

TEST_F(QuarantineTest, RefusesDataThatGoesOnBehindItsStatedSize) {
  // The indexer takes the beginning for the object, which so has a good name.
  const std::string blob = "some text", commit = "tree " + std::string(40, '0') + "\nauthor a <a@b> 1 +0000\n";
  const std::vector<std::pair<unsigned, std::string>> kinds{{git_test::kBlob, blob}, {git_test::kCommit, commit}};
  for (const auto& [type, data] : kinds) {
    git_test::PackMaker pack;
    pack.add(git_test::kBlob, "good");
    pack.add(type, data + "more", {data.size()});
    EXPECT_THAT(receive(pack.bytes(), {}), FailsWith(Errc::Corrupt, "goes on behind"));
    EXPECT_THAT(receive(pack.bytes(), {}), FailsWith(Errc::Corrupt, "reading object")) << "names the object";
  }
  git_test::PackMaker pack;
  const std::uint64_t base = pack.add(git_test::kBlob, blob);
  const std::string delta = git_test::literal_delta(blob.size(), "other text");
  const std::uint64_t at = pack.size();
  pack.add(git_test::kOfsDelta, delta + "more", {delta.size(), git_test::ofs_distance(at - base)});
  EXPECT_THAT(receive(pack.bytes(), {}), FailsWith(Errc::Corrupt, "")) << "the indexer's own";
  expect_store_untouched();
}

TEST_F(QuarantineTest, TakesDeltasOfAllForms) {
  const std::string blob = "some text", next = "other text", third = "third text";
  git_test::PackMaker pack;
  const std::uint64_t base = pack.add(git_test::kBlob, blob), at = pack.size();
  pack.add(git_test::kOfsDelta, git_test::literal_delta(blob.size(), next), {{}, git_test::ofs_distance(at - base)});
  const GitOid next_id = git_object_id("blob", as_bytes(next)), third_id = git_object_id("blob", as_bytes(third));
  pack.add(git_test::kRefDelta, git_test::literal_delta(next.size(), third), {{}, std::string(next_id.view())});
  EXPECT_THAT(receive(pack.bytes(), {next_id, third_id}), Succeeds());
  // A thin one: its base is here already, and is put behind its entries.
  const GitOid fourth_id = git_object_id("blob", as_bytes("fourth text"));
  git_test::PackMaker thin;
  thin.add(git_test::kRefDelta, git_test::literal_delta(third.size(), "fourth text"),
           {{}, std::string(third_id.view())});
  EXPECT_THAT(receive(thin.bytes(), {fourth_id}), Succeeds());
  git_test::shell(mirror_, "for i in objects/pack/*.idx; do git verify-pack $i; done");
}

TEST_F(QuarantineTest, RefusesADeltaWhoseBaseIsNoEntry) {
  git_test::PackMaker pack;
  const std::string hidden = git_test::entry_head(git_test::kBlob, 6) + git_test::deflated("hidden");
  const std::string carrier = hidden + std::string(100, 'x');
  const std::string stored = git_test::deflated(carrier, 0);
  const std::uint64_t base = pack.size();
  pack.add(git_test::kBlob, carrier, {.level = 0});
  const std::uint64_t inside =
      base + git_test::entry_head(git_test::kBlob, carrier.size()).size() + stored.find(hidden);
  const std::uint64_t at = pack.size();
  pack.add(git_test::kOfsDelta, git_test::literal_delta(6, "result"), {.base = git_test::ofs_distance(at - inside)});
  git_test::write_file(path("inside.pack"), pack.bytes());
  EXPECT_FALSE(git_test::shell_succeeds(directory_, "git index-pack inside.pack"));
  EXPECT_THAT(receive(pack.bytes(), {}), FailsWith(Errc::Corrupt, "base of a delta"));
  expect_store_untouched();
}

TEST_F(QuarantineTest, CatchesEveryFlippedByte) {
  const GitOid blob = origin_.blob("some text that is compressed"), tree = origin_.tree({{"100644", "f", blob}}),
               commit = origin_.commit(tree);
  const std::string pack = origin_.pack({blob, tree, commit});
  for (std::size_t at = 0; at < pack.size(); ++at) {
    std::string bad = pack;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    const auto outcome = receive(bad, {commit});
    ASSERT_FALSE(outcome) << at;
    EXPECT_TRUE(outcome.error().code == Errc::Corrupt || outcome.error().code == Errc::Refused)
        << at << ": " << name_of(outcome.error().code) << " " << outcome.error().what;
  }
  for (std::size_t size = 0; size < pack.size(); ++size) EXPECT_FALSE(receive(pack.substr(0, size), {commit})) << size;
  expect_store_untouched();
}

TEST_F(QuarantineTest, StopsWhenAsked) {
  const GitOid empty = origin_.tree({}), commit = origin_.commit(empty);
  const std::string pack = origin_.pack({empty, commit});
  stop_ = true;
  EXPECT_THAT(receive(pack, {commit}), FailsWith(Errc::Cancelled, "stopped"));
  expect_store_untouched();
}

TEST_F(QuarantineTest, RemovesWhatAKilledRunLeft) {
  const std::string objects = mirror_ + "/objects/";
  std::filesystem::create_directories(objects + "incoming-0123/pack");
  git_test::write_file(objects + "incoming-0123/pack/tmp_pack", "x");
  git_test::write_file(objects + "pack/pack-" + std::string(40, 'a') + ".pack", "moved, but its index was not");
  git_test::write_file(objects + "pack/pack-" + std::string(40, 'b') + ".pack", "x");
  git_test::write_file(objects + "pack/pack-" + std::string(40, 'b') + ".idx", "x");
  ASSERT_THAT(remove_stale_incoming(fs_, mirror_), Succeeds());
  EXPECT_THAT(git_test::files_below(objects),
              testing::ElementsAre(objects + "pack/pack-" + std::string(40, 'b') + ".idx",
                                   objects + "pack/pack-" + std::string(40, 'b') + ".pack"));
  EXPECT_FALSE(std::filesystem::exists(objects + "incoming-0123"));
}
}  // namespace
}  // namespace hm::mirror
