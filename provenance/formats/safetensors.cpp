#include "provenance/formats/safetensors.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance::formats {
namespace {
using Kind = TreeEvent::Kind;
constexpr std::size_t kDimsMax = 32;  // NumPy's; the format has no bound

struct Dtype {
  std::string_view name;
  std::uint32_t bits;
};
constexpr auto kDtypes = std::to_array<Dtype>(
    {{"BOOL", 8},        {"U8", 8},          {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
     {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
     {"I32", 32},        {"U32", 32},        {"F32", 32},    {"C64", 64},    {"F64", 64},    {"I64", 64},
     {"U64", 64},        {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}});

/// Takes the events of the header: a name, then an object of three fields, each once.
class HeaderSink {
 public:
  explicit HeaderSink(ModelHeader& into) : out_(into) {}

  Result<> take(const TreeEvent& event) {
    switch (depth_) {
      case 0:
        return take_root(event);
      case 1:
        return take_entry(event);
      case 2:
        return metadata_ ? take_metadata(event) : take_field(event);
      default:
        return take_number(event);
    }
  }
  std::vector<Tensor> tensors;  ///< offsets relative to the data

 private:
  Error wrong(std::string_view what) const { return bad_file(tensor_called(name_) + ": " + std::string(what)); }

  Result<> take_root(const TreeEvent& event) {
    if (event.kind != Kind::ObjectBegin) return bad_file("the header is no JSON object");
    depth_ = 1;
    return ok();
  }

  Result<> take_entry(const TreeEvent& event) {
    if (event.kind == Kind::Key) {
      name_ = event.text;
      return ok();
    }
    depth_ = event.kind == Kind::ObjectEnd ? 0 : 2;
    if (depth_ == 0) return ok();
    if (event.kind != Kind::ObjectBegin) return wrong("its entry is no object");
    metadata_ = name_ == "__metadata__";
    if (metadata_ && std::exchange(has_metadata_, true)) return bad_file("\"__metadata__\" occurs twice");
    if (!metadata_ && tensors.size() == kTensorsMax)
      return bad_file("more than " + std::to_string(kTensorsMax) + " tensors");
    has_dtype_ = has_shape_ = has_offsets_ = false;
    if (!metadata_) tensors.emplace_back().name = name_;
    return ok();
  }

  Result<> take_metadata(const TreeEvent& event) {
    if (event.kind == Kind::ObjectEnd) {
      depth_ = 1;
      return ok();
    }
    if (event.kind == Kind::Key) {
      field_ = event.text;
      return ok();
    }
    if (event.kind != Kind::Text) return bad_file("the metadata \"" + printable(field_) + "\" is no text");
    if (out_.metadata.size() == kMetadataMax)
      return bad_file("more than " + std::to_string(kMetadataMax) + " metadata");
    Metadata entry{.key = field_, .type = "string", .cut = event.text_bytes > event.text.size()};
    keep_value(out_, entry, event.text);
    out_.metadata.push_back(std::move(entry));
    return ok();
  }

  Result<> take_field(const TreeEvent& event) {
    if (event.kind == Kind::Key) {
      field_ = event.text;
      return ok();
    }
    if (event.kind == Kind::ObjectEnd) {
      depth_ = 1;
      if (!has_dtype_ || !has_shape_ || !has_offsets_) return wrong("dtype, shape or data_offsets is missing");
      return ok();
    }
    if (field_ == "dtype") {
      if (event.kind != Kind::Text || std::exchange(has_dtype_, true))
        return wrong("dtype is no text, or occurs twice");
      tensors.back().dtype = event.text;
      return ok();
    }
    const bool shape = field_ == "shape";
    if (!shape && field_ != "data_offsets")
      return wrong("an unknown field \"" + printable(field_.substr(0, 64)) + "\"");
    if (event.kind != Kind::ListBegin || std::exchange(shape ? has_shape_ : has_offsets_, true))
      return wrong(field_ + " is no list, or occurs twice");
    numbers_.clear();
    depth_ = 3;
    return ok();
  }

  Result<> take_number(const TreeEvent& event) {
    if (event.kind == Kind::ListEnd) {
      depth_ = 2;
      if (field_ == "shape") {
        tensors.back().dims = numbers_;
        return ok();
      }
      if (numbers_.size() != 2 || numbers_[1] < numbers_[0]) return wrong("data_offsets is no [begin, end]");
      tensors.back().offset_bytes = numbers_[0];
      tensors.back().length_bytes = numbers_[1] - numbers_[0];
      return ok();
    }
    if (event.kind != Kind::Number || !event.is_integer) return wrong(field_ + " holds something that is no size");
    if (numbers_.size() == kDimsMax) return wrong("more than " + std::to_string(kDimsMax) + " dimensions");
    numbers_.push_back(event.integer);
    return ok();
  }

  ModelHeader& out_;
  int depth_ = 0;
  bool metadata_ = false, has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::string name_, field_;
  std::vector<std::uint64_t> numbers_;
};

Result<> check_size(const Tensor& tensor) {
  const auto dtype = std::find_if(kDtypes.begin(), kDtypes.end(), [&](auto& d) { return d.name == tensor.dtype; });
  if (dtype == kDtypes.end())
    return bad_file(tensor_called(tensor.name) + " has the unknown dtype \"" + printable(tensor.dtype.substr(0, 64)) +
                    "\"");
  HM_TRY(const std::uint64_t bytes, within(tensor_bytes({1, dtype->bits}, tensor.dims, 0),
                                           [&] { return "reading " + tensor_called(tensor.name); }));
  if (bytes != tensor.length_bytes)
    return bad_file(tensor_called(tensor.name) + " has " + std::to_string(tensor.length_bytes) +
                    " bytes; its shape needs " + std::to_string(bytes));
  return ok();
}

/// In the order of their offsets the ranges touch each other and end with the file.
Result<> check_tiling(const std::vector<Tensor>& tensors, std::uint64_t data_bytes) {
  std::vector<std::uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return std::pair(tensors[a].offset_bytes, tensors[a].length_bytes) <
           std::pair(tensors[b].offset_bytes, tensors[b].length_bytes);
  });
  std::uint64_t at = 0;
  for (const std::uint32_t i : order) {
    const Tensor& tensor = tensors[i];
    if (tensor.offset_bytes != at)
      return bad_file(tensor_called(tensor.name) + " begins at " + std::to_string(tensor.offset_bytes) +
                      " of the data, " + (tensor.offset_bytes > at ? "behind a hole from " : "within what ends at ") +
                      std::to_string(at));
    if (tensor.length_bytes > data_bytes - at)
      return bad_file(tensor_called(tensor.name) + " ends behind the end of the file");
    at += tensor.length_bytes;
  }
  if (at != data_bytes) return bad_file(std::to_string(data_bytes - at) + " bytes lie behind the last tensor");
  return ok();
}

/// Takes the events of an index: texts of the object "weight_map", one number of "metadata".
class IndexSink {
 public:
  explicit IndexSink(ShardIndex& into) : out_(into) {}

