#include "provenance/formats/claims.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/text.hpp"
#include "provenance/formats/json_files.hpp"
#include "tests/unit/provenance/formats/model_files.hpp"

namespace hm::provenance::formats {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

FileClaims claims_of(std::string_view path, const std::string& text) {
  EXPECT_TRUE(is_read(path, text.size())) << path;
  return read_claims(path, MemorySource{std::string_view(text)}).value();
}
/// "base /field: text @ revision", one for each claim.
std::vector<std::string> lines(const FileClaims& claims) {
  std::vector<std::string> out;
  for (const Claim& claim : claims.claims)
    out.push_back(std::string(name_of(claim.kind)) + " " + claim.field + ": " + claim.text +
                  (claim.revision.empty() ? "" : " @ " + claim.revision));
  return out;
}

TEST(Claims, OfAnAdapterNameItsBaseAndItsRevision) {
  const auto claims =
      claims_of("lora/adapter_config.json",
                R"({"base_model_name_or_path":"meta/Llama","revision":"abc","peft_type":"LORA","r":8})");
  EXPECT_THAT(lines(claims),
              ElementsAre("adapter-base /base_model_name_or_path: meta/Llama @ abc", "adapter-type /peft_type: LORA"));
  EXPECT_EQ(claims.claims[0].file, "lora/adapter_config.json");
  EXPECT_THAT(lines(claims_of("adapter_config.json", R"({"base_model_name_or_path":"/home/u/model","revision":null})")),
              ElementsAre("adapter-base /base_model_name_or_path: /home/u/model"));
}
TEST(Claims, OfAConfigNameArchitectureQuantisationAndRemoteCode) {
  EXPECT_THAT(
      lines(claims_of("config.json",
                      R"({"_name_or_path":"./out","architectures":["A","B"],"model_type":"llama","hidden_size":4096,
      "auto_map":{"AutoModel":"other/repo--modeling.M"},"quantization_config":{"quant_method":"gptq","bits":4},"custom_pipelines":{"p":{"impl":"p.P"}},
      "text_config":{"vocab_size":32000,"hidden_size":0}})")),
      ElementsAre("loaded-from /_name_or_path: ./out", "architecture /architectures/0: A",
                  "architecture /architectures/1: B", "model-type /model_type: llama",
                  "remote-code /auto_map/AutoModel: other/repo--modeling.M",
                  "quantization /quantization_config/quant_method: gptq 4 bits", "shape /hidden_size: 4096",
                  "remote-code /custom_pipelines/p/impl: p.P", "shape /text_config/vocab_size: 32000"));
  EXPECT_THAT(
      lines(claims_of("config.json", R"({"quantization_config":{"load_in_4bit":true,"quant_method":"bitsandbytes"}})")),
      ElementsAre("quantization /quantization_config/quant_method: bitsandbytes 4 bits"));
  EXPECT_THAT(lines(claims_of("config.json", R"({"quantization":{"group_size":64,"bits":4}})")),
              ElementsAre("quantization /quantization: 4 bits"));
  EXPECT_THAT(lines(claims_of("tokenizer_config.json",
                              R"({"auto_map":{"AutoTokenizer":["tok.Slow",null]},"chat_template":"x"})")),
              ElementsAre("remote-code /auto_map/AutoTokenizer/0: tok.Slow"));
}
TEST(Claims, SurviveTheNumbersThatPythonWrites) {
  const auto claims = claims_of(
      "config.json",
      R"({"limit":[0.0,Infinity,-Infinity,NaN],"note":"NaN \" Infinity","_name_or_path":"a/NaN","hidden_size":NaN})");
  EXPECT_TRUE(claims.complete) << testing::PrintToString(claims.findings);
  EXPECT_THAT(lines(claims), ElementsAre("loaded-from /_name_or_path: a/NaN"));
  EXPECT_FALSE(claims_of("config.json", R"({"a":Infinit})").complete);
}
TEST(Claims, OfAMergeNameAllParentsOnce) {
  const auto claims = claims_of("mergekit_config.yml", R"(merge_method: ties
base_model: org/base
models:
  - model: org/a@v1
    parameters: {weight: 0.5}
  - model: org/b+org/lora
  - model: {path: org/c, revision: abc}
  - model: org/base
slices:
  - sources:
      - model: org/d
        layer_range: [0, 8]
tokenizer_source: union
)");
  EXPECT_THAT(lines(claims),
              ElementsAre("merge-method /merge_method: ties", "merge-parent /base_model: org/base",
                          "merge-parent /models/0/model: org/a @ v1", "merge-parent /models/1/model: org/b",
                          "merge-parent /models/1/model: org/lora", "merge-parent /models/2/model/path: org/c @ abc",
                          "merge-parent /slices/0/sources/0/model: org/d"));
}
TEST(Claims, OfAPipelineNameItsComponents) {
  EXPECT_THAT(
      lines(claims_of(
          "model_index.json",
          R"({"_class_name":"P","_diffusers_version":"0.2","_ignore":["a","b"],"unet":["diffusers","UNet"],"safety_checker":[null,null],"x":[["a","b"],1]})")),
      ElementsAre("architecture /_class_name: P", "component /unet: diffusers.UNet"));
}
TEST(Claims, OfAGgufNameItsBasesByTheirStrongestKey) {
  const std::string datasets = gguf_string("general.datasets") + little_endian<std::uint32_t>(9) +
                               little_endian<std::uint32_t>(8) + little_endian<std::uint64_t>(2) + gguf_string("d/1") +
                               gguf_string("d/2");
  const auto claims = claims_of(
      "q/m.gguf",
      make_gguf({}, {gguf_text("general.architecture", "llama"), gguf_text("general.base_model.0.name", "Tiny"),
                     gguf_text("general.base_model.0.repo_url", "https://huggingface.co/org/tiny"),
                     gguf_text("general.base_model.1.name", "Other"), datasets, gguf_text("general.license", "mit"),
                     gguf_text("general.license.link", "L"), gguf_text("general.source.url", "https://x"),
                     gguf_text("general.quantized_by", "me"), gguf_u32("general.file_type", 15)}));
  EXPECT_THAT(lines(claims),
              ElementsAre("format : gguf 3", "architecture general.architecture: llama", "licence general.license: mit",
                          "licence-link general.license.link: L", "dataset general.datasets: d/1",
                          "dataset general.datasets: d/2", "quantized-by general.quantized_by: me",
                          "base general.base_model.0.repo_url: https://huggingface.co/org/tiny",
                          "base general.base_model.1.name: Other", "converted-from general.source.url: https://x",
                          "quantization general.file_type: Q4_K_M"));
  EXPECT_THAT(lines(claims_of("f.gguf", make_gguf({}, {gguf_u32("general.file_type", 1)}))),
              ElementsAre("format : gguf 3"))
      << "F16 is no quantisation";
}
TEST(Claims, OfSafetensorsComeFromItsMetadata) {
  EXPECT_THAT(
      lines(
          claims_of("a.safetensors",
                    make_safetensors({}, R"({"format":"pt","ss_sd_model_name":"sd.ckpt","modelspec.license":"mit"})"))),
      ElementsAre("format : safetensors pt", "licence modelspec.license: mit", "base ss_sd_model_name: sd.ckpt"));
}
TEST(Claims, OfAnIndexNameItsShards) {
  const auto claims =
      claims_of("model.safetensors.index.json", R"({"weight_map":{"a":"1.safetensors","b":"/etc/passwd"}})");
  EXPECT_THAT(lines(claims), ElementsAre("part /weight_map: 1.safetensors", "part /weight_map: /etc/passwd"));
  EXPECT_THAT(claims.findings, ElementsAre(HasSubstr("leaves the folder")));
}

