#include "provenance/formats/onnx.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/text.hpp"

namespace hm::provenance::formats {
namespace {
constexpr std::size_t kDimsMax = 64, kNameBytesMax = 1'024, kPathBytesMax = 4'096;
constexpr std::uint64_t kExternalBytesMax = std::uint64_t{1} << 50;  // a petabyte: nobody's tensor

/// TensorProto.DataType by number.
struct DataType {
  std::string_view name;
  std::uint32_t bits;  // 0: no fixed size
};
constexpr auto kDataTypes = std::to_array<DataType>(
    {{"UNDEFINED", 0},      {"FLOAT", 32},    {"UINT8", 8},        {"INT8", 8},           {"UINT16", 16},
     {"INT16", 16},         {"INT32", 32},    {"INT64", 64},       {"STRING", 0},         {"BOOL", 8},
     {"FLOAT16", 16},       {"DOUBLE", 64},   {"UINT32", 32},      {"UINT64", 64},        {"COMPLEX64", 64},
     {"COMPLEX128", 128},   {"BFLOAT16", 16}, {"FLOAT8E4M3FN", 8}, {"FLOAT8E4M3FNUZ", 8}, {"FLOAT8E5M2", 8},
     {"FLOAT8E5M2FNUZ", 8}, {"UINT4", 4},     {"INT4", 4},         {"FLOAT4E2M1", 4},     {"FLOAT8E8M0", 8},
     {"UINT2", 2},          {"INT2", 2}});
constexpr std::uint64_t kFloat = 1, kDouble = 11;

enum class Message : std::uint8_t {
  Model,
  Graph,
  Node,
  Attribute,
  Tensor,
  SparseTensor,
  Training,
  Function,
  Opset,
  Property,
  ExternalEntry
};
/// Which message the length-delimited field `number` of `in` holds; nullopt: none that leads to anything.
std::optional<Message> nested(Message in, std::uint64_t number) {
  struct Row {
    Message in;
    std::uint32_t number;
    Message holds;
  };
  using enum Message;
  static constexpr auto kRows = std::to_array<Row>({{Model, 7, Graph},
                                                    {Model, 8, Opset},
                                                    {Model, 14, Property},
                                                    {Model, 20, Training},
                                                    {Model, 25, Function},
                                                    {Graph, 1, Node},
                                                    {Graph, 5, Tensor},
                                                    {Graph, 15, SparseTensor},
                                                    {Node, 5, Attribute},
                                                    {Attribute, 5, Tensor},
                                                    {Attribute, 6, Graph},
                                                    {Attribute, 10, Tensor},
                                                    {Attribute, 11, Graph},
                                                    {Attribute, 22, SparseTensor},
                                                    {Attribute, 23, SparseTensor},
                                                    {SparseTensor, 1, Tensor},
                                                    {SparseTensor, 2, Tensor},
                                                    {Training, 1, Graph},
                                                    {Training, 2, Graph},
                                                    {Function, 7, Node},
                                                    {Function, 9, Opset},
                                                    {Function, 11, Attribute},
                                                    {Tensor, 13, ExternalEntry}});
  for (const Row& row : kRows)
    if (row.in == in && row.number == number) return row.holds;
  return std::nullopt;
}

class Walk {
 public:
  Walk(const ByteSource& source, ModelHeader& into) : cursor_(source), out_(into) {}

  Result<> run() {
    out_.format = "onnx";
    levels_.push_back({Message::Model, cursor_.remaining()});
    for (std::uint64_t fields = 0; !levels_.empty(); ++fields) {
      if (fields > kOnnxFieldsMax) return bad_file("more than " + std::to_string(kOnnxFieldsMax) + " fields");
      if (cursor_.offset() == levels_.back().end) {
        HM_TRY(leave());
        continue;
      }
      const std::uint64_t offset = cursor_.offset();
      HM_TRY(within(read_field(), [&] { return "reading the ONNX field at offset " + std::to_string(offset); }));
    }
    if (!has_graph_) return bad_file("not an ONNX model: it has no graph");
    if (const std::string* more = duplicate_key(out_.metadata)) out_.findings.note("\"" + *more + "\" is said twice");
    return ok();
  }

