#include "provenance/formats/tensor_digests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "provenance/formats/gguf.hpp"
#include "provenance/formats/safetensors.hpp"
#include "tests/unit/provenance/formats/model_files.hpp"

namespace hm::provenance::formats {
namespace {
using Digests = std::vector<TensorDigest>;

Digests digests_of(const std::string& file, DigestOptions options = {}) {
  const MemorySource source{std::string_view(file)};
  ModelHeader header;
  const auto read = file.starts_with("GGUF") ? read_gguf(source, header) : read_safetensors(source, header);
  EXPECT_TRUE(read) << (read ? "" : read.assume_error().what);
  auto digests = digest_tensors(source, header.tensors, options);
  EXPECT_TRUE(digests) << (digests ? "" : digests.assume_error().what);
  return std::move(digests).value();
}

MadeTensor weight(std::size_t n, std::uint32_t seed) {
  return {"layers." + std::to_string(n) + ".weight", "F32", {64, 32}, random_f32(64 * 32, seed)};
}
/// Ten weights of 8 KiB, a norm of ones, a table that every model of the kind has, a bias.
std::vector<MadeTensor> model() {
  std::vector<MadeTensor> out;
  for (std::uint32_t i = 0; i < 10; ++i) out.push_back(weight(i, i));
  std::string ones;
  for (int i = 0; i < 2048; ++i) ones += little_endian(1.0F);
  out.push_back({"norm.weight", "F32", {2048}, ones});
  out.push_back({"rotary_emb.inv_freq", "F32", {2048}, random_f32(2048, 99)});
  out.push_back({"bias", "F32", {16}, random_f32(16, 98)});
  return out;
}
template <class To, class From>
std::string cast(const std::string& bytes, To (*one)(From)) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(From)) {
    From from;
    std::memcpy(&from, bytes.data() + i, sizeof from);
    out += little_endian(one(from));
  }
  return out;
}
std::vector<MadeTensor> recast(std::vector<MadeTensor> tensors, const std::string& dtype,
                               std::uint16_t (*one)(std::uint32_t)) {
  for (MadeTensor& tensor : tensors) tensor.bytes = cast(tensor.bytes, one), tensor.dtype = dtype;
  return tensors;
}

