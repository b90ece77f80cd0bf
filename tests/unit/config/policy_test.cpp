// Which files a selection takes, and the text that a partial snapshot keeps of it.
#include "config/policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hm::config {
namespace {
using testing::HasSubstr;

TEST(Selection, TakesEverythingWhenNothingIsSaid) {
  const Selection all;
  EXPECT_TRUE(all.selects_all());
  EXPECT_TRUE(all.wants("model.safetensors", 1ULL << 40));
  EXPECT_EQ(all.text(), "");
}

TEST(Selection, IncludeKeepsMatchesOnly) {
  Selection s;
  s.include = {"*.json", "onnx/"};
  EXPECT_TRUE(s.wants("config.json", 1));
  EXPECT_TRUE(s.wants("sub/config.json", 1));
  EXPECT_TRUE(s.wants("onnx/model.onnx", 1));
  EXPECT_FALSE(s.wants("model.safetensors", 1));
}

TEST(Selection, ExcludeWinsOverInclude) {
  Selection s;
  s.include = {"*.bin"};
  s.exclude = {"pytorch_*"};
  EXPECT_TRUE(s.wants("weights.bin", 1));
  EXPECT_FALSE(s.wants("pytorch_model.bin", 1));
}

TEST(Selection, SizeLimitIsInclusive) {
  Selection s;
  s.file_bytes_max = 100;
  EXPECT_TRUE(s.wants("a", 100));
  EXPECT_FALSE(s.wants("a", 101));
}

TEST(Selection, CardsAndLicencesAlwaysPass) {
  Selection s;
  s.include = {"*.gguf"};
  s.exclude = {"*"};
  s.file_bytes_max = 0;
  for (const char* path : {"README.md", "readme.md", "LICENSE", "LICENSE.txt", "LICENCE", "NOTICE", "COPYING.LESSER",
                           ".gitattributes", "sub/LICENSE"}) {
    EXPECT_TRUE(s.wants(path, 10'000)) << path;
  }
  EXPECT_FALSE(s.wants("my-license.txt", 10));
  EXPECT_FALSE(s.wants("README.md.gguf", 10));
}

TEST(Selection, AHugeFileNamedLikeALicenceIsNoLicence) {
  Selection s;
  s.file_bytes_max = 1000;
  EXPECT_FALSE(s.wants("LICENSE.safetensors", 1ULL << 40));
}

TEST(Selection, FormatsLeaveOutOtherWeightsAndKeepTheRest) {
  Selection s;
  s.formats = {"safetensors"};
  EXPECT_TRUE(s.wants("model.safetensors", 1));
  EXPECT_TRUE(s.wants("Model.SafeTensors", 1));
  EXPECT_TRUE(s.wants("tokenizer.json", 1));
  EXPECT_TRUE(s.wants("data/train.parquet", 1));
  for (const char* path :
       {"pytorch_model.bin", "a.pt", "a.pth", "v1.ckpt", "q4.gguf", "onnx/model.onnx", "onnx/model.onnx_data",
        "tf_model.h5", "saved_model.pb", "m.tflite", "flax_model.msgpack", "openvino/openvino_model.xml",
        "openvino_model.bin", "a.mlpackage/Data/weights.bin", "w.npz", "rust_model.ot"}) {
    EXPECT_FALSE(s.wants(path, 1)) << path;
  }
}

TEST(Formats, SharedSuffixesGoToTheRightFormat) {
  EXPECT_EQ(format_of("pytorch_model.bin"), "pytorch");
  EXPECT_EQ(format_of("openvino_model.bin"), "openvino");
  EXPECT_EQ(format_of("ggml-base.bin"), "ggml");
  EXPECT_EQ(format_of("x/ggml-base.bin"), "ggml");
  EXPECT_EQ(format_of("a.mlpackage/Data/weight.bin"), "coreml");
  EXPECT_EQ(format_of("model.ckpt.data-00000-of-00001"), "tensorflow");
  EXPECT_EQ(format_of("model.ckpt"), "pytorch");
  EXPECT_EQ(format_of("config.xml"), "");
}

TEST(Formats, UnknownOnesAreRefusedWithTheKnownOnes) {
  EXPECT_TRUE(check_formats(known_formats()));
  const auto bad = check_formats({"safetensor"});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::BadInput);
  EXPECT_THAT(bad.error().what, HasSubstr("did you mean \"safetensors\"?"));
  EXPECT_THAT(bad.error().what, HasSubstr("gguf"));
}

TEST(SelectionText, IsCanonical) {
  Selection s;
  s.exclude = {"z", "*.bin", "*.bin"};
  s.formats = {"gguf"};
  s.file_bytes_max = 1048576;
  EXPECT_EQ(s.text(), "exclude=*.bin&exclude=z&formats=gguf&max-file-size=1048576");
}

TEST(SelectionText, EscapesWhatWouldBreakIt) {
  Selection s;
  s.include = {"a&b=c d/%41*[!x]?"};
  EXPECT_EQ(s.text(), "include=a%26b%3Dc%20d/%2541*[!x]?");
  const auto back = Selection::parse(s.text());
  ASSERT_TRUE(back);
  EXPECT_EQ(back.value().include, s.include);
}

TEST(SelectionText, ComesBackWhole) {
  Selection s;
  s.include = {"a", "b*"};
  s.exclude = {"c"};
  s.formats = {"gguf", "safetensors"};
  s.file_bytes_max = 0;
  const auto back = Selection::parse(s.text());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back.value().text(), s.text());
  EXPECT_EQ(back.value().file_bytes_max, s.file_bytes_max);
}

TEST(SelectionText, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"exclude", "exclude=", "nope=1", "include=b&include=a", "include=a&exclude=b",
                           "max-file-size=x", "max-file-size=01", "formats=nope", "include=%2a", "include=a&", "&"}) {
    EXPECT_FALSE(Selection::parse(text)) << text;
  }
  EXPECT_FALSE(Selection::parse("include=" + std::string(100'000, 'a')));
}

TEST(SelectionUnion, WantsWhatOneOfTheTwoWants) {
  Selection weights, small, cards;
  weights.formats = {"safetensors"};
  weights.exclude = {"optimizer*"};
  small.file_bytes_max = 100;
  cards.include = {"*.json", "*.txt"};
  const Selection both = united(weights, small), all = united(both, cards);
  for (const char* path :
       {"model.safetensors", "optimizer.pt", "optimizer.json", "pytorch_model.bin", "a.txt", "README.md"}) {
    for (const std::uint64_t size : {std::uint64_t{10}, std::uint64_t{1} << 30}) {
      EXPECT_EQ(both.wants(path, size), weights.wants(path, size) || small.wants(path, size)) << path << " " << size;
      EXPECT_EQ(all.wants(path, size), both.wants(path, size) || cards.wants(path, size)) << path << " " << size;
    }
  }
  EXPECT_FALSE(both.selects_all());
}
TEST(SelectionUnion, DoesNotDependOnTheOrderAndTakesEachOnce) {
  Selection a, b, c;
  a.include = {"a|b"};
  b.formats = {"gguf"};
  c.file_bytes_max = 7;
  EXPECT_EQ(united(a, united(b, c)).text(), united(united(c, a), united(b, a)).text());
  EXPECT_EQ(united(a, a).text(), a.text());
  EXPECT_EQ(united(united(b, a), c).text(), "formats=gguf|include=a%7Cb|max-file-size=7");
}
TEST(SelectionUnion, WithEverythingIsEverything) {
  Selection a;
  a.include = {"*.json"};
  EXPECT_TRUE(united(a, {}).selects_all());
  EXPECT_EQ(united({}, a).text(), "");
}
TEST(SelectionUnion, ComesBackWholeFromItsText) {
  Selection a, b;
  a.include = {"x"};
  b.exclude = {"y"};
  const std::string text = united(a, b).text();
  const auto back = Selection::parse(text);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back.value().text(), text);
  EXPECT_TRUE(back.value().wants("x", 1));
  EXPECT_TRUE(back.value().wants("z", 1));
  EXPECT_FALSE(back.value().wants("y", 1));
  for (const char* wrong : {"include=x|exclude=y", "exclude=y|exclude=y", "|include=x", "include=x|", "|"})
    EXPECT_FALSE(Selection::parse(wrong)) << wrong;
}
TEST(SelectionUnion, ThatIsTooLongToBeStoredIsRefusedByTheCheck) {
  Selection a, b;
  a.include = {std::string(10'000, 'x')};
  b.include = {std::string(10'000, 'y')};
  EXPECT_TRUE(check_selection(a));
  EXPECT_FALSE(check_selection(united(a, b)));
  b.include = {""};
  EXPECT_FALSE(check_selection(united(a, b)));
}

TEST(SelectionCheck, RefusesEmptyPatternsAndTooMuchText) {
  Selection s;
  s.include = {""};
  EXPECT_FALSE(check_selection(s));
  s.include = {std::string(20'000, 'x')};
  EXPECT_FALSE(check_selection(s));
  s.include = {"*.json"};
  EXPECT_TRUE(check_selection(s));
}
}  // namespace
}  // namespace hm::config
