#include "provenance/formats/gguf.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <vector>

#include "base/text.hpp"
#include "provenance/formats/template_check.hpp"

namespace hm::provenance::formats {
namespace {
constexpr std::uint32_t kVersionBigEndian = 0x03000000;
constexpr std::uint64_t kKeyBytesMax = 65'535, kNameBytesMax = 1'024, kNameBytesUsual = 64;
constexpr std::uint32_t kDimsMax = 4;
constexpr std::uint64_t kKeyBytesMin = 8 + 1 + 4 + 1, kInfoBytesMin = 8 + 4 + 4 + 8;  // of one entry in the file

struct GgmlType {
  std::string_view name;  // "": removed
  TypeSize size;
};
/// By id; block sizes of ggml-common.h.
constexpr auto kTypes = std::to_array<GgmlType>({
    {"F32", {1, 32}},
    {"F16", {1, 16}},
    {"Q4_0", {32, 144}},
    {"Q4_1", {32, 160}},
    {"", {}},
    {"", {}},
    {"Q5_0", {32, 176}},
    {"Q5_1", {32, 192}},
    {"Q8_0", {32, 272}},
    {"Q8_1", {32, 288}},
    {"Q2_K", {256, 672}},
    {"Q3_K", {256, 880}},
    {"Q4_K", {256, 1152}},
    {"Q5_K", {256, 1408}},
    {"Q6_K", {256, 1680}},
    {"Q8_K", {256, 2336}},
    {"IQ2_XXS", {256, 528}},
    {"IQ2_XS", {256, 592}},
    {"IQ3_XXS", {256, 784}},
    {"IQ1_S", {256, 400}},
    {"IQ4_NL", {32, 144}},
    {"IQ3_S", {256, 880}},
    {"IQ2_S", {256, 656}},
    {"IQ4_XS", {256, 1088}},
    {"I8", {1, 8}},
    {"I16", {1, 16}},
    {"I32", {1, 32}},
    {"I64", {1, 64}},
    {"F64", {1, 64}},
    {"IQ1_M", {256, 448}},
    {"BF16", {1, 16}},
    {"", {}},
    {"", {}},
    {"", {}},
    {"TQ1_0", {256, 432}},
    {"TQ2_0", {256, 528}},
    {"", {}},
    {"", {}},
    {"", {}},
    {"MXFP4", {32, 136}},
    {"NVFP4", {64, 288}},
    {"Q1_0", {128, 144}},
    {"Q2_0", {64, 144}},
});

enum ValueType : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64, ValueTypes };
constexpr std::array<std::string_view, ValueTypes> kValueNames{"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                               "bool", "string", "array", "u64", "i64", "f64"};
constexpr std::array<std::uint8_t, ValueTypes> kValueBytes{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};  // at least

std::string number_text(double value) {
  std::array<char, 32> out;
  const auto end = std::to_chars(out.data(), out.data() + out.size(), value).ptr;
  return {out.data(), end};
}
std::string scalar_text(std::uint32_t type, std::uint64_t bits) {
  switch (type) {
    case I8:
      return std::to_string(static_cast<std::int8_t>(bits));
    case I16:
      return std::to_string(static_cast<std::int16_t>(bits));
    case I32:
      return std::to_string(static_cast<std::int32_t>(bits));
    case I64:
      return std::to_string(static_cast<std::int64_t>(bits));
    case F32:
      return number_text(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    case F64:
      return number_text(std::bit_cast<double>(bits));
    case Bool:
      return bits != 0 ? "true" : "false";
    default:
      return std::to_string(bits);
  }
}

class Reader {
 public:
  Reader(const ByteSource& source, ModelHeader& into)
      : cursor_(source, 0, std::min(source.size_bytes(), kGgufHeaderBytesMax)),
        file_bytes_(source.size_bytes()),
        out_(into) {}

  Result<> run() {
    HM_TRY(read_fixed());
    for (std::uint64_t i = 0; i < key_count_; ++i) {
      HM_TRY(within(read_key(), [&] { return "reading key " + std::to_string(i + 1) + " of the GGUF header"; }));
    }
    if (const std::string* twice = duplicate_key(out_.metadata))
      return bad_file("the key \"" + printable(*twice) + "\" occurs twice in the GGUF header");
    HM_TRY(read_alignment());
    check_template();
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      HM_TRY(
          within(read_info(), [&] { return "reading tensor info " + std::to_string(i + 1) + " of the GGUF header"; }));
    }
    return place_tensors();
  }

 private:
  Result<std::uint64_t> number(std::size_t bytes) {
    if (bytes == 8) return cursor_.u64(big_endian_);
    if (bytes == 4) {
      HM_TRY(const std::uint32_t value, cursor_.u32(big_endian_));
      return std::uint64_t{value};
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      HM_TRY(const std::uint8_t byte, cursor_.u8());
      value |= std::uint64_t{byte} << 8 * (big_endian_ ? bytes - 1 - i : i);
    }
    return value;
  }

  Result<> read_fixed() {
    HM_TRY(const std::string magic, cursor_.text(4, 4));
    if (magic != "GGUF") return bad_file("not a GGUF file: it begins with \"" + printable(magic) + "\"");
    out_.format = "gguf";
    HM_TRY(std::uint32_t version, cursor_.u32());
    big_endian_ = out_.big_endian = version == kVersionBigEndian;
    if (big_endian_) version = 3;
    if (version != 2 && version != 3) return bad_file("GGUF version " + std::to_string(version) + "; 2 and 3 are read");
    out_.version = version;
    HM_TRY(tensor_count_, number(8));
    HM_TRY(key_count_, number(8));
    if (key_count_ > kMetadataMax || key_count_ > cursor_.remaining() / kKeyBytesMin)
      return bad_file("claims " + std::to_string(key_count_) + " keys, more than the file or our bound holds");
    if (tensor_count_ > kTensorsMax || tensor_count_ > cursor_.remaining() / kInfoBytesMin)
      return bad_file("claims " + std::to_string(tensor_count_) + " tensors, more than the file or our bound holds");
    return ok();
  }

  Result<> read_key() {
    HM_TRY(const std::uint64_t size, number(8));
    if (size == 0 || size > kKeyBytesMax) return bad_file("a key of " + std::to_string(size) + " bytes");
    Metadata entry;
    HM_TRY(entry.key, cursor_.text(size, kKeyBytesMax));
    HM_TRY(const std::uint64_t type, number(4));
    auto read = read_value(type, entry);
    if (!entry.values.empty() || read) out_.metadata.push_back(entry);
    return within(std::move(read), [&] { return "reading the value of \"" + printable(entry.key) + "\""; });
  }

  Result<> read_value(std::uint64_t type, Metadata& entry) {
    if (type >= ValueTypes) return bad_file("a value of unknown type " + std::to_string(type));
    if (type == Array) return read_array(entry);
    entry.type = kValueNames[type];
    return read_scalar(static_cast<std::uint32_t>(type), entry, true);
  }

  Result<> read_scalar(std::uint32_t type, Metadata& entry, bool keep) {
    if (type == String) {
      HM_TRY(const std::uint64_t size, number(8));
      if (!keep) return cursor_.skip(size);
      HM_TRY(const std::string text, cursor_.text(size, kMetadataTextBytesMax));
      entry.cut = entry.cut || size > text.size();
      keep_value(out_, entry, text);
      return ok();
    }
    HM_TRY(const std::uint64_t bits, number(kValueBytes[type]));
    if (type == Bool && bits > 1) return bad_file("a bool of value " + std::to_string(bits));
    if (keep) keep_value(out_, entry, scalar_text(type, bits));
    return ok();
  }

  /// Arrays may nest; what is still to be read of each level stands on a stack of its own.
  Result<> read_array(Metadata& entry) {
    struct Level {
      std::uint32_t type;
      std::uint64_t left;
    };
    std::vector<Level> levels;
    auto open = [&]() -> Result<> {
      if (static_cast<int>(levels.size()) == kGgufArrayDepthMax)
        return bad_file("arrays nest deeper than " + std::to_string(kGgufArrayDepthMax));
      HM_TRY(const std::uint64_t type, number(4));
      if (type >= ValueTypes) return bad_file("an array of unknown type " + std::to_string(type));
      HM_TRY(const std::uint64_t count, number(8));
      if (count > cursor_.remaining() / kValueBytes[type])
        return bad_file("an array claims " + std::to_string(count) + " elements, more than the file holds");
      if (levels.empty()) {
        entry.type = "array of " + std::string(kValueNames[type]);
        entry.count = count;
        entry.cut = type == Array;  // of nested ones nothing is kept
      }
      levels.push_back({static_cast<std::uint32_t>(type), count});
      return ok();
    };
    HM_TRY(open());
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.left == 0) {
        levels.pop_back();
        continue;
      }
      if (level.type == Array) {
        --level.left;
        HM_TRY(open());
        continue;
      }
      const bool keep = levels.size() == 1 && entry.values.size() < kGgufArrayKept;
      if (!keep && level.type != String && level.type != Bool) {
        entry.cut = true;
        HM_TRY(cursor_.skip(level.left * kValueBytes[level.type]));  // fits: open() compared it with the file
        level.left = 0;
        continue;
      }
      entry.cut = entry.cut || !keep;
      --level.left;
      HM_TRY(read_scalar(level.type, entry, keep));
    }
    return ok();
  }

