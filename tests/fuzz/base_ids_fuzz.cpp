// Names of repositories as people write them: an accepted one is valid, and its own text means the same again.
#include <cstdint>
#include <cstdlib>

#include "base/ids.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto spec = hm::parse_repo_spec(text)) {
    const hm::RepoSpec& read = spec.assume_value();
    if (!hm::is_valid_repo_name(read.repo.name)) std::abort();
    if (read.revision && (read.revision->empty() || read.revision->find("..") != std::string::npos)) std::abort();
    // Only a model whose namespace is a kind's word needs "models/" in front to be understood.
    const bool ambiguous = read.repo.name.starts_with("models/") || read.repo.name.starts_with("datasets/") ||
                           read.repo.name.starts_with("spaces/");
    const auto again = hm::parse_repo_spec(read.repo.text());
    if (!ambiguous && (!again || again.assume_value().repo != read.repo)) std::abort();
  }
  if (hm::is_safe_repo_path(text) && (text.front() == '/' || text.find("/../") != text.npos || text.ends_with("/..")))
    std::abort();
  if (const auto rid = hm::Rid::parse(text); rid && rid->text() != text) std::abort();
  return 0;
}
