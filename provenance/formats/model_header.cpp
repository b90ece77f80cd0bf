#include "provenance/formats/model_header.hpp"

#include <algorithm>

#include "base/ids.hpp"
#include "base/text.hpp"

namespace hm::provenance::formats {
void Findings::note(std::string_view text) {
  constexpr std::string_view kMore = "and more of the kind";
  if (list_.size() >= kFindingsMax) return;
  std::string clean =
      list_.size() + 1 == kFindingsMax ? std::string(kMore) : printable(text.substr(0, kFindingBytesMax));
  if (std::find(list_.begin(), list_.end(), clean) == list_.end()) list_.push_back(std::move(clean));
}

void keep_value(ModelHeader& header, Metadata& entry, std::string_view value) {
  const std::size_t room =
      std::min<std::size_t>(kMetadataTextBytesMax, kMetadataBytesMax - static_cast<std::size_t>(header.metadata_bytes));
  entry.cut = entry.cut || value.size() > room;
  entry.values.emplace_back(value.substr(0, room));
  header.metadata_bytes += entry.values.back().size();
}

const Metadata* find_metadata(const ModelHeader& header, std::string_view key) {
  const auto it = std::find_if(header.metadata.begin(), header.metadata.end(), [&](auto& m) { return m.key == key; });
  return it == header.metadata.end() ? nullptr : &*it;
}

std::string_view metadata_text(const ModelHeader& header, std::string_view key) {
  const Metadata* const entry = find_metadata(header, key);
  return entry != nullptr && entry->values.size() == 1 ? std::string_view(entry->values.front()) : std::string_view();
}

namespace {
/// By sorting pointers: a set would hold every name a second time.
template <class Item>
const std::string* duplicate_of(const std::vector<Item>& items, std::string Item::* name) {
  std::vector<const std::string*> names;
  names.reserve(items.size());
  for (const Item& item : items) names.push_back(&(item.*name));
  std::sort(names.begin(), names.end(), [](auto* a, auto* b) { return *a < *b; });
  const auto it = std::adjacent_find(names.begin(), names.end(), [](auto* a, auto* b) { return *a == *b; });
  return it == names.end() ? nullptr : *it;
}
}  // namespace

const std::string* duplicate_name(const std::vector<Tensor>& tensors) { return duplicate_of(tensors, &Tensor::name); }
const std::string* duplicate_key(const std::vector<Metadata>& metadata) {
  return duplicate_of(metadata, &Metadata::key);
}

Result<std::uint64_t> tensor_bytes(TypeSize type, std::span<const std::uint64_t> dims, std::size_t innermost) {
  std::uint64_t elements = 1;
  for (const std::uint64_t dim : dims)
    if (__builtin_mul_overflow(elements, dim, &elements)) return bad_file("the number of its elements overflows");
  if ((dims.empty() ? 1 : dims[innermost]) % type.elements != 0)
    return bad_file("a row of it is no whole number of blocks of " + std::to_string(type.elements));
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(elements / type.elements, std::uint64_t{type.bits}, &bits))
    return bad_file("the number of its bits overflows");
  return bits / 8 + (bits % 8 != 0 ? 1 : 0);
}

std::string tensor_called(std::string_view name) { return "tensor \"" + printable(name.substr(0, 128)) + "\""; }
Error bad_file(std::string what) { return {Errc::BadInput, std::move(what)}; }

bool is_contained_path(std::string_view path) {
  return is_safe_repo_path(path) && path.find_first_of("\\:") == path.npos;
}
}  // namespace hm::provenance::formats
