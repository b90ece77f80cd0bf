#include "storage/rows.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
constexpr const char* kOwnRid = "0123456789abcdef01234567";

NameRow name_row() { return {{RepoKind::Dataset, *Rid::parse(kOwnRid)}, "Org/Name", {"ffffffffffffffffffffffff"}}; }
RepoRow repo_row() {
  RepoRow row;
  row.repo = {RepoKind::Space, "org/name"};
  row.rid = *Rid::parse(kOwnRid);
  row.src = "huggingface.co";
  row.visibility = "gated-auto";
  row.first_seen_ms = 1, row.last_change_ms = 2, row.upstream_modified_ms = 3;
  row.head = "refs/heads/main";
  row.info_document = sha256("info");
  row.refs_document = sha256("refs");
  row.former_names = {"old/name", "older/name"};
  row.pins = {"*"};
  row.removed = true;
  row.gone_status = 404;
  row.last_entry = 7;
  return row;
}
SnapshotRow snapshot_row() {
  SnapshotRow row;
  row.commit = *Commit::parse(std::string(40, 'a'));
  row.tree = *GitOid::parse(std::string(40, 'b'));
  row.manifest = sha256("manifest");
  row.files = 3, row.bytes = std::uint64_t{1} << 62, row.left_out_files = 1, row.left_out_bytes = 5;
  row.selection = "*.gguf";
  row.observed_ms = 1'795'188'000'123;
  row.card = {{"mit"}, "my", "https://example.org", {"a/b"}, {"c/d"}, {"en"}, "adapter", "text", "lib"};
  row.card.new_version = "a/newer", row.card.problem = "why";
  row.card.source_datasets = {"original"}, row.card.evaluated_on = {"glue"}, row.card.models = {"e/f"};
  row.entry = 9;
  return row;
}
RefRow ref_row() {
  return {"refs/tags/v1", *GitOid::parse(std::string(40, 'c')), *Commit::parse(std::string(40, 'd'))};
}

/// What is packed comes back, a field of the wrong type is named, and a required one is missed.
template <class Row, class Unpack>
void check(const Row& row, Unpack unpack, const std::set<std::string>& required) {
  const json::object whole = to_json(row);
  const auto back = unpack(pack(whole));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(to_json(back.assume_value()), whole);
  for (const auto& field : whole) {
    const std::string key(field.key());
    json::object wrong = whole;
    wrong[field.key()] = json::array{json::array()};
    EXPECT_THAT(unpack(pack(wrong)), FailsWith(Errc::Corrupt, "\"" + key + "\"")) << key;
    json::object without = whole;
    without.erase(field.key());
    EXPECT_EQ(!unpack(pack(without)), required.contains(key)) << key;
  }
}

TEST(Rows, GoBothWaysAndNameWhatIsWrong) {
  check(name_row(), unpack_name, {"kind", "rid"});
  check(repo_row(), unpack_repo, {"kind", "rid"});
  check(snapshot_row(), unpack_snapshot, {"commit", "tree", "manifest"});
  check(ref_row(), unpack_ref, {"target", "commit"});
}
TEST(Rows, AnEmptyRepositoryHasNoDocuments) {
  RepoRow row = repo_row();
  row.info_document.reset();
  row.refs_document.reset();
  const auto back = unpack_repo(pack(to_json(row)));
  ASSERT_TRUE(back);
  EXPECT_FALSE(back.assume_value().info_document || back.assume_value().refs_document);
}
TEST(Rows, BytesThatAreNoRowAreRefused) {
  for (const char* bytes : {"", "[]", "1", "{", "{\"ref\":1}x"}) {
    EXPECT_THAT(unpack_ref(bytes), FailsWith(Errc::Corrupt, "index rebuild")) << bytes;
    EXPECT_THAT(unpack_repo(bytes), FailsWith(Errc::Corrupt, "index rebuild")) << bytes;
  }
  json::object negative = to_json(snapshot_row());
  negative["files"] = -1;
  EXPECT_THAT(unpack_snapshot(pack(negative)), FailsWith(Errc::Corrupt, "\"files\""));
  negative = to_json(snapshot_row());
  negative["card"].as_object()["licences"] = "mit";
  EXPECT_THAT(unpack_snapshot(pack(negative)), FailsWith(Errc::Corrupt, "\"card\""));
}
}  // namespace
}  // namespace hm::storage
