#include "provenance/formats/claims.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <array>

#include "base/canonical_json.hpp"
#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/formats/gguf.hpp"
#include "provenance/formats/header_claims.hpp"
#include "provenance/formats/json_files.hpp"
#include "provenance/formats/model_header.hpp"
#include "provenance/formats/onnx.hpp"
#include "provenance/formats/safetensors.hpp"

namespace hm::provenance::formats {
namespace {
constexpr auto kKindNames = std::to_array<std::string_view>(
    {"base",    "adapter-base", "merge-parent", "converted-from", "loaded-from",  "base-file-hash",
     "dataset", "licence",      "licence-name", "licence-link",   "remote-code",  "component",
     "part",    "format",       "quantization", "quantized-by",   "architecture", "model-type",
     "shape",   "adapter-type", "merge-method", "producer"});
constexpr std::size_t kFieldBytesMax = 512;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }
constexpr std::string_view kShardIndex = ".safetensors.index.json";
/// Endings count in any case, as where tensors are digested. @param name in lower case
bool is_weight_file(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".gguf") || name.ends_with(".onnx");
}

Result<> read_weight_file(std::string_view name, const ByteSource& source, FileClaims& into) {
  ModelHeader header;
  auto read = name.ends_with(".gguf")   ? read_gguf(source, header)
              : name.ends_with(".onnx") ? read_onnx(source, header)
                                        : read_safetensors(source, header);
  claim_header(header, into);
  return read;
}
Result<> read_index(const ByteSource& source, FileClaims& into) {
  ShardIndex index;
  auto read = read_shard_index(source, index);
  for (const std::string& file : index.files) into.add(ClaimKind::Part, "/weight_map", file);
  for (const std::string& finding : index.findings.list()) into.note(finding);
  return read;
}
}  // namespace

std::string_view name_of(ClaimKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }
std::optional<ClaimKind> parse_claim_kind(std::string_view name) {
  const auto it = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (it == kKindNames.end()) return std::nullopt;
  return static_cast<ClaimKind>(it - kKindNames.begin());
}

void FileClaims::add(ClaimKind kind, std::string_view field, std::string_view text, std::string_view revision) {
  auto clean = [](std::string_view from, std::size_t bytes_max) { return printable(trim(from).substr(0, bytes_max)); };
  Claim claim{kind, file, clean(field, kFieldBytesMax), clean(text, kClaimBytesMax), clean(revision, kClaimBytesMax)};
  const bool known = std::any_of(claims.begin(), claims.end(), [&](const Claim& other) {
    return other.kind == kind && other.text == claim.text && other.revision == claim.revision &&
           (kind != ClaimKind::Shape || other.field == claim.field);
  });
  if (claim.text.empty() || known) return;
  if (claims.size() == kClaimsMax)
    return note("more than " + std::to_string(kClaimsMax) + " claims; the others were left out");
  claims.push_back(std::move(claim));
}

void FileClaims::note(std::string_view finding) {
  Findings all(std::move(findings));
  all.note(finding);
  findings = std::move(all).take();
}

std::string render_claims(const FileClaims& claims) {
  json::array list, findings;
  for (const Claim& claim : claims.claims) {
    json::object one{{"field", claim.field}, {"kind", name_of(claim.kind)}, {"text", claim.text}};
    if (!claim.revision.empty()) one["revision"] = claim.revision;
    list.push_back(std::move(one));
  }
  for (const std::string& finding : claims.findings) findings.emplace_back(finding);
  const json::object all{{"claims", std::move(list)},
                         {"complete", claims.complete},
                         {"file", claims.file},
                         {"findings", std::move(findings)}};
  return canonical_json(all).value();  // printable texts and a bool: nothing that it refuses
}

Result<FileClaims> parse_claims(std::string_view canonical) {
  const Error wrong{Errc::BadInput, "these are no claims of a file as they are stored"};
  HM_TRY(const json::value value, parse_canonical_json(canonical));
  if (!value.is_object()) return wrong;
  const json::object& all = value.get_object();
  const json::value *claims = all.if_contains("claims"), *findings = all.if_contains("findings");
  if (claims == nullptr || !claims->is_array() || findings == nullptr || !findings->is_array()) return wrong;
  FileClaims out;
  out.file = text_of(all, "file");
  out.complete = flag_of(all, "complete");
  for (const json::value& item : claims->get_array()) {
    if (!item.is_object()) return wrong;
    const json::object& one = item.get_object();
    const auto kind = parse_claim_kind(text_of(one, "kind"));
    if (!kind) return wrong;
    out.claims.push_back({*kind, out.file, text_of(one, "field"), text_of(one, "text"), text_of(one, "revision")});
  }
  for (const json::value& item : findings->get_array()) {
    if (!item.is_string()) return wrong;
    out.findings.emplace_back(std::string_view(item.get_string()));
  }
  if (out.claims.size() > kClaimsMax || out.findings.size() > kFindingsMax || render_claims(out) != canonical)
    return wrong;
  return out;
}

bool is_read(std::string_view path, std::uint64_t size_bytes) {
  const std::string name = ascii_lower(base_name(path));
  if (is_weight_file(name)) return size_bytes != 0;
  if (name.ends_with(kShardIndex)) return size_bytes <= kShardIndexBytesMax;
  const auto kind = text_file_kind(base_name(path));
  return kind && size_bytes <= text_bytes_max(*kind);
}

Result<FileClaims> read_claims(std::string_view path, const ByteSource& source) {
  FileClaims out;
  out.file = printable(path);
  const std::string name = ascii_lower(base_name(path));
  const auto kind = text_file_kind(base_name(path));
  const auto read = is_weight_file(name)          ? read_weight_file(name, source, out)
                    : name.ends_with(kShardIndex) ? read_index(source, out)
                    : kind                        ? claim_text_file(*kind, source, out)
                                                  : Result<>(bad_file("no file that is read for claims"));
  if (read) return out;
  if (read.assume_error().code != Errc::BadInput) return read.assume_error();
  out.complete = false;
  out.note(read.assume_error().what);
  return out;
}
}  // namespace hm::provenance::formats
