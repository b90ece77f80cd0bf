// provenance/audit/shapes.hpp: whether the files of two models allow that one is made from the other. Layer 4; pure
// functions.
#pragma once
#include <set>
#include <string>

#include "provenance/file_facts.hpp"

namespace hm::provenance::audit {
/// As the files say; several of one where they disagree, or where a model has parts.
struct Shape {
  std::set<std::string> model_types, hidden_sizes, vocab_sizes;
  std::set<std::string> gguf_architectures;  ///< names of their own: compared with each other only
  bool empty() const { return model_types.empty() && hidden_sizes.empty() && gguf_architectures.empty(); }
};
/// Of config.json at the top, and of GGUF headers.
Shape shape_of(const FileFacts& facts);
/// Why weights of one cannot be those of the other: "hidden_size is 2048, that of the base 4096"; "" when nothing
/// speaks against it. A vocabulary grows when words are added, so it says something only where the one is more than
/// twice the other.
std::string exclusion(const Shape& child, const Shape& base);
}  // namespace hm::provenance::audit
