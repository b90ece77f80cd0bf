#include "provenance/formats/header_claims.hpp"

#include <array>
#include <map>
#include <string_view>

#include "base/text.hpp"
#include "provenance/formats/gguf.hpp"

namespace hm::provenance::formats {
namespace {
struct KeyClaim {
  std::string_view key;
  ClaimKind kind;
};

void claim_keys(const ModelHeader& header, std::span<const KeyClaim> keys, FileClaims& into) {
  for (const auto& [key, kind] : keys)
    if (const Metadata* const entry = find_metadata(header, key))
      for (const std::string& value : entry->values) into.add(kind, key, value);
}

/// `<prefix><i>.<what>`: of each i the strongest of what says which repository it is.
void claim_numbered(const ModelHeader& header, std::string_view prefix, ClaimKind kind, FileClaims& into) {
  static constexpr std::array<std::string_view, 4> kStrongestFirst{"repo_url", "url", "doi", "name"};
  std::map<std::uint64_t, std::pair<std::size_t, const Metadata*>> best;
  for (const Metadata& entry : header.metadata) {
    if (!std::string_view(entry.key).starts_with(prefix) || entry.values.size() != 1) continue;
    const std::string_view rest = std::string_view(entry.key).substr(prefix.size());
    const std::size_t dot = rest.find('.');
    const auto index = parse_u64(rest.substr(0, dot));
    if (!index || dot == rest.npos) continue;
    for (std::size_t rank = 0; rank < kStrongestFirst.size(); ++rank)
      if (rest.substr(dot + 1) == kStrongestFirst[rank]) {
        const auto [it, is_new] = best.try_emplace(*index, rank, &entry);
        if (!is_new && rank < it->second.first) it->second = {rank, &entry};
      }
  }
  for (const auto& [index, found] : best) into.add(kind, found.second->key, found.second->values.front());
}

void claim_gguf(const ModelHeader& header, FileClaims& into) {
  static constexpr auto kKeys = std::to_array<KeyClaim>({{"general.architecture", ClaimKind::Architecture},
                                                         {"general.license", ClaimKind::Licence},
                                                         {"general.license.name", ClaimKind::LicenceName},
                                                         {"general.license.link", ClaimKind::LicenceLink},
                                                         {"general.datasets", ClaimKind::Dataset},
                                                         {"general.quantized_by", ClaimKind::QuantizedBy}});
  claim_keys(header, kKeys, into);
  claim_numbered(header, "general.base_model.", ClaimKind::Base, into);
  claim_numbered(header, "general.dataset.", ClaimKind::Dataset, into);
  for (const std::string_view key : {"general.source.repo_url", "general.source.url", "general.source.doi"})
    if (const std::string_view source = metadata_text(header, key); !source.empty()) {
      into.add(ClaimKind::ConvertedFrom, key, source);
      break;
    }
  constexpr std::string_view kFileType = "general.file_type";
  if (const auto number = parse_u64(metadata_text(header, kFileType)))
    if (const std::string_view name = gguf_file_type(*number); is_gguf_quantized(name))
      into.add(ClaimKind::Quantization, kFileType, name);
}

void claim_safetensors(const ModelHeader& header, FileClaims& into) {
  static constexpr auto kKeys = std::to_array<KeyClaim>({{"license", ClaimKind::Licence},
                                                         {"modelspec.license", ClaimKind::Licence},
                                                         {"modelspec.merged_from", ClaimKind::MergeParent},
                                                         {"modelspec.architecture", ClaimKind::Architecture},
                                                         {"ss_base_model_version", ClaimKind::Architecture},
                                                         {"ss_sd_model_name", ClaimKind::Base},
                                                         {"ss_new_sd_model_hash", ClaimKind::BaseFileHash}});
  claim_keys(header, kKeys, into);
}

void claim_onnx(const ModelHeader& header, FileClaims& into) {
  const std::string producer = std::string(metadata_text(header, "producer_name")) + " " +
                               std::string(metadata_text(header, "producer_version"));
  into.add(ClaimKind::Producer, "producer_name", producer);
  for (const Tensor& tensor : header.tensors)
    if (tensor.placement == Placement::External) into.add(ClaimKind::Part, "external_data", tensor.external);
}
}  // namespace

void claim_header(const ModelHeader& header, FileClaims& into) {
  for (const std::string& finding : header.findings.list()) into.note(finding);
  if (header.format.empty()) return;
  const std::string detail =
      header.format == "safetensors" ? std::string(metadata_text(header, "format")) : std::to_string(header.version);
  into.add(ClaimKind::Format, "", header.format + (detail.empty() ? "" : " " + detail));
  if (header.big_endian) into.note("the file is big-endian: its tensors' bytes differ from those of all other copies");
  if (header.format == "gguf") claim_gguf(header, into);
  if (header.format == "safetensors") claim_safetensors(header, into);
  if (header.format == "onnx") claim_onnx(header, into);
}
}  // namespace hm::provenance::formats