 private:
  enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  struct Level {
    Message message;
    std::uint64_t end;  ///< offset in the file
  };
  /// What a TensorProto says; one at a time, as none lies within another.
  struct TensorState {
    Tensor tensor;
    std::uint64_t data_type = 0;
    bool is_external = false, has_range = false, is_packed = false, other_form = false;
    std::string offset, length;
    bool has_location = false;
  };

  std::uint64_t left() const { return levels_.back().end - cursor_.offset(); }

  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (left() == 0) return bad_file("a number ends behind its message");
      HM_TRY(const std::uint8_t byte, cursor_.u8());
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    return bad_file("a number of more than 64 bits");
  }

  Result<> read_field() {
    HM_TRY(const std::uint64_t tag, varint());
    const std::uint64_t number = tag >> 3, type = tag & 7;
    if (number == 0 || number > 0x1fffffff) return bad_file("field number " + std::to_string(number));
    switch (type) {
      case kVarint: {
        HM_TRY(const std::uint64_t value, varint());
        return take_number(number, value);
      }
      case kFixed64:
      case kFixed32: {
        const std::uint64_t bytes = type == kFixed64 ? 8 : 4;
        if (bytes > left()) return bad_file("a number ends behind its message");
        if (levels_.back().message == Message::Tensor && (number == 4 || number == 10)) tensor_.other_form = true;
        return cursor_.skip(bytes);
      }
      case kBytes: {
        HM_TRY(const std::uint64_t length, varint());
        if (length > left())
          return bad_file("a field of " + std::to_string(length) + " bytes ends behind its message, which has " +
                          std::to_string(left()) + " left");
        return take_bytes(number, length);
      }
      default:
        return bad_file("wire type " + std::to_string(type));
    }
  }

  Result<> take_number(std::uint64_t number, std::uint64_t value) {
    switch (levels_.back().message) {
      case Message::Model:
        if (number == 1) out_.version = value;
        if (number == 5) return keep("model_version", std::to_string(static_cast<std::int64_t>(value)));
        return ok();
      case Message::Opset:
        if (number == 2) opset_version_ = value;
        return ok();
      case Message::Tensor:
        if (number == 1) return take_dim(value);
        if (number == 2) tensor_.data_type = value;
        if (number == 14) tensor_.is_external = value == 1;
        if (number == 5 || number == 7 || number == 11) tensor_.other_form = true;
        return ok();
      default:
        return ok();
    }
  }

  Result<> take_dim(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return bad_file("a tensor has a negative dimension");
    if (tensor_.tensor.dims.size() == kDimsMax)
      return bad_file("a tensor has more than " + std::to_string(kDimsMax) + " dimensions");
    tensor_.tensor.dims.push_back(value);
    return ok();
  }

  Result<> take_bytes(std::uint64_t number, std::uint64_t length) {
    const Message in = levels_.back().message;
    if (const auto message = nested(in, number)) return enter(*message, length);
    switch (in) {
      case Message::Model:
        if (number == 2) return keep_text("producer_name", length);
        if (number == 3) return keep_text("producer_version", length);
        if (number == 4) return keep_text("domain", length);
        break;
      case Message::Graph:
        if (number == 2 && levels_.size() == 2) return keep_text("graph", length);
        break;
      case Message::Node:
        if (number == 7) return note_domain(length);
        break;
      case Message::Opset:
        if (number == 1) return into(opset_domain_, length);
        break;
      case Message::Property:
      case Message::ExternalEntry:
        if (number == 1) return into(entry_key_, length);
        if (number == 2) return into(entry_value_, length);
        break;
      case Message::Tensor:
        return take_tensor_bytes(number, length);
      default:
        break;
    }
    return cursor_.skip(length);
  }

