// provenance/formats/json_files.hpp: small JSON and YAML files of a model repository, and what they claim. Layer 4;
// pure but for the source. They are read as events under a budget (tree_events.hpp); of what is not asked for, nothing
// is kept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/claims.hpp"

namespace hm::provenance::formats {
enum class TextFile : std::uint8_t {
  AdapterConfig,  ///< adapter_config.json of peft
  Config,         ///< config.json and others ending in it (tokenizer_config.json, preprocessor_config.json, …)
  ModelIndex,     ///< model_index.json of diffusers
  MergeConfig,    ///< mergekit_config.yml or .yaml
};
/// By the name without its folder; nullopt for files that are none of these.
std::optional<TextFile> text_file_kind(std::string_view name);
std::uint64_t text_bytes_max(TextFile kind);

/// One scalar of a document.
struct Field {
  std::string path;  ///< JSON pointer (RFC 6901): "/models/0/model"
  std::string text;  ///< as written, at most kClaimBytesMax
  bool operator==(const Field&) const = default;
};
inline constexpr std::size_t kFieldsMax = 4'096;

/// Scalars but nulls, of a document whose root is an object, in their order. `wanted` names the keys of the root that
/// are looked into; empty: all. Beyond kFieldsMax none is kept, but counted in `left_out`.
/// @returns BadInput with what is wrong; `into` then holds what was read before. Errors of the source as they come.
Result<> read_json_fields(const ByteSource& source, std::span<const std::string_view> wanted, std::vector<Field>& into,
                          std::uint64_t* left_out = nullptr);
Result<> read_yaml_fields(const ByteSource& source, std::span<const std::string_view> wanted, std::vector<Field>& into,
                          std::uint64_t* left_out = nullptr);

/// Adds what the file claims, also when it breaks in the middle. @returns as above.
Result<> claim_text_file(TextFile kind, const ByteSource& source, FileClaims& into);
}  // namespace hm::provenance::formats
