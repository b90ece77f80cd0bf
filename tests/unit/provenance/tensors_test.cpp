// Digests of tensors as they are stored, and who is kin by them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "provenance/audit/tensors.hpp"
#include "provenance/digested_file.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/key_space.hpp"
#include "storage/tensor_rows.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/unit/provenance/formats/model_files.hpp"

namespace hm::provenance::audit {
namespace {
namespace fs = std::filesystem;
using formats::Excluded;
using formats::MadeTensor;
using storage::Family;
using testing::ElementsAre;
using testing::IsEmpty;
const std::string kSource = "huggingface.co";

DigestedFile digested(const std::string& path, const std::string& bytes) {
  const formats::MemorySource source{std::string_view(bytes)};
  auto out = digest_file(path, source, {});
  EXPECT_TRUE(out) << (out ? "" : out.assume_error().what);
  return std::move(out).value();
}
MadeTensor weight(std::size_t n, std::uint32_t seed) {
  return {"layers." + std::to_string(n) + ".weight", "F32", {64, 32}, formats::random_f32(64 * 32, seed)};
}
/// Ten weights of 8 KiB and what no model can be told by: ones, a table, a bias.
std::vector<MadeTensor> model(std::uint32_t seed) {
  std::vector<MadeTensor> out;
  for (std::uint32_t i = 0; i < 10; ++i) out.push_back(weight(i, seed + i));
  std::string ones;
  for (int i = 0; i < 2048; ++i) ones += formats::little_endian(1.0F);
  out.push_back({"norm.weight", "F32", {2048}, ones});
  out.push_back({"rotary_emb.inv_freq", "F32", {2048}, formats::random_f32(2048, 99)});
  out.push_back({"bias", "F32", {16}, formats::random_f32(16, 98)});
  return out;
}
std::vector<MadeTensor> in_bf16(std::vector<MadeTensor> tensors) {
  for (MadeTensor& tensor : tensors) {
    std::string out;
    for (std::size_t i = 0; i < tensor.bytes.size(); i += 4) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, tensor.bytes.data() + i, 4);
      out += formats::little_endian(formats::bf16_of(bits));
    }
    tensor.bytes = out, tensor.dtype = "BF16";
  }
  return tensors;
}
std::vector<MadeTensor> as_ggml(std::vector<MadeTensor> tensors) {
  for (MadeTensor& tensor : tensors) {
    tensor.dtype = "0";
    std::reverse(tensor.dims.begin(), tensor.dims.end());
    tensor.name = "blk." + tensor.name;
  }
  return tensors;
}

class TensorsTest : public testing::Test {
 protected:
  TensorsTest()
      : dir_(fs::temp_directory_path() / ("hm-tensors-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~TensorsTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  static RepoKey key_of(int number) {
    const std::string hex = std::to_string(number);
    return {RepoKind::Model, *Rid::parse(std::string(24 - hex.size(), '0') + hex)};
  }
  storage::RepoRow row_of(int number) {
    return storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo(key_of(number))).value()).value();
  }
  using Files = std::map<std::string, std::string>;
  void publish(int number, const Files& files, const std::string& card = "", char commit = 'a') {
    Observation seen;
    seen.src = kSource, seen.repo = {RepoKind::Model, "org/m" + std::to_string(number)}, seen.rid = key_of(number).rid;
    seen.head = "refs/heads/main";
    PublishedRevision revision;
    revision.commit = *Commit::parse(std::string(40, commit));
    revision.tree = *GitOid::parse(std::string(40, 'b'));
    for (const auto& [path, bytes] : files) {
      storage::ManifestFile file;
      file.path = path, file.sha256 = sha256(bytes), file.size_bytes = bytes.size(), file.is_lfs = true;
      revision.manifest.files.push_back(std::move(file));
    }
    seen.refs["refs/heads/main"] = revision.refs["refs/heads/main"] = revision.commit;
    revision.card_front_matter = card;
    ASSERT_TRUE(recorder_->record_visit(seen));
    const auto done = recorder_->publish(kSource, key_of(number), {revision});
    ASSERT_TRUE(done) << done.error().what;
    clock_.advance(1000);
  }
  void record(int number, const Files& files, char commit = 'a') {
    for (const auto& [path, bytes] : files) {
      const auto done = recorder_->record_digests(row_of(number), *Commit::parse(std::string(40, commit)),
                                                  sha256(bytes), render_digests(digested(path, bytes)));
      ASSERT_TRUE(done) << done.error().what;
    }
  }
  /// Published and digested.
  void add(int number, const Files& files, const std::string& card = "", char commit = 'a') {
    publish(number, files, card, commit);
    record(number, files, commit);
  }
  void list(int number, const std::string& created) {
    const std::string name = "org/m" + std::to_string(number);
    const auto parsed = parse_json(R"({"_id":")" + key_of(number).rid.text() + R"(","id":")" + name +
                                   R"(","createdAt":")" + created + R"("})");
    const std::vector<Listing> page{
        read_listing({RepoKind::Model, name}, key_of(number).rid, parsed.value().as_object())};
    ASSERT_TRUE(recorder_->record_listing(kSource, page, std::nullopt, {}));
  }
  std::vector<SharedWith> sharers(int number) const {
    auto out = who_shares_tensors(*index_, key_of(number));
    EXPECT_TRUE(out) << (out ? "" : out.assume_error().what);
    return std::move(out).value();
  }
  /// The one with this number, which must be there.
  SharedWith with(int number, int other) const {
    for (const SharedWith& shared : sharers(number))
      if (shared.other == key_of(other)) return shared;
    ADD_FAILURE() << number << " shares nothing with " << other;
    return {};
  }
  std::map<std::string, std::string> rows() const {
    std::map<std::string, std::string> out;
    EXPECT_TRUE(index_->scan(Family::Tensors, {}, [&](std::string_view k, std::string_view v) {
      out.emplace(k, v);
      return true;
    }));
    return out;
  }

  const fs::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
};

