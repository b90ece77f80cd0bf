#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "provenance/formats/gguf.hpp"
#include "provenance/formats/onnx.hpp"
#include "provenance/formats/safetensors.hpp"
#include "provenance/formats/template_check.hpp"
#include "tests/unit/provenance/formats/model_files.hpp"

namespace hm::provenance::formats {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reader = Result<> (*)(const ByteSource&, ModelHeader&);

/// "" when the file is read, else why not.
std::string refusal(Reader reader, const std::string& file, ModelHeader* into = nullptr) {
  ModelHeader header;
  const auto read = reader(MemorySource{std::string_view(file)}, into == nullptr ? header : *into);
  if (read) return "";
  EXPECT_EQ(read.assume_error().code, Errc::BadInput);
  return read.assume_error().what;
}

/// Counts what is asked of it; can be made to fail.
struct WatchedSource final : ByteSource {
  explicit WatchedSource(std::uint64_t size) : size_(size) {}
  std::uint64_t size_bytes() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (fails) return Error{Errc::Unreachable, "no route to host"};
    ++reads;
    furthest = std::max(furthest, offset + into.size());
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] = offset + i < head.size() ? static_cast<std::byte>(head[offset + i]) : std::byte{0};
    return into.size();
  }
  std::string head;  ///< the rest is zero
  bool fails = false;
  mutable std::uint64_t reads = 0, furthest = 0;

 private:
  std::uint64_t size_;
};

TEST(ByteCursor, ReadsAheadInGrowingWindowsAndAnewBehindAGap) {
  WatchedSource source(64 << 20);
  ByteCursor cursor(source);
  for (int i = 0; i < 8 << 20; ++i) ASSERT_TRUE(cursor.u8());
  EXPECT_EQ(source.reads, 8U);
  ASSERT_TRUE(cursor.skip(20 << 20));
  const std::uint64_t before = cursor.offset();
  ASSERT_TRUE(cursor.u8());
  EXPECT_EQ(source.furthest, before + ByteCursor::kWindowMin);
}
TEST(ByteCursor, SaysWhereTheFileEndsTooEarly) {
  const MemorySource source(std::string_view("abcdef"));
  ByteCursor cursor(source);
  EXPECT_EQ(cursor.u32().value(), 0x64636261U);
  const auto more = cursor.u64();
  ASSERT_FALSE(more);
  EXPECT_EQ(more.assume_error().what, "ends too early: 8 bytes are wanted at offset 4, 2 are there");
  EXPECT_FALSE(cursor.skip(3));
  EXPECT_EQ(cursor.peek().value(), 'e');
  EXPECT_EQ(cursor.text(2, 1).value(), "e");
  EXPECT_EQ(cursor.remaining(), 0U);
}
TEST(ByteCursor, PassesOnWhatTheSourceSays) {
  WatchedSource source(100);
  source.fails = true;
  ModelHeader header;
  for (const Reader reader : {Reader{read_gguf}, Reader{read_safetensors}, Reader{read_onnx}})
    EXPECT_EQ(reader(source, header).error().code, Errc::Unreachable);
}