  Result<> read_alignment() {
    const Metadata* const entry = find_metadata(out_, "general.alignment");
    if (entry == nullptr) return ok();
    const auto value = entry->type == "u32" && !entry->values.empty() ? parse_u64(entry->values.front()) : std::nullopt;
    if (!value || *value == 0 || *value % 8 != 0)
      return bad_file("general.alignment is no positive multiple of 8: " +
                      (entry->values.empty() ? entry->type : printable(entry->values.front())));
    alignment_ = *value;
    return ok();
  }

  void check_template() {
    for (const Metadata& entry : out_.metadata)
      if (entry.key.starts_with("tokenizer.chat_template"))
        for (const std::string& source : entry.values)
          for (const std::string& trouble : template_troubles(source)) out_.findings.note(entry.key + ": " + trouble);
  }

  Result<> read_info() {
    Tensor tensor;
    HM_TRY(const std::uint64_t size, number(8));
    if (size > kNameBytesMax) return bad_file("a tensor's name of " + std::to_string(size) + " bytes");
    HM_TRY(tensor.name, cursor_.text(size, kNameBytesMax));
    if (size > kNameBytesUsual) out_.findings.note(tensor_called(tensor.name) + " has a name of more than 64 bytes");
    HM_TRY(const std::uint64_t rank, number(4));
    if (rank > kDimsMax) return bad_file(tensor_called(tensor.name) + " has " + std::to_string(rank) + " dimensions");
    tensor.dims.resize(static_cast<std::size_t>(rank));
    for (std::uint64_t& dim : tensor.dims) {
      HM_TRY(dim, number(8));
    }
    HM_TRY(const std::uint64_t type, number(4));
    HM_TRY(tensor.offset_bytes, number(8));
    if (tensor.offset_bytes % alignment_ != 0)
      return bad_file(tensor_called(tensor.name) + " begins at " + std::to_string(tensor.offset_bytes) +
                      ", no multiple of the alignment " + std::to_string(alignment_));
    if (type < kTypes.size()) {
      if (kTypes[type].name.empty())
        return bad_file(tensor_called(tensor.name) + " has type " + std::to_string(type) + ", which was removed");
      tensor.dtype = kTypes[type].name;
      HM_TRY(tensor.length_bytes, within(tensor_bytes(kTypes[type].size, tensor.dims, 0),
                                         [&] { return "reading " + tensor_called(tensor.name); }));
    } else {
      tensor.dtype = "type " + std::to_string(type);
      tensor.placement = Placement::Opaque;
      out_.findings.note(tensor_called(tensor.name) + " has the unknown type " + std::to_string(type));
    }
    infos_.push_back(std::move(tensor));
    return ok();
  }