TEST(Claims, OfABrokenFileAreWhatCameBeforeTheBreak) {
  const auto config = claims_of("config.json", R"({"_name_or_path":"a/b","architectures":["A",)");
  EXPECT_FALSE(config.complete);
  EXPECT_THAT(lines(config), ElementsAre("loaded-from /_name_or_path: a/b", "architecture /architectures/0: A"));
  EXPECT_THAT(config.findings, ElementsAre(HasSubstr("not valid JSON")));
  const auto merge = claims_of("mergekit_config.yaml", "base_model: a/b\nmodels: [\n");
  EXPECT_THAT(lines(merge), ElementsAre("merge-parent /base_model: a/b"));
  EXPECT_FALSE(merge.complete);
  const auto gguf =
      claims_of("m.gguf", gguf_head(1, 1) + gguf_text("general.license", "mit") + std::string(24, '\xff'));
  EXPECT_THAT(lines(gguf), ElementsAre("format : gguf 3", "licence general.license: mit"));
  EXPECT_FALSE(gguf.complete);
  EXPECT_FALSE(claims_of("config.json", "[]").complete);
  EXPECT_FALSE(claims_of("config.json", "").complete);
  EXPECT_FALSE(claims_of("mergekit_config.yml", "- a\n").complete);
}
TEST(Claims, FailOnlyWithTheSource) {
  struct Gone final : ByteSource {
    std::uint64_t size_bytes() const override { return 10; }
    Result<std::size_t> read_at(std::uint64_t, std::span<std::byte>) const override {
      return Error{Errc::Unreachable, "gone"};
    }
  };
  for (const auto* path :
       {"a.gguf", "a.onnx", "a.safetensors", "config.json", "mergekit_config.yml", "m.safetensors.index.json"})
    EXPECT_EQ(read_claims(path, Gone{}).error().code, Errc::Unreachable) << path;
}
TEST(Claims, AreBoundedCleanAndTrimmed) {
  std::string many = "{\"architectures\":[";
  for (int i = 0; i < 1'000; ++i) many += "\"A" + std::to_string(i) + "\",";
  const auto claims = claims_of("config.json", many + "\"z\"]}");
  EXPECT_EQ(claims.claims.size(), kClaimsMax);
  EXPECT_THAT(claims.findings, ElementsAre(HasSubstr("more than 256 claims")));
  const auto hostile = claims_of(
      "config.json", R"({"_name_or_path":" \u001b[2J\u202e ","model_type":")" + std::string(5'000, 'x') + "\"}");
  EXPECT_EQ(hostile.claims.at(0).text, "\\x1b[2J\\xe2\\x80\\xae");
  EXPECT_EQ(hostile.claims.at(1).text.size(), kClaimBytesMax);
}
TEST(Claims, AreWrittenCanonicallyAndReadBack) {
  FileClaims claims;
  claims.file = "a/b.gguf";
  claims.complete = false;
  claims.add(ClaimKind::AdapterBase, "/x", "org/m", "v1");
  claims.add(ClaimKind::Licence, "l", "mit");
  claims.note("odd");
  const std::string text = render_claims(claims);
  EXPECT_EQ(text, R"({"claims":[{"field":"/x","kind":"adapter-base","revision":"v1","text":"org/m"},)"
                  R"({"field":"l","kind":"licence","text":"mit"}],"complete":false,)"
                  R"("file":"a/b.gguf","findings":["odd"]})");
  EXPECT_EQ(parse_claims(text).value(), claims);
  for (const std::string_view bad :
       {"", "{}", R"({"claims":[],"complete":true,"file":"a","findings":[],"more":1})",
        R"({"claims":[{"field":"","kind":"no-kind","text":"x"}],"complete":true,"file":"a","findings":[]})",
        R"({"claims":[7],"complete":true,"file":"a","findings":[]})",
        R"({"claims":[],"complete":1,"file":"a","findings":[]})",
        R"({"claims":[],"complete":true,"file":"a","findings":[7]})"})
    EXPECT_FALSE(parse_claims(bad)) << bad;
}
TEST(Claims, HaveANameForEveryKind) {
  for (int kind = 0; kind <= static_cast<int>(ClaimKind::Producer); ++kind)
    EXPECT_EQ(parse_claim_kind(name_of(static_cast<ClaimKind>(kind))), static_cast<ClaimKind>(kind));
  EXPECT_EQ(name_of(ClaimKind::Producer), "producer");
  EXPECT_FALSE(parse_claim_kind("nothing"));
}
TEST(Claims, AreReadFromFilesThatCanMakeSome) {
  for (const auto* path : {"config.json", "unet/config.json", "a.gguf", "x/y.safetensors", "m.onnx",
                           "model.safetensors.index.json", "tokenizer_config.json", "mergekit_config.yaml"})
    EXPECT_TRUE(is_read(path, 1'000)) << path;
  for (const auto* path :
       {"README.md", "pytorch_model.bin", "myconfig.json", "tokenizer.json", "a.gguf/x", "x.safetensors.json"})
    EXPECT_FALSE(is_read(path, 1'000)) << path;
  EXPECT_FALSE(is_read("config.json", 17 << 20));
  EXPECT_FALSE(is_read("mergekit_config.yml", 300 << 10));
  EXPECT_FALSE(is_read("a.gguf", 0));
  for (const char* path : {"sub/Model.GGUF", "MODEL.Safetensors", "m.ONNX", "model.safetensors.index.JSON"})
    EXPECT_TRUE(is_read(path, 1'000)) << path;
  EXPECT_FALSE(read_claims("M.GGUF", MemorySource{std::string_view("none")}).value().complete) << "read as what it is";
  EXPECT_TRUE(is_read("a.gguf", std::uint64_t{1} << 40));
}

TEST(Fields, HaveJsonPointersAsPaths) {
  const std::string text = R"({"a/b":{"~":[1,[true,null,"x"]]},"c":2,"a/b":-1.5e3})";
  std::vector<Field> fields;
  ASSERT_TRUE(read_json_fields(MemorySource{std::string_view(text)}, {}, fields));
  EXPECT_THAT(fields, ElementsAre(Field{"/a~1b/~0/0", "1"}, Field{"/a~1b/~0/1/0", "true"}, Field{"/a~1b/~0/1/2", "x"},
                                  Field{"/c", "2"}, Field{"/a~1b", "-1.5e3"}));
  const auto wanted = std::to_array<std::string_view>({"c"});
  std::vector<Field> some;
  ASSERT_TRUE(read_json_fields(MemorySource{std::string_view(text)}, wanted, some));
  EXPECT_THAT(some, ElementsAre(Field{"/c", "2"}));
}
TEST(Fields, OfYamlAreTheSame) {
  const std::string text = "a:\n- b: &x 1\n  ? [k, {l: m}]\n  : n\n- *x\nno: no\n";
  std::vector<Field> fields;
  ASSERT_TRUE(read_yaml_fields(MemorySource{std::string_view(text)}, {}, fields));
  EXPECT_THAT(fields, ElementsAre(Field{"/a/0/b", "1"}, Field{"/a/0/", "n"}, Field{"/a/1", "1"}, Field{"/no", "no"}));
  for (const std::string& bad :
       {std::string("a: *b\n"), std::string("a: [b\n"), "a: " + std::string(40, '[') + std::string(40, ']')}) {
    std::vector<Field> none;
    EXPECT_FALSE(read_yaml_fields(MemorySource{std::string_view(bad)}, {}, none)) << bad;
  }
}
TEST(Fields, AreBoundedInNumberAndDepth) {
  std::string many = "{\"a\":[";
  for (int i = 0; i < 10'000; ++i) many += "1,";
  many += "1]}";
  std::vector<Field> fields;
  ASSERT_TRUE(read_json_fields(MemorySource{std::string_view(many)}, {}, fields));
  EXPECT_EQ(fields.size(), kFieldsMax);
  FileClaims claims;
  const std::string config = "{\"architectures\":" + many.substr(5);
  ASSERT_TRUE(claim_text_file(TextFile::Config, MemorySource{std::string_view(config)}, claims));
  ASSERT_FALSE(claims.findings.empty());
  EXPECT_EQ(claims.findings.back(), "of its fields 5905 beyond the first 4096 were not looked at");
  const std::string deep = "{\"a\":" + std::string(100'000, '[');
  std::vector<Field> none;
  EXPECT_FALSE(read_json_fields(MemorySource{std::string_view(deep)}, {}, none));
}
}  // namespace
}  // namespace hm::provenance::formats