  Result<> take_tensor_bytes(std::uint64_t number, std::uint64_t length) {
    constexpr std::uint64_t kDims = 1, kFloats = 4, kInts = 5, kStrings = 6, kInt64s = 7, kName = 8, kRaw = 9,
                            kDoubles = 10, kUint64s = 11;
    switch (number) {
      case kDims: {  // packed, as proto3 writes it
        const std::uint64_t end = cursor_.offset() + length;
        while (cursor_.offset() < end) {
          HM_TRY(const std::uint64_t value, varint());
          HM_TRY(take_dim(value));
        }
        return cursor_.offset() == end ? Result<>(ok()) : bad_file("packed dims end behind their field");
      }
      case kName: {
        if (length > kNameBytesMax) return bad_file("a tensor's name of " + std::to_string(length) + " bytes");
        HM_TRY(tensor_.tensor.name, cursor_.text(length, kNameBytesMax));
        return ok();
      }
      case kRaw:
      case kFloats:
      case kDoubles:  // packed floats and doubles are their bytes
        tensor_.other_form = tensor_.other_form || tensor_.has_range;
        tensor_.has_range = true;
        tensor_.is_packed = number != kRaw;
        if (number == kFloats) packed_type_ = kFloat;
        if (number == kDoubles) packed_type_ = kDouble;
        tensor_.tensor.offset_bytes = cursor_.offset();
        tensor_.tensor.length_bytes = length;
        break;
      case kInts:
      case kStrings:
      case kInt64s:
      case kUint64s:
        tensor_.other_form = true;
        break;
      default:
        break;
    }
    return cursor_.skip(length);
  }

  Result<> enter(Message message, std::uint64_t length) {
    if (levels_.size() == kOnnxDepthMax) return bad_file("messages nest deeper than " + std::to_string(kOnnxDepthMax));
    if (message == Message::Tensor) tensor_ = {};
    if (message == Message::Graph && levels_.size() == 1) has_graph_ = true;
    if (message == Message::Opset) opset_domain_.clear(), opset_version_ = 0;
    if (message == Message::Property || message == Message::ExternalEntry) entry_key_.clear(), entry_value_.clear();
    levels_.push_back({message, cursor_.offset() + length});
    return ok();
  }

  Result<> leave() {
    const Message message = levels_.back().message;
    levels_.pop_back();
    switch (message) {
      case Message::Tensor:
        return finish_tensor();
      case Message::Opset:
        judge_domain(opset_domain_);
        return levels_.size() == 1 ? keep("opset:" + opset_domain_, std::to_string(opset_version_)) : ok();
      case Message::Property:
        return keep(entry_key_, entry_value_);
      case Message::ExternalEntry:
        return take_external();
      default:
        return ok();
    }
  }

  Result<> take_external() {
    if (entry_key_ == "location") {
      tensor_.has_location = true;
      tensor_.tensor.external = entry_value_.substr(0, kPathBytesMax);
    } else if (entry_key_ == "offset") {
      tensor_.offset = entry_value_;
    } else if (entry_key_ == "length") {
      tensor_.length = entry_value_;
    } else if (entry_key_ != "checksum" && entry_key_ != "basepath") {
      out_.findings.note("external data has the unknown key \"" + printable(entry_key_.substr(0, 128)) + "\"");
    }
    return ok();
  }