  /// Offsets become those of the file. Only now a tensor is said to be there.
  Result<> place_tensors() {
    if (const std::string* twice = duplicate_name(infos_)) return bad_file(tensor_called(*twice) + " occurs twice");
    const std::uint64_t end = cursor_.offset(), odd = end % alignment_;
    std::uint64_t data = 0;
    if (__builtin_add_overflow(end, odd == 0 ? 0 : alignment_ - odd, &data)) return bad_file("the alignment overflows");
    if (data > file_bytes_ && !infos_.empty())
      return bad_file("ends at " + std::to_string(file_bytes_) + ", before its data");
    const std::uint64_t data_bytes = infos_.empty() ? 0 : file_bytes_ - data;
    for (Tensor& tensor : infos_) {
      if (tensor.offset_bytes > data_bytes || tensor.length_bytes > data_bytes - tensor.offset_bytes)
        return bad_file(tensor_called(tensor.name) + " ends behind the end of the file");
      tensor.offset_bytes += data;
    }
    note_overlaps();
    out_.tensors = std::move(infos_);
    return ok();
  }

  void note_overlaps() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const Tensor& tensor : infos_)
      if (tensor.length_bytes != 0) ranges.emplace_back(tensor.offset_bytes, tensor.length_bytes);
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first - ranges[i - 1].first < ranges[i - 1].second)
        return out_.findings.note("tensors overlap at offset " + std::to_string(ranges[i].first));
  }

  ByteCursor cursor_;
  std::uint64_t file_bytes_;
  ModelHeader& out_;
  bool big_endian_ = false;
  std::uint64_t tensor_count_ = 0, key_count_ = 0, alignment_ = 32;
  std::vector<Tensor> infos_;
};
}  // namespace

Result<> read_gguf(const ByteSource& source, ModelHeader& into) { return Reader(source, into).run(); }

std::string_view gguf_file_type(std::uint64_t file_type) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"F32",    "F16",    "Q4_0",   "Q4_1",    "",       "",       "",       "Q8_0",   "Q5_0",     "Q5_1",
       "Q2_K",   "Q3_K_S", "Q3_K_M", "Q3_K_L",  "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K",     "IQ2_XXS",
       "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ1_S",  "IQ4_NL", "IQ3_S",  "IQ3_M",  "IQ2_S",    "IQ2_M",
       "IQ4_XS", "IQ1_M",  "BF16",   "",        "",       "",       "TQ1_0",  "TQ2_0",  "MXFP4_MOE"});
  return file_type < kNames.size() ? kNames[file_type] : std::string_view();
}

bool is_gguf_quantized(std::string_view name) {
  return name.starts_with("Q") || name.starts_with("IQ") || name.starts_with("TQ") || name.starts_with("MXFP") ||
         name.starts_with("NVFP");
}
}  // namespace hm::provenance::formats