TEST(DigestedFiles, AreReadAsTheyWereWritten) {
  DigestedFile file = digested("x.safetensors", formats::make_safetensors(model(1)));
  file.tensors[0].name = "a name with blanks";
  file.tensors[1].dims.clear();
  const std::string document = render_digests(file);
  EXPECT_TRUE(document.starts_with("tensors-v1 safetensors "));
  const DigestedFile again = parse_digests(document).value();
  EXPECT_EQ(render_digests(again), document);
  EXPECT_EQ(again.tensors[0].name, "a name with blanks");
  EXPECT_EQ(again.tensors[0].as_f16, file.tensors[0].as_f16);
  EXPECT_EQ(again.tensors[10].excluded, Excluded::Constant);
  EXPECT_EQ(again.size_bytes, file.size_bytes);
}
TEST(DigestedFiles, ThatAreMalformedAreRefused) {
  const std::string document = render_digests(digested("x.gguf", formats::make_gguf(as_ggml({weight(0, 1)}))));
  ASSERT_TRUE(parse_digests(document));
  EXPECT_FALSE(parse_digests(""));
  for (std::size_t cut = 1; cut < document.size(); ++cut) {
    const auto read = parse_digests(std::string_view(document).substr(0, cut));
    EXPECT_TRUE(!read || read.assume_value().tensors.empty()) << cut;
  }
  for (const auto& [from, to] : {std::pair{"tensors-v1", "tensors-v2"}, {" - ", " what "}, {" 8192 ", " 08192 "}}) {
    std::string bad = document;
    bad.replace(bad.find(from), std::string_view(from).size(), to);
    EXPECT_FALSE(parse_digests(bad)) << to;
  }
}
TEST(DigestedFiles, HoldNoControlBytesOfNames) {
  const DigestedFile file =
      digested("x.safetensors", formats::make_safetensors({{R"(a\u0000b\n)", "F32", {4}, std::string(16, 'x')}}));
  const std::string document = render_digests(file);
  EXPECT_EQ(std::count(document.begin(), document.end(), '\0'), 2);
  EXPECT_EQ(parse_digests(document).value().tensors.size(), 1U);
}
TEST(DigestedFiles, OfTooManyTensorsAreRefused) {
  std::string header = "{", data;
  for (std::size_t i = 0; i <= kDigestedTensorsMax; ++i)
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const std::string bytes = formats::with_length(header + "}");
  const formats::MemorySource source{std::string_view(bytes)};
  const auto read = digest_file("x.safetensors", source, {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::BadInput);
}

TEST_F(TensorsTest, FindTheSameWeightsInAnotherLayoutAndOtherShards) {
  auto tensors = model(1);
  add(1, {{"model.safetensors", formats::make_safetensors(tensors)}});
  std::reverse(tensors.begin(), tensors.end());
  const std::vector<MadeTensor> first(tensors.begin(), tensors.begin() + 6), second(tensors.begin() + 6, tensors.end());
  add(2, {{"a-00001-of-00002.safetensors", formats::make_safetensors(first, R"({"format":"np"})")},
          {"a-00002-of-00002.safetensors", formats::make_safetensors(second)}});
  const SharedWith shared = with(2, 1);
  EXPECT_EQ(shared.kinship, Kinship::Same);
  EXPECT_EQ(shared.tensors, 10U);
  EXPECT_EQ(shared.common_bytes, 10U * 8192);
  EXPECT_EQ(shared.by_cast, 0U);
  EXPECT_TRUE(shared.may_be_undeclared_parent());
}
TEST_F(TensorsTest, FindAGgufOfTheSameValues) {
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  add(2, {{"m.gguf", formats::make_gguf(as_ggml(model(1)))}});
  EXPECT_EQ(with(2, 1).kinship, Kinship::Same);
}
TEST_F(TensorsTest, FindACopyThatWasRounded) {
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  add(2, {{"model.safetensors", formats::make_safetensors(in_bf16(model(1)))}});
  for (const auto& shared : {with(1, 2), with(2, 1)}) {
    EXPECT_EQ(shared.kinship, Kinship::Same);
    EXPECT_EQ(shared.by_cast, shared.tensors);
  }
}
TEST_F(TensorsTest, TellAFineTuneInATenthFromTheWhole) {
  auto tensors = model(1);
  add(1, {{"model.safetensors", formats::make_safetensors(tensors)}});
  tensors[3] = weight(3, 77);
  add(2, {{"model.safetensors", formats::make_safetensors(tensors)}});
  const SharedWith shared = with(2, 1);
  EXPECT_EQ(shared.kinship, Kinship::Derived);
  EXPECT_EQ(shared.common_bytes, 9U * 8192);
  EXPECT_EQ(shared.smaller_bytes, 10U * 8192);
  EXPECT_EQ(shared.edge.relation, storage::Relation::SharesTensors);
  EXPECT_EQ(shared.edge.evidence(), storage::Evidence::Identical);
  EXPECT_EQ(shared.edge.statements.front().text, "90.0 % of the smaller model's weights, 72.0 KiB");
}
TEST_F(TensorsTest, DoNotTakeWhatEveryModelHasForKinship) {
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  add(2, {{"model.safetensors", formats::make_safetensors(model(500))}});
  EXPECT_THAT(sharers(1), IsEmpty()) << "norms of ones, tables and small biases are in both";
}
TEST_F(TensorsTest, DoNotTakeACommonEncoderForAParent) {
  auto a = model(1), b = model(500);
  for (std::size_t i = 0; i < 3; ++i) a[i] = b[i] = weight(i, 9000 + static_cast<std::uint32_t>(i));
  add(1, {{"model.safetensors", formats::make_safetensors(a)}});
  add(2, {{"model.safetensors", formats::make_safetensors(b)}});
  const SharedWith shared = with(2, 1);
  EXPECT_EQ(shared.kinship, Kinship::Part);
  EXPECT_FALSE(shared.may_be_undeclared_parent());
}
TEST_F(TensorsTest, TakeHalfForKinship) {
  auto half = model(1), less = model(1);
  for (std::size_t i = 0; i < 5; ++i) half[i] = weight(i, 700 + static_cast<std::uint32_t>(i));
  for (std::size_t i = 0; i < 6; ++i) less[i] = weight(i, 800 + static_cast<std::uint32_t>(i));
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  add(2, {{"model.safetensors", formats::make_safetensors(half)}});
  add(3, {{"model.safetensors", formats::make_safetensors(less)}});
  EXPECT_EQ(with(1, 2).kinship, Kinship::Derived);
  EXPECT_EQ(with(1, 3).kinship, Kinship::Part);
}
TEST_F(TensorsTest, PointFromTheLaterToTheEarlier) {
  const std::string file = formats::make_safetensors(model(1));
  add(1, {{"model.safetensors", file}});
  add(2, {{"model.safetensors", file}});
  EXPECT_EQ(with(1, 2).order, Order::Unknown);
  EXPECT_EQ(with(1, 2).edge.from.key, key_of(1)) << "of whom it was asked, where nobody knows";
  list(1, "2024-05-01T00:00:00.000Z");
  list(2, "2023-05-01T00:00:00.000Z");
  const SharedWith up = with(1, 2), down = with(2, 1);
  EXPECT_EQ(up.order, Order::OtherFirst);
  EXPECT_EQ(down.order, Order::OtherLater);
  EXPECT_TRUE(up.may_be_undeclared_parent());
  EXPECT_FALSE(down.may_be_undeclared_parent());
  for (const SharedWith& shared : {up, down}) {
    EXPECT_EQ(shared.edge.from.key, key_of(1));
    EXPECT_EQ(shared.edge.to.key, key_of(2));
  }
}
TEST_F(TensorsTest, SayWhatIsDeclaredAlready) {
  const std::string file = formats::make_safetensors(model(1));
  add(1, {{"model.safetensors", file}});
  add(2, {{"model.safetensors", file}}, "base_model: org/m1\n");
  add(3, {{"model.safetensors", file}}, "base_model: org/m1\n");
  add(4, {{"model.safetensors", file}}, "datasets: [org/d]\n");
  add(5, {{"model.safetensors", file}}, "datasets: [org/d]\n");
  EXPECT_EQ(with(2, 1).declared, Declared::Ancestor);
  EXPECT_EQ(with(1, 2).declared, Declared::Descendant);
  EXPECT_EQ(with(1, 2).edge.from.key, key_of(2));
  EXPECT_EQ(with(2, 3).declared, Declared::Relatives);
  EXPECT_EQ(with(4, 5).declared, Declared::Nothing) << "a common data set puts no weights into a model";
  EXPECT_EQ(with(4, 1).declared, Declared::Nothing);
}
TEST_F(TensorsTest, AreThoseOfBytesSoANewCommitWithTheSameFilesHasThem) {
  const Files files{{"model.safetensors", formats::make_safetensors(model(1))}};
  add(1, files);
  add(2, files);
  publish(1, files, "license: mit\n", 'c');
  EXPECT_EQ(with(1, 2).own_commit.hex(), std::string(40, 'c'));
}
TEST_F(TensorsTest, AreFoundInAnOlderRevisionOfTheOther) {
  const Files old{{"model.safetensors", formats::make_safetensors(model(1))}};
  const Files anew{{"model.safetensors", formats::make_safetensors(model(500))}};
  add(1, old);
  add(1, anew, "", 'c');
  add(2, old);
  const SharedWith shared = with(2, 1);
  EXPECT_EQ(shared.kinship, Kinship::Same);
  EXPECT_EQ(shared.other_commit.hex(), std::string(40, 'a'));
}
TEST_F(TensorsTest, OfWhatIsNotHereAnyMoreProveNothing) {
  const Files files{{"model.safetensors", formats::make_safetensors(model(1))}};
  add(1, files);
  add(2, files);
  ASSERT_TRUE(has_tensor_digests(*index_, key_of(2)).value());
  ASSERT_TRUE(recorder_->remove(row_of(2), "test"));
  EXPECT_THAT(sharers(1), IsEmpty());
  EXPECT_FALSE(has_tensor_digests(*index_, key_of(2)).value());
}
TEST_F(TensorsTest, AreJournalledOnce) {
  const Files files{{"model.safetensors", formats::make_safetensors(model(1))}};
  add(1, files);
  const std::uint64_t entries = journal_->size().value();
  record(1, files);
  EXPECT_EQ(journal_->size().value(), entries);
  add(2, files);
  EXPECT_GT(journal_->size().value(), entries);
  EXPECT_THAT(storage::digested_in(*index_, sha256(files.begin()->second)).value(), ElementsAre(key_of(1), key_of(2)));
}
TEST_F(TensorsTest, HaveNoRowsWhereTheyAreNoEvidence) {
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  EXPECT_EQ(rows().size(), 1 + 10 * 3U) << "the file; content and two casts of ten weights";
}
TEST_F(TensorsTest, AreDerivedAnewWithTheSameAnswers) {
  add(1, {{"model.safetensors", formats::make_safetensors(model(1))}});
  add(2, {{"m.gguf", formats::make_gguf(as_ggml(model(1)))}});
  const auto before = rows();
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(rows(), before);
  EXPECT_EQ(with(2, 1).kinship, Kinship::Same);
}
}  // namespace
}  // namespace hm::provenance::audit