  Result<> finish_tensor() {
    if (out_.tensors.size() == kTensorsMax) return bad_file("more than " + std::to_string(kTensorsMax) + " tensors");
    Tensor tensor = std::move(tensor_.tensor);
    const bool known = tensor_.data_type < kDataTypes.size();
    tensor.dtype =
        known ? std::string(kDataTypes[tensor_.data_type].name) : "type " + std::to_string(tensor_.data_type);
    if (!known)
      out_.findings.note(tensor_called(tensor.name) + " has the unknown type " + std::to_string(tensor_.data_type));
    std::optional<std::uint64_t> needed;
    if (known && kDataTypes[tensor_.data_type].bits != 0) {
      HM_TRY(needed, within(tensor_bytes({1, kDataTypes[tensor_.data_type].bits}, tensor.dims, 0),
                            [&] { return "reading " + tensor_called(tensor.name); }));
    }
    if (tensor_.is_external || tensor_.has_location) {
      place_external(tensor, needed);
    } else if (!tensor_.has_range || tensor_.other_form || (tensor_.is_packed && tensor_.data_type != packed_type_)) {
      tensor.placement = Placement::Opaque;
      tensor.offset_bytes = tensor.length_bytes = 0;
      if (needed == 0U && !tensor_.has_range && !tensor_.other_form)
        tensor.placement = Placement::InFile;  // of no element
    } else if (needed && *needed != tensor.length_bytes) {
      out_.findings.note(tensor_called(tensor.name) + " has " + std::to_string(tensor.length_bytes) +
                         " bytes; its dims need " + std::to_string(*needed));
    }
    out_.tensors.push_back(std::move(tensor));
    return ok();
  }

  void place_external(Tensor& tensor, std::optional<std::uint64_t> needed) {
    const std::string who = tensor_called(tensor.name);
    tensor.placement = Placement::External;
    if (!is_contained_path(tensor.external))
      out_.findings.note("the external data of " + who + " leaves the folder: \"" + printable(tensor.external) + "\"");
    const auto offset = tensor_.offset.empty() ? 0 : parse_u64(tensor_.offset);
    const auto length = tensor_.length.empty() ? needed : parse_u64(tensor_.length);
    if (!offset || *offset > kExternalBytesMax)
      out_.findings.note("the external data of " + who + " has the offset \"" +
                         printable(tensor_.offset.substr(0, 64)) + "\"");
    if ((!length && !tensor_.length.empty()) || length.value_or(0) > kExternalBytesMax)
      out_.findings.note("the external data of " + who + " has the length \"" +
                         printable(tensor_.length.substr(0, 64)) + "\"");
    else if (needed && length && *length != *needed)
      out_.findings.note("the external data of " + who + " has " + std::to_string(*length) + " bytes; its dims need " +
                         std::to_string(*needed));
    tensor.offset_bytes = offset.value_or(0);
    tensor.length_bytes = length.value_or(0);
  }

  Result<> into(std::string& text, std::uint64_t length) {
    HM_TRY(text, cursor_.text(length, kMetadataTextBytesMax));
    return ok();
  }
  Result<> keep_text(std::string key, std::uint64_t length) {
    HM_TRY(const std::string text, cursor_.text(length, kMetadataTextBytesMax));
    return keep(std::move(key), text);
  }
  Result<> keep(std::string key, std::string_view value) {
    if (out_.metadata.size() == kMetadataMax)
      return bad_file("more than " + std::to_string(kMetadataMax) + " properties");
    key.resize(std::min(key.size(), kNameBytesMax));
    Metadata entry{.key = std::move(key), .type = "string"};
    keep_value(out_, entry, value);
    out_.metadata.push_back(std::move(entry));
    return ok();
  }

  Result<> note_domain(std::uint64_t length) {
    HM_TRY(const std::string domain, cursor_.text(length, kNameBytesMax));
    judge_domain(domain);
    return ok();
  }
  void judge_domain(const std::string& domain) {
    auto within_domain = [&](std::string_view own) {
      return domain.starts_with(own) && (domain.size() == own.size() || domain[own.size()] == '.');
    };
    if (domain.empty() || within_domain("ai.onnx") || within_domain("com.microsoft")) return;
    out_.findings.note("operators of the domain \"" + printable(domain.substr(0, 128)) + "\", which is not ONNX's");
  }

  ByteCursor cursor_;
  ModelHeader& out_;
  std::vector<Level> levels_;
  TensorState tensor_;
  std::uint64_t packed_type_ = 0, opset_version_ = 0;
  std::string opset_domain_, entry_key_, entry_value_;
  bool has_graph_ = false;
};
}  // namespace

Result<> read_onnx(const ByteSource& source, ModelHeader& into) { return Walk(source, into).run(); }
}  // namespace hm::provenance::formats
