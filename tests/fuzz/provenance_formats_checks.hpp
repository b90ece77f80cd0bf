// tests/fuzz/provenance_formats_checks.hpp: what must hold of every header that was read, and of every file's claims,
// whatever the bytes were. Tests only.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "provenance/formats/claims.hpp"
#include "provenance/formats/model_header.hpp"
#include "provenance/formats/tensor_digests.hpp"

namespace hm::provenance::formats {
/// A claim beyond the input is none; a refusal is one of the input.
inline void check_header(const ByteSource& source, const ModelHeader& header, const Result<>& read) {
  if (!read && read.assume_error().code != Errc::BadInput) std::abort();
  const std::uint64_t size = source.size_bytes();
  for (const Tensor& tensor : header.tensors)
    if (tensor.placement == Placement::InFile &&
        (tensor.offset_bytes > size || tensor.length_bytes > size - tensor.offset_bytes))
      std::abort();
  std::uint64_t kept = 0;
  for (const Metadata& entry : header.metadata)
    for (const std::string& value : entry.values) kept += value.size();
  if (kept > kMetadataBytesMax || header.findings.list().size() > kFindingsMax) std::abort();
  const auto digests = digest_tensors(source, header.tensors, {.typed = true, .value32 = true});
  if (!digests && digests.assume_error().code != Errc::BadInput) std::abort();
}
/// Claims are printable, bounded, and survive being stored.
inline void check_claims(std::string_view path, const ByteSource& source) {
  const auto claims = read_claims(path, source);
  if (!claims || claims.assume_value().claims.size() > kClaimsMax) std::abort();
  for (const Claim& claim : claims.assume_value().claims)
    if (claim.text.empty() || claim.text != printable(claim.text) || claim.field != printable(claim.field))
      std::abort();
  const auto again = parse_claims(render_claims(claims.assume_value()));
  if (!again || again.assume_value() != claims.assume_value()) std::abort();
}
}  // namespace hm::provenance::formats