  Result<> take(const TreeEvent& event) {
    switch (event.kind) {
      case Kind::ObjectBegin:
      case Kind::ListBegin:
        if (depth_ == 0 && event.kind != Kind::ObjectBegin) return bad_file("the index is no JSON object");
        ++depth_;
        return ok();
      case Kind::ObjectEnd:
      case Kind::ListEnd:
        --depth_;
        return ok();
      case Kind::Key:
        if (depth_ == 1) top_ = event.text;
        key_ = event.text;
        return ok();
      default:
        if (depth_ == 0) return bad_file("the index is no JSON object");
        if (depth_ == 2 && top_ == "weight_map") return take_file(event);
        if (depth_ == 2 && top_ == "metadata" && key_ == "total_size" && event.is_integer)
          out_.total_bytes = event.integer;
        return ok();
    }
  }

 private:
  Result<> take_file(const TreeEvent& event) {
    if (event.kind != Kind::Text || event.text.empty() || event.text.size() > 4'096)
      return bad_file("weight_map names no file for " + tensor_called(key_));
    ++out_.tensor_count;
    std::string file(event.text);
    if (!seen_.insert(file).second) return ok();
    if (out_.files.size() == kShardsMax) return bad_file("more than " + std::to_string(kShardsMax) + " shards");
    if (!is_contained_path(file)) out_.findings.note("a shard's path leaves the folder: \"" + printable(file) + "\"");
    out_.files.push_back(std::move(file));
    return ok();
  }

  ShardIndex& out_;
  int depth_ = 0;
  std::string top_, key_;
  std::set<std::string> seen_;
};
}  // namespace

Result<> read_safetensors(const ByteSource& source, ModelHeader& into) {
  constexpr std::uint64_t kLengthBytes = 8;
  ByteCursor cursor(source);
  HM_TRY(const std::uint64_t length,
         within(cursor.u64(), [] { return "reading the length of the safetensors header"; }));
  if (length > kSafetensorsHeaderBytesMax || length > cursor.remaining())
    return bad_file("the safetensors header is said to have " + std::to_string(length) +
                    " bytes, more than the file or 100 MB");
  into.format = "safetensors";
  cursor.limit(length);
  HM_TRY(const std::uint8_t first, within(cursor.peek(), [] { return "reading the safetensors header"; }));
  if (first != '{') return bad_file("the safetensors header does not begin with {");
  HeaderSink sink(into);
  HM_TRY(within(read_json(cursor, {.depth_max = 4}, [&](const TreeEvent& event) { return sink.take(event); }),
                [] { return "reading the safetensors header"; }));
  if (const std::string* twice = duplicate_key(into.metadata))
    return bad_file("the metadata \"" + printable(*twice) + "\" occurs twice");
  if (const std::string* twice = duplicate_name(sink.tensors)) return bad_file(tensor_called(*twice) + " occurs twice");
  for (const Tensor& tensor : sink.tensors) {
    HM_TRY(check_size(tensor));
  }
  HM_TRY(check_tiling(sink.tensors, source.size_bytes() - kLengthBytes - length));
  for (Tensor& tensor : sink.tensors) tensor.offset_bytes += kLengthBytes + length;
  into.tensors = std::move(sink.tensors);
  return ok();
}

Result<> read_shard_index(const ByteSource& source, ShardIndex& into) {
  if (source.size_bytes() > kShardIndexBytesMax)
    return bad_file("the index is larger than " + human_bytes(kShardIndexBytesMax));
  ByteCursor cursor(source);
  IndexSink sink(into);
  return within(read_json(cursor, {.depth_max = 8}, [&](const TreeEvent& event) { return sink.take(event); }),
                [] { return "reading the index of shards"; });
}
}  // namespace hm::provenance::formats
