// provenance/formats/claims.hpp: what the files of a revision claim about its lineage, licence, code and form, in one
// shape whatever file says it. Layer 4; pure but for the source.
//
// Claims are their author's words: names, URLs, local paths, as written; nothing is resolved, checked or believed here.
// docs/formats/model_files.md says what each file can claim and what each kind means.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"

namespace hm::provenance::formats {
/// Stored by name.
enum class ClaimKind : std::uint8_t {
  Base,           ///< a model that this one was made from
  AdapterBase,    ///< the model that this adapter is applied to
  MergeParent,    ///< a model that was merged into this one
  ConvertedFrom,  ///< the model that this file is a conversion or quantisation of
  LoadedFrom,     ///< where the writer loaded from: base, the repository itself, or a path; weak
  BaseFileHash,   ///< SHA-256 of the file that training began with
  Dataset,        ///< a data set that it was trained on
  Licence,
  LicenceName,
  LicenceLink,
  RemoteCode,    ///< code that a loader runs: "module.Class", or "owner/repo--module.Class" from another repository
  Component,     ///< of a pipeline, in the folder that the field names: "library.Class"
  Part,          ///< another file that this one needs; an untrusted path
  Format,        ///< "gguf 3", "safetensors pt", "onnx 8"
  Quantization,  ///< "gptq 4 bits", "Q4_K_M"
  QuantizedBy,   ///< who did it
  Architecture,  ///< class or family: "LlamaForCausalLM", "llama"
  ModelType,     ///< model_type of transformers
  Shape,         ///< a size that tells architectures apart; the field says which
  AdapterType,   ///< "LORA"
  MergeMethod,   ///< "ties"
  Producer,      ///< the program that wrote the file
};
std::string_view name_of(ClaimKind kind);
std::optional<ClaimKind> parse_claim_kind(std::string_view name);

struct Claim {
  ClaimKind kind = ClaimKind::Base;
  std::string file;      ///< path in the repository, printable
  std::string field;     ///< where in the file: a JSON pointer, a GGUF key, …; printable
  std::string text;      ///< as written, printable, at most kClaimBytesMax before escapes
  std::string revision;  ///< of what `text` names; "" when not said
  bool operator==(const Claim&) const = default;
};
inline constexpr std::size_t kClaimsMax = 256;  ///< of one file
inline constexpr std::size_t kClaimBytesMax = 1'024;

struct FileClaims {
  std::string file;
  bool complete = true;  ///< false: the file is broken, see findings; claims read before the break are kept
  std::vector<Claim> claims;
  std::vector<std::string> findings;  ///< bounded as Findings
  bool operator==(const FileClaims&) const = default;

  /// Cleans and keeps a claim unless its text is empty, the same is there, or the bound is reached, which is a finding.
  void add(ClaimKind kind, std::string_view field, std::string_view text, std::string_view revision = {});
  void note(std::string_view finding);
};

/// Canonical JSON (base/canonical_json.hpp); format in docs/formats/model_files.md.
std::string render_claims(const FileClaims& claims);
/// Exactly what render_claims writes; BadInput otherwise.
Result<FileClaims> parse_claims(std::string_view canonical);

/// True for the files of a revision that read_claims reads: weight files of any size, small texts up to a bound.
bool is_read(std::string_view path, std::uint64_t size_bytes);
/// Reads one file for which is_read() holds. A broken file yields what was read before the break and a finding.
/// @returns only what the source answers: it could not deliver.
Result<FileClaims> read_claims(std::string_view path, const ByteSource& source);
}  // namespace hm::provenance::formats
