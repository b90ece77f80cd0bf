// provenance/formats/onnx.hpp: an ONNX model (protobuf) as far as lineage asks: its tensors wherever they hide, where
// external data is said to lie, who made it, whose operators it calls. Layer 4; pure but for the source.
//
// A walk over the wire format with a stack of its own; payload is skipped, not read.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/model_header.hpp"

namespace hm::provenance::formats {
inline constexpr std::size_t kOnnxDepthMax = 100;            ///< messages within messages
inline constexpr std::uint64_t kOnnxFieldsMax = 20'000'000;  ///< fields looked at; old files hold one for each value

/// Findings: external data outside the folder or of an impossible range, unknown keys of external data, operators of
/// domains that are neither ONNX's nor its runtime's, payload whose size differs from what its dims need.
/// Metadata: producer_name, producer_version, domain, model_version, graph, `opset:<domain>`, the model's own
/// properties.
/// @returns BadInput with the offset of the field; `into` then holds what was read before. Errors of the source as they
/// come.
Result<> read_onnx(const ByteSource& source, ModelHeader& into);
}  // namespace hm::provenance::formats