TEST(Safetensors, ReadsTheHeaderOnly) {
  WatchedSource source(40'000'000'000);
  source.head = with_length(R"({"w":{"dtype":"U8","shape":[)" + std::to_string(40'000'000'000 - 8 - 100) +
                            R"(],"data_offsets":[0,)" + std::to_string(40'000'000'000 - 8 - 100) + "]}}");
  source.head = with_length(source.head.substr(8) + std::string(100 - (source.head.size() - 8), ' '));
  ModelHeader header;
  const auto read = read_safetensors(source, header);
  ASSERT_TRUE(read) << read.assume_error().what;
  EXPECT_EQ(source.reads, 1U);
  EXPECT_LE(source.furthest, ByteCursor::kWindowMin);
  EXPECT_EQ(header.tensors.at(0).offset_bytes, 108U);
}
TEST(Safetensors, GivesTensorsInTheOrderOfTheHeaderAndItsMetadata) {
  ModelHeader header;
  ASSERT_EQ(refusal(read_safetensors,
                    make_safetensors(
                        {{"b", "I64", {2}, std::string(16, 'x')}, {"a", "F4", {3}, "xy"}, {"s", "F16", {}, "zz"}}),
                    &header),
            "");
  EXPECT_EQ(metadata_text(header, "format"), "pt");
  ASSERT_EQ(header.tensors.size(), 3U);
  EXPECT_EQ(header.tensors[0].name, "b");
  EXPECT_EQ(header.tensors[1].length_bytes, 2U) << "three times four bits";
  EXPECT_THAT(header.tensors[2].dims, IsEmpty());
  EXPECT_EQ(header.tensors[1].offset_bytes, header.tensors[0].offset_bytes + 16);
}
TEST(Safetensors, SaysWhatIsWrongWithTheHeader) {
  auto with = [](std::string_view header, std::string_view data = "") {
    return refusal(read_safetensors, with_length(header, data));
  };
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abc"),
              HasSubstr("tensor \"a\" ends behind"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcde"),
              HasSubstr("1 bytes lie behind"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "abcdefgh"),
              HasSubstr("its shape needs 4"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "abcdefgh"),
              HasSubstr("its shape needs 12"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", "abcd"),
              HasSubstr("unknown field"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1]}})", "abcd"), HasSubstr("missing"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd"),
              HasSubstr("twice"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", "abcd"), HasSubstr("no size"));
  EXPECT_THAT(with(R"({"a":{"dtype":"F32","shape":[[[[1]]]],"data_offsets":[0,4]}})", "abcd"), HasSubstr("no size"));
  EXPECT_THAT(with(R"({"a":7})"), HasSubstr("no object"));
  EXPECT_THAT(with(R"({"\u001b[2J":7})"), testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(with("{} x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(with(R"({"__metadata__":{},"__metadata__":{}})"), HasSubstr("twice"));
  EXPECT_THAT(with(R"({"__metadata__":{"a":"b","a":"c"}})"), HasSubstr("twice"));
  EXPECT_THAT(with("{\"" + std::string(5'000, 'k') + "\":1}"), HasSubstr("a key is longer than 4096 bytes"));
  EXPECT_EQ(with("{}"), "");
  EXPECT_EQ(with("{}   \n"), "");
}
TEST(Safetensors, KeepsTheMetadataOfABrokenHeaderAndNoTensor) {
  ModelHeader header;
  EXPECT_NE(
      refusal(
          read_safetensors,
          with_length(R"({"__metadata__":{"license":"mit"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":)",
                      "abcd"),
          &header),
      "");
  EXPECT_EQ(metadata_text(header, "license"), "mit");
  EXPECT_THAT(header.tensors, IsEmpty());
}
TEST(Safetensors, CutsLongMetadata) {
  ModelHeader header;
  ASSERT_EQ(
      refusal(read_safetensors, make_safetensors({}, R"({"tags":")" + std::string(200'000, 'x') + "\"}"), &header), "");
  EXPECT_EQ(header.metadata.at(0).values.at(0).size(), kMetadataTextBytesMax);
  EXPECT_TRUE(header.metadata.at(0).cut);
}
TEST(ShardIndex, NamesEachFileOnceAndDistrustsItsPath) {
  const std::string text =
      R"({"metadata":{"total_size":12,"x":[{}]},"weight_map":{"a":"m-1.safetensors","b":"../m-2.safetensors","c":"m-1.safetensors"}})";
  ShardIndex index;
  ASSERT_TRUE(read_shard_index(MemorySource{std::string_view(text)}, index));
  EXPECT_THAT(index.files, ElementsAre("m-1.safetensors", "../m-2.safetensors"));
  EXPECT_EQ(index.tensor_count, 3U);
  EXPECT_EQ(index.total_bytes, 12U);
  EXPECT_THAT(index.findings.list(), ElementsAre(HasSubstr("leaves the folder")));
  for (const std::string_view bad : {"[]", "7", R"({"weight_map":{"a":7}})", R"({"weight_map":{"a":"x")"}) {
    ShardIndex none;
    EXPECT_FALSE(read_shard_index(MemorySource{bad}, none)) << bad;
  }
}

TEST(Gguf, ReadsKeysOfEveryTypeAndTheFirstOfLongArrays) {
  auto key = [](std::string_view name, std::uint32_t type, const std::string& bytes) {
    return gguf_string(name) + little_endian(type) + bytes;
  };
  std::string long_array = little_endian<std::uint32_t>(8) + little_endian<std::uint64_t>(100);
  for (int i = 0; i < 100; ++i) long_array += gguf_string(std::to_string(i));
  const std::string nested = little_endian<std::uint32_t>(9) + little_endian<std::uint64_t>(2) +
                             little_endian<std::uint32_t>(0) + little_endian<std::uint64_t>(1) + "x" +
                             little_endian<std::uint32_t>(7) + little_endian<std::uint64_t>(1) + "\1";
  const std::string bytes = little_endian<std::uint32_t>(0) + little_endian<std::uint64_t>(3) + "\1\2\3";
  ModelHeader header;
  ASSERT_EQ(
      refusal(read_gguf,
              make_gguf({{"w", "0", {3, 2}, std::string(24, 'x')}, {"v", "1", {}, "hh"}},
                        {key("a", 0, "\xff"), key("b", 1, "\xff"), key("c", 2, "\1\2"), key("d", 3, "\xfe\xff"),
                         key("e", 5, "\xfe\xff\xff\xff"), key("f", 6, little_endian(1.5F)), key("g", 7, "\1"),
                         key("h", 10, little_endian<std::uint64_t>(1)), key("i", 11, little_endian<std::int64_t>(-5)),
                         key("j", 12, little_endian(-0.25)), key("k", 9, long_array), key("l", 9, nested),
                         key("m", 9, bytes), gguf_text("n", "text")}),
              &header),
      "");
  for (const auto& [name, value] : {std::pair{"a", "255"},
                                    {"b", "-1"},
                                    {"c", "513"},
                                    {"d", "-2"},
                                    {"e", "-2"},
                                    {"f", "1.5"},
                                    {"g", "true"},
                                    {"h", "1"},
                                    {"i", "-5"},
                                    {"j", "-0.25"},
                                    {"n", "text"}})
    EXPECT_EQ(metadata_text(header, name), value) << name;
  const Metadata& strings = *find_metadata(header, "k");
  EXPECT_EQ(strings.values.size(), kGgufArrayKept);
  EXPECT_EQ(strings.count, 100U);
  EXPECT_TRUE(strings.cut);
  EXPECT_EQ(strings.type, "array of string");
  EXPECT_EQ(find_metadata(header, "l")->type, "array of array");
  EXPECT_THAT(find_metadata(header, "m")->values, ElementsAre("1", "2", "3"));
  EXPECT_FALSE(find_metadata(header, "m")->cut);
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_THAT(header.tensors[0].dims, ElementsAre(3, 2));
  EXPECT_EQ(header.tensors[1].offset_bytes, header.tensors[0].offset_bytes + 32);
  EXPECT_EQ(header.tensors[1].length_bytes, 2U);
}
TEST(Gguf, ListsTensorsOfUnknownTypesAndSaysSo) {
  ModelHeader header;
  ASSERT_EQ(refusal(read_gguf, make_gguf({{"w", "77", {32}, "x"}}), &header), "");
  EXPECT_EQ(header.tensors.at(0).placement, Placement::Opaque);
  EXPECT_EQ(header.tensors.at(0).dtype, "type 77");
  EXPECT_THAT(header.findings.list(), ElementsAre(HasSubstr("unknown type 77")));
}
TEST(Gguf, RefusesRowsThatAreNoWholeBlocks) {
  EXPECT_THAT(refusal(read_gguf, make_gguf({{"w", "8", {16, 2}, std::string(34, 'x')}})), HasSubstr("blocks of 32"));
  EXPECT_EQ(refusal(read_gguf, make_gguf({{"w", "8", {32, 2}, std::string(68, 'x')}})), "");
}
TEST(Gguf, NotesTensorsThatOverlap) {
  std::string file = make_gguf({{"a", "0", {8}, std::string(32, 'x')}, {"b", "0", {8}, std::string(32, 'y')}});
  const std::size_t at = file.find("b") + 1 + 4 + 8 + 4;
  ASSERT_EQ(file[at], 32);
  file[at] = 0;
  ModelHeader header;
  ASSERT_EQ(refusal(read_gguf, file, &header), "");
  EXPECT_THAT(header.findings.list(), ElementsAre(HasSubstr("overlap")));
}
TEST(Gguf, KeepsTheKeysOfAFileWithBrokenTensors) {
  ModelHeader header;
  EXPECT_THAT(refusal(read_gguf,
                      gguf_head(1, 1) + gguf_text("general.license", "mit") + gguf_string("w") +
                          little_endian<std::uint32_t>(9) + std::string(64, '\0'),
                      &header),
              HasSubstr("9 dimensions"));
  EXPECT_EQ(metadata_text(header, "general.license"), "mit");
  EXPECT_THAT(header.tensors, IsEmpty());
}
TEST(Gguf, SkipsALargeArrayWithoutReadingIt) {
  WatchedSource source(200 << 20);
  source.head = gguf_head(0, 1) + gguf_string("k") + little_endian<std::uint32_t>(9) + little_endian<std::uint32_t>(6) +
                little_endian<std::uint64_t>(20 << 20);
  ModelHeader header;
  ASSERT_TRUE(read_gguf(source, header));
  EXPECT_EQ(source.reads, 1U);
  EXPECT_EQ(header.metadata.at(0).count, 20U << 20);
}
TEST(Gguf, KnowsFileTypes) {
  EXPECT_EQ(gguf_file_type(15), "Q4_K_M");
  EXPECT_EQ(gguf_file_type(4), "");
  EXPECT_EQ(gguf_file_type(1'000'000), "");
  EXPECT_TRUE(is_gguf_quantized("IQ2_XS"));
  EXPECT_FALSE(is_gguf_quantized("BF16"));
}

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  return out + static_cast<char>(value);
}
std::string number(std::uint32_t field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(std::uint32_t field, std::string_view text) {
  return varint(field << 3 | 2) + varint(text.size()) + std::string(text);
}
std::string tensor_named(std::string_view name, std::string_view rest = {}) {
  return number(1, 1) + number(2, 1) + bytes(8, name) + (rest.empty() ? bytes(9, "abcd") : std::string(rest));
}
std::string onnx(const std::string& graph, const std::string& rest = {}) {
  return number(1, 9) + bytes(7, graph) + rest;
}

TEST(Onnx, FindsTensorsWhereverTheyHide) {
  const std::string inner = bytes(5, tensor_named("sub-graph"));
  const std::string attributes = bytes(5, bytes(5, tensor_named("attribute"))) +
                                 bytes(5, bytes(10, tensor_named("list"))) + bytes(5, bytes(6, inner)) +
                                 bytes(5, bytes(11, bytes(5, tensor_named("graphs"))));
  ModelHeader header;
  ASSERT_EQ(refusal(read_onnx,
                    onnx(bytes(5, tensor_named("initializer")) + bytes(1, attributes) +
                             bytes(15, bytes(1, tensor_named("sparse"))),
                         bytes(20, bytes(1, bytes(5, tensor_named("training")))) +
                             bytes(25, bytes(7, bytes(5, bytes(5, tensor_named("function"))))) +
                             bytes(14, bytes(1, "k") + bytes(2, "v"))),
                    &header),
            "");
  std::vector<std::string> names;
  for (const Tensor& tensor : header.tensors) {
    names.push_back(tensor.name);
    EXPECT_EQ(tensor.placement, Placement::InFile);
    EXPECT_EQ(tensor.length_bytes, 4U);
  }
  EXPECT_THAT(names,
              ElementsAre("initializer", "attribute", "list", "sub-graph", "graphs", "sparse", "training", "function"));
  EXPECT_EQ(metadata_text(header, "k"), "v");
  EXPECT_EQ(header.version, 9U);
  EXPECT_THAT(header.findings.list(), IsEmpty());
}
TEST(Onnx, DoesNotDescendForEver) {
  std::string graph = bytes(2, "deepest");
  for (int i = 0; i < 60; ++i) graph = bytes(1, bytes(5, bytes(6, graph)));
  EXPECT_THAT(refusal(read_onnx, onnx(graph)), HasSubstr("deeper than 100"));
}
TEST(Onnx, SaysWhereTheWireFormatBreaks) {
  EXPECT_THAT(refusal(read_onnx, onnx("\x0a\x7f")), HasSubstr("ends behind its message"));
  EXPECT_THAT(refusal(read_onnx, onnx("") + "\x0b"), HasSubstr("wire type 3"));
  EXPECT_THAT(refusal(read_onnx, std::string(11, '\xff')), HasSubstr("more than 64 bits"));
  EXPECT_THAT(refusal(read_onnx, std::string("\0\1", 2)), HasSubstr("field number 0"));
  EXPECT_THAT(refusal(read_onnx, ""), HasSubstr("no graph"));
  EXPECT_THAT(refusal(read_onnx, onnx(bytes(5, number(1, ~0ULL)))), HasSubstr("negative dimension"));
}
TEST(Onnx, TakesPackedFloatsAsBytesAndOtherValuesAsNone) {
  ModelHeader header;
  ASSERT_EQ(
      refusal(read_onnx,
              onnx(bytes(5, tensor_named("packed", bytes(4, "abcd"))) +
                   bytes(5, tensor_named("single",
                                         "\x25"
                                         "abcd")) +
                   bytes(5, tensor_named("ints", bytes(5, "\1"))) + bytes(5, tensor_named("short", bytes(9, "ab"))) +
                   bytes(5, bytes(1, "\2\3") + number(2, 3) + bytes(9, "abcdef"))),
              &header),
      "");
  ASSERT_EQ(header.tensors.size(), 5U);
  EXPECT_EQ(header.tensors[0].placement, Placement::InFile);
  EXPECT_EQ(header.tensors[1].placement, Placement::Opaque);
  EXPECT_EQ(header.tensors[2].placement, Placement::Opaque);
  EXPECT_THAT(header.findings.list(), ElementsAre(HasSubstr("tensor \"short\" has 2 bytes; its dims need 4")));
  EXPECT_THAT(header.tensors[4].dims, ElementsAre(2, 3)) << "packed dims";
}
TEST(Onnx, SkipsPayload) {
  constexpr std::uint64_t kPayload = 1 << 30;
  const std::string head = bytes(8, "w") + number(1, kPayload) + number(2, 2) + varint(9 << 3 | 2) + varint(kPayload);
  const std::string graph = varint(5 << 3 | 2) + varint(head.size() + kPayload) + head;
  const std::string file = number(1, 9) + varint(7 << 3 | 2) + varint(graph.size() + kPayload) + graph;
  WatchedSource source(file.size() + kPayload);
  source.head = file;
  ModelHeader header;
  ASSERT_TRUE(read_onnx(source, header));
  EXPECT_EQ(source.reads, 1U);
  EXPECT_EQ(header.tensors.at(0).length_bytes, kPayload);
}

TEST(ChatTemplate, IsOddWhenItReachesForMoreThanTheMessages) {
  EXPECT_THAT(template_troubles(
                  "{% for m in messages %}<|{{ m['role'] }}|>{{ m.content | trim }}{% endfor %} __init__ import os"),
              IsEmpty());
  EXPECT_THAT(template_troubles("{%- set ns = namespace(found=false) -%}{{ ns.found }}{{ 'from ' + self_name }}"),
              IsEmpty());
  EXPECT_THAT(template_troubles("{{ ''.__class__ }}"), ElementsAre(HasSubstr("two underscores")));
  EXPECT_THAT(template_troubles("{{ x['__globals__'] }}"), ElementsAre(HasSubstr("two underscores")));
  EXPECT_THAT(template_troubles("{{ x | attr('y') }}"), ElementsAre(HasSubstr("attr filter")));
  EXPECT_THAT(template_troubles("{%- include 'x' %}"), ElementsAre(HasSubstr("imports")));
  EXPECT_THAT(template_troubles("{{ cycler.next }}"), ElementsAre(HasSubstr("builtin")));
  EXPECT_THAT(template_troubles("{{ x['\\x5f\\x5finit'] }}"), ElementsAre(HasSubstr("escape")));
  EXPECT_THAT(template_troubles("{{ x.__init__"), ElementsAre(HasSubstr("two underscores")))
      << "also where it never ends";
}
}  // namespace
}  // namespace hm::provenance::formats
