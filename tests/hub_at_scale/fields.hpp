// tests/hub_at_scale/fields.hpp: what a row can hold, and how it is written. Not thread-safe: World has the lock.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/hub_at_scale/store.hpp"

namespace hm::test::scale {
/// In the order in which they are written. Their names are the Hub's: "baseModels", "model-index", ….
enum class Field : std::uint8_t {
  ModelId,
  Author,
  Sha,
  LastModified,
  Private,
  Disabled,
  Gated,
  Downloads,
  DownloadsAllTime,
  Likes,
  TrendingScore,
  Tags,
  PipelineTag,
  LibraryName,
  CreatedAt,
  Sdk,
  Description,
  Citation,
  PaperswithcodeId,
  ModelIndex,
  Config,
  CardData,
  BaseModels,
  ChildrenModelCount,
  EvalResults,
  Gguf,
  Inference,
  InferenceProviderMapping,
  MaskToken,
  ResourceGroup,
  Safetensors,
  Siblings,
  Spaces,
  TransformersInfo,
  UsedStorage,
  WidgetData,
  XetEnabled,
  MainSize,
  Datasets,
  Models,
  Region,
  Runtime,
  Subdomain,
  Count,
};
class Fields {
 public:
  constexpr Fields() = default;
  template <class... F>
  static constexpr Fields of(F... fields) {
    Fields all;
    (all.add(fields), ...);
    return all;
  }
  constexpr void add(Field f) { bits_ |= std::uint64_t{1} << static_cast<unsigned>(f); }
  constexpr bool has(Field f) const { return (bits_ >> static_cast<unsigned>(f) & 1) != 0; }
  constexpr Fields operator|(Fields other) const { return Fields(bits_ | other.bits_); }

 private:
  explicit constexpr Fields(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits_ = 0;
};

/// A value of `expand` that this kind knows.
std::optional<Field> parse_expand(RepoKind kind, std::string_view name);
/// `Invalid option: expected one of "author"|"baseModels"|…`
std::string expand_refusal(RepoKind kind);
Fields default_fields(RepoKind kind);  ///< of a row of a listing
Fields full_fields(RepoKind kind);     ///< with full=true
Fields info_fields(RepoKind kind);     ///< of one repository

/// What rows have besides their fields.
struct RowStyle {
  bool with_rid = true;        ///< `_id`, also in baseModels
  std::string_view head = {};  ///< the revision that was asked for, when it is not the newest
  bool sizes = false;          ///< of siblings: size, and what LFS says of it
};
/// Appends the JSON object. Left out, as the Hub leaves out what does not apply: childrenModelCount, evalResults,
/// inference, inferenceProviderMapping, mask_token, resourceGroup, spaces, transformersInfo, widgetData, runtime.
void append_row(std::string& out, const Store& store, std::uint32_t slot, Fields fields, const RowStyle& style);
/// Appends the JSON array of the tags, without blanks.
void append_tags(std::string& out, const Store& store, std::uint32_t slot);
/// "2026-09-22T17:25:10.000Z"
void append_time(std::string& out, std::uint32_t unix_s);
}  // namespace hm::test::scale
