// Sample files with their expected facts or refusals. They are not part of this repository: HUBMIRROR_CORPUS names the
// folder that has them.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "base/canonical_json.hpp"
#include "base/file.hpp"
#include "provenance/formats/gguf.hpp"
#include "provenance/formats/onnx.hpp"
#include "provenance/formats/safetensors.hpp"
#include "provenance/formats/tensor_digests.hpp"

namespace hm::provenance::formats {
namespace {
struct FormatsCorpus : testing::Test {
  std::string made;
  json::object expected;
  void SetUp() override {
    const char* folder = std::getenv("HUBMIRROR_CORPUS");
    if (!folder || !*folder) GTEST_SKIP() << "skipped: no corpus";
    made = std::string(folder) + "/formats/made/";
    expected = parse_json(read_small_file(real_file_system(), made + "expected.json").value()).value().as_object();
  }
  static bool is_model(std::string_view name) {
    return name.ends_with(".safetensors") || name.ends_with(".gguf") || name.ends_with(".onnx");
  }
  static Result<> read(const std::string& path, const ByteSource& source, ModelHeader& into) {
    if (path.ends_with(".gguf")) return read_gguf(source, into);
    return path.ends_with(".onnx") ? read_onnx(source, into) : read_safetensors(source, into);
  }
};

void expect_tensors(const ByteSource& source, const ModelHeader& header, const json::object& facts) {
  const json::value* const tensors = facts.if_contains("tensors");
  if (tensors == nullptr) return;
  ASSERT_EQ(header.tensors.size(), tensors->as_object().size());
  const auto digests = digest_tensors(source, header.tensors, {.typed = true}).value();
  for (const TensorDigest& digest : digests) {
    const json::object& wanted = tensors->as_object().at(digest.name).as_object();
    EXPECT_EQ(digest.content.hex(), std::string_view(wanted.at("content_sha256").as_string())) << digest.name;
    EXPECT_EQ(digest.typed.value().hex(), std::string_view(wanted.at("typed_sha256").as_string())) << digest.name;
  }
  EXPECT_EQ(digests.size(), header.tensors.size());
  for (const Tensor& tensor : header.tensors) {
    const json::object& wanted = tensors->as_object().at(tensor.name).as_object();
    EXPECT_EQ(tensor.dtype, std::string_view(wanted.at("dtype").as_string())) << tensor.name;
    std::vector<std::uint64_t> dims;
    for (const json::value& dim : wanted.at("shape").as_array()) dims.push_back(dim.to_number<std::uint64_t>());
    EXPECT_EQ(tensor.dims, dims) << tensor.name;
  }
}

std::string text_or(const json::object& facts, const char* name, std::string absent) {
  const json::value* const value = facts.if_contains(name);
  if (value == nullptr) return absent;
  return value->is_string() ? std::string(std::string_view(value->as_string())) : json::serialize(*value);
}

void expect_facts(const ByteSource& source, const ModelHeader& header, const json::object& facts) {
  auto said = [&](std::string_view key) { return std::string(metadata_text(header, key)); };
  EXPECT_EQ(std::to_string(header.version), text_or(facts, "version", std::to_string(header.version)));
  EXPECT_EQ(std::to_string(header.metadata.size()), text_or(facts, "kv", std::to_string(header.metadata.size())));
  EXPECT_EQ(said("general.alignment"), text_or(facts, "alignment", said("general.alignment")));
  EXPECT_EQ(said("general.license"), text_or(facts, "license", said("general.license")));
  EXPECT_TRUE(said("general.base_model.0.repo_url").ends_with(text_or(facts, "base_model", "")));
  if (const auto* metadata = facts.if_contains("metadata")) {
    for (const auto& entry : metadata->as_object())
      EXPECT_EQ(said(entry.key()), std::string_view(entry.value().as_string()));
  }
  if (const auto* external = facts.if_contains("external")) {
    std::set<std::string> files, wanted;
    for (const Tensor& tensor : header.tensors) files.insert(tensor.external);
    for (const json::value& file : external->as_array()) wanted.emplace(std::string_view(file.as_string()));
    EXPECT_EQ(files, wanted);
  }
  expect_tensors(source, header, facts);
}

/// What a refusal must speak of, by the reason that the expectation gives; a file refused for another reason is a miss.
const std::map<std::string_view, std::string_view> kRefusals{
    {"alignment_zero", "alignment"},
    {"array_len_overflow", "an array claims"},
    {"array_nested_deep", "nest deeper"},
    {"bool_2", "a bool of value 2"},
    {"dims_overflow", "elements overflows"},
    {"duplicate_key", "occurs twice"},
    {"duplicate_tensor", "occurs twice"},
    {"kv_count_huge", "keys, more than"},
    {"magic", "not a GGUF file"},
    {"n_dims_9", "9 dimensions"},
    {"offset_past_eof", "behind the end of the file"},
    {"offset_unaligned", "no multiple of the alignment"},
    {"string_len_overflow", "keys, more than"},  // so short that not even one key fits
    {"tensor_count_huge", "tensors, more than"},
    {"tensor_type_4_removed", "which was removed"},
    {"truncated", "behind the end of the file"},
    {"value_type_13", "unknown type 13"},
    {"version_1", "GGUF version 1;"},
    {"version_99", "GGUF version 99;"},
    {"end_before_begin", "no [begin, end]"},
    {"header_len_over_100MB", "100000001 bytes"},
    {"header_len_past_eof", "more than the file"},
    {"header_len_u64_max", "more than the file"},
    {"hole", "behind a hole"},
    {"metadata_not_string", "is no text"},
    {"negative_offset", "no size"},
    {"not_brace", "does not begin with {"},
    {"not_json", "not valid JSON"},
    {"not_utf8", "not valid JSON"},
    {"overlap", "within what ends"},
    {"shape_mismatch", "its shape needs"},
    {"shape_overflow", "elements overflows"},
    {"short_file", "ends too early"},
    {"trailing_bytes", "lie behind the last tensor"},
    {"truncated_data", "behind the end of the file"},
    {"unknown_dtype", "unknown dtype"},
};

TEST_F(FormatsCorpus, GivesEveryMadeFileItsVerdictAndItsFacts) {
  std::size_t valid = 0, refused = 0, suspicious = 0;
  for (const auto& entry : expected) {
    const std::string name(entry.key());
    if (!is_model(name)) continue;
    SCOPED_TRACE(name);
    const json::object& facts = entry.value().as_object();
    const std::string_view verdict = facts.at("verdict").as_string();
    const auto file = real_file_system().open_read(made + name).value();
    const FileSource source = FileSource::of(*file).value();
    ModelHeader header;
    const auto done = read(name, source, header);
    if (verdict == "invalid") {
      ++refused;
      EXPECT_FALSE(done) << "it must be refused";
      if (done) continue;
      EXPECT_EQ(done.assume_error().code, Errc::BadInput);
      EXPECT_TRUE(header.tensors.empty()) << "no tensor of a refused file is believed";
      const auto refusal = kRefusals.find(text_or(facts, "reason", ""));
      EXPECT_TRUE(refusal != kRefusals.end() && done.assume_error().what.find(refusal->second) != std::string::npos)
          << done.assume_error().what;
      continue;
    }
    ASSERT_TRUE(done) << done.assume_error().what;
    EXPECT_EQ(header.findings.empty(), verdict != "suspicious") << testing::PrintToString(header.findings.list());
    EXPECT_EQ(header.big_endian, verdict == "valid-big-endian");
    (verdict == "suspicious" ? suspicious : valid)++;
    expect_facts(source, header, facts);
  }
  EXPECT_EQ(valid, 9U);
  EXPECT_EQ(suspicious, 8U);
  EXPECT_EQ(refused, 37U);
}

TEST_F(FormatsCorpus, ReadsRealOnnxModels) {
  std::size_t models = 0, tensors = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(made + "../onnx")) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().string());
    const auto file = real_file_system().open_read(entry.path().string()).value();
    const FileSource source = FileSource::of(*file).value();
    ModelHeader header;
    const auto done = read(entry.path().string(), source, header);
    ASSERT_TRUE(done) << done.assume_error().what;
    EXPECT_TRUE(header.findings.empty()) << testing::PrintToString(header.findings.list());
    EXPECT_FALSE(metadata_text(header, "producer_name").empty());
    ++models;
    tensors += header.tensors.size();
  }
  EXPECT_EQ(models, 4U);
  EXPECT_GT(tensors, 0U);
}
}  // namespace
}  // namespace hm::provenance::formats
