#include "provenance/audit/shapes.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm::provenance::audit {
using formats::ClaimKind;

namespace {
std::string joined(const std::set<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " or ") + word;
  return out;
}
bool exclude(const std::set<std::string>& a, const std::set<std::string>& b) {
  return !a.empty() && !b.empty() &&
         std::none_of(a.begin(), a.end(), [&](const std::string& word) { return b.contains(word); });
}
std::string differs(std::string_view what, const std::set<std::string>& child, const std::set<std::string>& base) {
  return std::string(what) + " is " + joined(child) + ", that of the base " + joined(base);
}
bool are_far_apart(const std::set<std::string>& a, const std::set<std::string>& b) {
  if (a.size() != 1 || b.size() != 1) return false;
  const auto one = parse_u64(*a.begin()), other = parse_u64(*b.begin());
  return one && other && std::max(*one, *other) / 2 > std::min(*one, *other);
}
}  // namespace

Shape shape_of(const FileFacts& facts) {
  Shape out;
  for (const formats::FileClaims& file : facts.files) {
    const bool is_config = file.file == "config.json", is_gguf = file.file.ends_with(".gguf");
    if (!is_config && !is_gguf) continue;
    for (const formats::Claim& claim : file.claims) {
      const std::string_view field = std::string_view(claim.field).substr(claim.field.rfind('/') + 1);
      if (is_config && claim.kind == ClaimKind::ModelType) out.model_types.insert(ascii_lower(claim.text));
      if (is_config && claim.kind == ClaimKind::Shape && field == "hidden_size") out.hidden_sizes.insert(claim.text);
      if (is_config && claim.kind == ClaimKind::Shape && field == "vocab_size") out.vocab_sizes.insert(claim.text);
      if (is_gguf && claim.kind == ClaimKind::Architecture) out.gguf_architectures.insert(ascii_lower(claim.text));
    }
  }
  return out;
}

std::string exclusion(const Shape& child, const Shape& base) {
  if (exclude(child.model_types, base.model_types)) return differs("model_type", child.model_types, base.model_types);
  if (exclude(child.hidden_sizes, base.hidden_sizes))
    return differs("hidden_size", child.hidden_sizes, base.hidden_sizes);
  if (exclude(child.gguf_architectures, base.gguf_architectures))
    return differs("the architecture of GGUF files", child.gguf_architectures, base.gguf_architectures);
  if (are_far_apart(child.vocab_sizes, base.vocab_sizes))
    return differs("vocab_size", child.vocab_sizes, base.vocab_sizes);
  return {};
}
}  // namespace hm::provenance::audit