TEST(TensorDigests, AreThoseOfTheBytesWithAndWithoutTheirType) {
  const std::string bytes = random_f32(6, 1);
  const auto digests = digests_of(make_safetensors({{"w", "F32", {2, 3}, bytes}}), {.typed = true});
  ASSERT_EQ(digests.size(), 1U);
  EXPECT_EQ(digests[0].content, sha256(bytes));
  using namespace std::string_literals;
  EXPECT_EQ(digests[0].typed, sha256("tensor-v1\0F32\0"s + "2,3\0"s + bytes));
  EXPECT_EQ(digests[0].as_bf16, sha256(cast(bytes, bf16_of)));
  EXPECT_EQ(digests[0].as_f16, sha256(cast(bytes, f16_of)));
  EXPECT_FALSE(digests[0].value32) << "an F32 tensor is its own";
}
TEST(TensorDigests, AreTheSameOnAnyNumberOfThreads) {
  const std::string file = make_safetensors(model());
  const auto alone = digests_of(file, {.typed = true, .value32 = true, .threads = 1});
  const auto many = digests_of(file, {.typed = true, .value32 = true, .threads = 7});
  ASSERT_EQ(alone.size(), many.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].name, many[i].name);
    EXPECT_EQ(alone[i].content, many[i].content);
    EXPECT_EQ(alone[i].typed, many[i].typed);
    EXPECT_EQ(alone[i].as_f16, many[i].as_f16);
  }
}
TEST(TensorDigests, ReachAcrossChunks) {
  const std::string bytes = random_f32(300'000, 5);
  const auto digests = digests_of(make_safetensors({{"w", "F32", {300'000}, bytes}}));
  EXPECT_EQ(digests[0].content, sha256(bytes));
  EXPECT_EQ(digests[0].as_bf16, sha256(cast(bytes, bf16_of)));
  EXPECT_EQ(digests[0].excluded, Excluded::No);
}
TEST(TensorDigests, WidenHalfFloats) {
  const std::string f32 = random_f32(2048, 3), f16 = cast(f32, f16_of), bf16 = cast(f32, bf16_of);
  const auto digests =
      digests_of(make_safetensors({{"a", "F16", {2048}, f16}, {"b", "BF16", {2048}, bf16}}), {.value32 = true});
  EXPECT_EQ(digests[0].value32, sha256(cast(f16, f32_of_f16)));
  EXPECT_EQ(digests[1].value32, sha256(cast(bf16, +[](std::uint16_t bits) { return std::uint32_t{bits} << 16; })));
}
TEST(TensorDigests, SayWhichTensorsAreNoEvidence) {
  const auto digests = digests_of(make_safetensors(model()));
  EXPECT_EQ(digests[0].excluded, Excluded::No);
  EXPECT_EQ(digests[10].excluded, Excluded::Constant);
  EXPECT_EQ(digests[11].excluded, Excluded::Buffer);
  EXPECT_EQ(digests[12].excluded, Excluded::Small);
}
TEST(TensorDigests, SeeConstantsOfEveryElementSizeAcrossChunks) {
  auto excluded = [](const std::string& dtype, std::uint64_t elements, const std::string& bytes) {
    return digests_of(make_gguf({{"w", dtype, {elements}, bytes}}))[0].excluded;
  };
  std::string block = "\x01\x3c", blocks;
  for (int i = 0; i < 32; ++i) block.push_back(static_cast<char>(i));
  for (int i = 0; i < 20'000; ++i) blocks += block;
  constexpr std::uint64_t kElements = 20'000 * 32;
  EXPECT_EQ(excluded("8", kElements, blocks), Excluded::Constant) << "the same block of Q8_0 over and over";
  blocks[blocks.size() - 3] ^= 1;
  EXPECT_EQ(excluded("8", kElements, blocks), Excluded::No);
  std::string wide;
  for (int i = 0; i < 100'000; ++i) wide += little_endian<std::int64_t>(7);
  EXPECT_EQ(excluded("27", 100'000, wide), Excluded::Constant);
  wide[400'001] = 1;
  EXPECT_EQ(excluded("27", 100'000, wide), Excluded::No);
}
TEST(TensorDigests, GiveNoCastThatLosesAllItsValues) {
  std::string tiny;
  for (int i = 1; i <= 2048; ++i) tiny += little_endian(static_cast<float>(i) * 1e-20F);
  const auto digests = digests_of(make_safetensors({{"w", "F32", {2048}, tiny}}));
  EXPECT_TRUE(digests[0].as_bf16);
  EXPECT_FALSE(digests[0].as_f16) << "all zero in F16, as many others are";
}
TEST(TensorDigests, RefuseARangeOutsideTheFile) {
  const MemorySource source(std::string_view("12345678"));
  const std::vector<Tensor> tensors{{"w", "F32", {2}, Placement::InFile, 4, 8, ""}};
  const auto digests = digest_tensors(source, tensors, {});
  ASSERT_FALSE(digests);
  EXPECT_EQ(digests.assume_error().code, Errc::BadInput);
}
TEST(TensorDigests, RefuseTensorsThatTogetherAreLargerThanTheFile) {
  const MemorySource source(std::string_view("12345678"));
  const std::vector<Tensor> tensors(2, {"w", "U8", {5}, Placement::InFile, 0, 5, ""});
  EXPECT_EQ(digest_tensors(source, tensors, {}).error().code, Errc::BadInput);
}
TEST(TensorDigests, StopWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  const std::string file = make_safetensors(model());
  const MemorySource source{std::string_view(file)};
  ModelHeader header;
  ASSERT_TRUE(read_safetensors(source, header));
  const auto digests = digest_tensors(source, header.tensors, {.threads = 3, .stop = stop.get_token()});
  ASSERT_FALSE(digests);
  EXPECT_EQ(digests.assume_error().code, Errc::Cancelled);
}

TEST(FloatCasts, RoundToNearestEven) {
  auto bits = [](float value) { return std::bit_cast<std::uint32_t>(value); };
  EXPECT_EQ(bf16_of(0x3f808000), 0x3f80) << "a tie goes to the even neighbour, here below";
  EXPECT_EQ(bf16_of(0x3f818000), 0x3f82) << "and here above";
  EXPECT_EQ(bf16_of(0x3f808001), 0x3f81);
  EXPECT_EQ(bf16_of(0x7f7fffff), 0x7f80) << "the largest becomes infinite";
  EXPECT_EQ(bf16_of(0xff800000), 0xff80);
  EXPECT_EQ(bf16_of(0x7f800001), 0x7fc0);
  EXPECT_EQ(f16_of(bits(1.0F)), 0x3c00);
  EXPECT_EQ(f16_of(bits(-2.0F)), 0xc000);
  EXPECT_EQ(f16_of(bits(65504.0F)), 0x7bff);
  EXPECT_EQ(f16_of(bits(65519.0F)), 0x7bff);
  EXPECT_EQ(f16_of(bits(65520.0F)), 0x7c00);
  EXPECT_EQ(f16_of(bits(1e30F)), 0x7c00);
  EXPECT_EQ(f16_of(bits(-HUGE_VALF)), 0xfc00);
  EXPECT_EQ(f16_of(bits(0x1.0p-25F)), 0x0000) << "half of the smallest: a tie, even is zero";
  EXPECT_EQ(f16_of(bits(0x1.8p-25F)), 0x0001);
  EXPECT_EQ(f16_of(bits(0x1.8p-24F)), 0x0002);
  EXPECT_EQ(f16_of(0xffc00001), 0xfe00);
}
TEST(FloatCasts, GiveBackEveryHalfFloatAndRoundBetweenThem) {
  for (std::uint32_t half = 0; half < 0x7c00; ++half) {
    const std::uint32_t wide = f32_of_f16(static_cast<std::uint16_t>(half));
    ASSERT_EQ(f16_of(wide), half);
    ASSERT_EQ(f16_of(wide | 0x80000000), half | 0x8000);
    const double value = std::bit_cast<float>(wide);
    ASSERT_EQ(value, half < 0x400 ? std::ldexp(half, -24)
                                  : std::ldexp(0x400 + (half & 0x3ff), static_cast<int>(half >> 10) - 25));
    const double next =
        half == 0x7bff ? 65536.0 : double{std::bit_cast<float>(f32_of_f16(static_cast<std::uint16_t>(half + 1)))};
    const float middle = static_cast<float>((value + next) / 2);  // exact
    ASSERT_EQ(f16_of(std::bit_cast<std::uint32_t>(middle)), half + (half & 1)) << half;
    ASSERT_EQ(f16_of(std::bit_cast<std::uint32_t>(std::nextafter(middle, 0.0F))), half);
    ASSERT_EQ(f16_of(std::bit_cast<std::uint32_t>(std::nextafter(middle, 1e9F))), half + 1);
  }
}

TEST(Share, IsOneForTheSameWeightsInOtherShardsAndAnotherOrder) {
  const auto tensors = model();
  const std::vector<MadeTensor> first(tensors.rbegin(), tensors.rbegin() + 6),
      second(tensors.rbegin() + 6, tensors.rend());
  Digests shards = digests_of(make_safetensors(first));
  for (TensorDigest& digest : digests_of(make_safetensors(second, R"({"format":"pt","other":"text"})")))
    shards.push_back(digest);
  const Share found = share(digests_of(make_safetensors(tensors)), shards);
  EXPECT_EQ(found.ratio(), 1.0);
  EXPECT_EQ(found.smaller_bytes, 10U * 8192) << "no norm, no table, no small bias";
  EXPECT_EQ(found.tensors.size(), 10U);
  for (const SharedTensor& pair : found.tensors) EXPECT_EQ(tensors[pair.in_a].name, shards[pair.in_b].name);
}
TEST(Share, IsNineTenthsWhenATenthWasChanged) {
  auto changed = model();
  changed[3] = weight(3, 1003);
  const Share found = share(digests_of(make_safetensors(model())), digests_of(make_safetensors(changed)));
  EXPECT_DOUBLE_EQ(found.ratio(), 0.9);
}
TEST(Share, LooksAtTheSmallerModel) {
  auto more = model();
  for (std::uint32_t i = 0; i < 10; ++i) more.push_back(weight(100 + i, 2000 + i));
  EXPECT_EQ(share(digests_of(make_safetensors(more)), digests_of(make_safetensors(model()))).ratio(), 1.0);
  EXPECT_EQ(share(digests_of(make_safetensors(model())), digests_of(make_safetensors(more))).ratio(), 1.0);
}
TEST(Share, IsNothingAmongStrangersWithTheSameNormsAndTables) {
  auto other = model();
  for (std::uint32_t i = 0; i < 10; ++i) other[i] = weight(i, 500 + i);
  const Share found = share(digests_of(make_safetensors(model())), digests_of(make_safetensors(other)));
  EXPECT_EQ(found.ratio(), 0.0);
  EXPECT_TRUE(found.tensors.empty());
  EXPECT_EQ(share({}, {}).ratio(), 0.0);
}
TEST(Share, CountsTiedTensorsOnce) {
  auto tied = model();
  tied.push_back(tied[0]);
  tied.back().name = "lm_head.weight";
  const Share found = share(digests_of(make_safetensors(tied)), digests_of(make_safetensors(model())));
  EXPECT_EQ(found.ratio(), 1.0);
  EXPECT_EQ(found.smaller_bytes, 10U * 8192);
}
TEST(Share, FindsAGgufOfTheSameValuesThoughNamesAndDimsDiffer) {
  std::vector<MadeTensor> converted;
  for (MadeTensor tensor : model())
    converted.push_back({"blk." + std::to_string(converted.size()) + ".ffn",
                         "0",
                         {tensor.dims.rbegin(), tensor.dims.rend()},
                         tensor.bytes});
  // The converter permutes the rows of q and k: their bytes are others, and bytes are all there is to see.
  std::string& permuted = converted[0].bytes;
  permuted = permuted.substr(4096) + permuted.substr(0, 4096);
  const auto base = digests_of(make_safetensors(model()), {.typed = true}),
             gguf = digests_of(make_gguf(converted), {.typed = true});
  const Share found = share(base, gguf);
  EXPECT_EQ(found.common_bytes, 9U * 8192);
  ASSERT_FALSE(found.tensors.empty());
  EXPECT_EQ(found.tensors[0].by, SharedTensor::By::Content);
  EXPECT_NE(base[found.tensors[0].in_a].typed, gguf[found.tensors[0].in_b].typed) << "its dims are reversed";
}
TEST(Share, FindsABf16AndAnF16CopyOfAnF32Base) {
  const auto base = digests_of(make_safetensors(model()));
  for (const auto& copy : {recast(model(), "BF16", bf16_of), recast(model(), "F16", f16_of)}) {
    const Share found = share(base, digests_of(make_safetensors(copy)));
    EXPECT_EQ(found.ratio(), 1.0) << copy[0].dtype;
    ASSERT_EQ(found.tensors.size(), 10U);
    EXPECT_EQ(found.tensors[0].by, SharedTensor::By::Cast);
    EXPECT_EQ(found.smaller_bytes, 10U * 4096) << "of the copy";
  }
}
TEST(Share, FindsAnF32CopyOfABf16BaseFromTheCopysOwnCast) {
  const auto base = recast(model(), "BF16", bf16_of);
  auto copy = base;
  for (MadeTensor& tensor : copy)
    tensor.dtype = "F32",
    tensor.bytes = cast(tensor.bytes, +[](std::uint16_t bits) { return std::uint32_t{bits} << 16; });
  EXPECT_EQ(share(digests_of(make_safetensors(base)), digests_of(make_safetensors(copy))).ratio(), 1.0);
  EXPECT_EQ(share(digests_of(make_safetensors(base)), digests_of(make_safetensors(copy), {.casts = false})).ratio(),
            0.0);
}
}  // namespace
}  // namespace hm::provenance::formats
