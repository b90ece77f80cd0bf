#include "storage/tensor_rows.hpp"

#include <algorithm>

#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr char kByFile = 0, kByTensor = 1;  // what a key of the family begins with

Error corrupt() {
  return {Errc::Corrupt, "the index holds a malformed row about tensors; run: hubmirror index rebuild"};
}
std::optional<Sha256> digest_of(std::string_view bytes) {
  if (bytes.size() != Sha256::kSize) return std::nullopt;
  Sha256 out;
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}
}  // namespace

namespace key {
std::string digested_file(const Sha256& file) { return std::string(1, kByFile).append(file.view()); }
std::string digested_file(const Sha256& file, const RepoKey& repo_key) {
  return digested_file(file).append(repo(repo_key));
}
std::string tensor(const Sha256& digest) {
  return std::string(1, kByTensor).append(digest.view().substr(0, kTensorPrefixBytes));
}
std::string tensor(const Sha256& digest, const Sha256& file) { return tensor(digest).append(file.view()); }
}  // namespace key

Result<std::optional<Sha256>> digests_document(const Index& index, const Sha256& file,
                                               const std::optional<RepoKey>& repo) {
  std::optional<std::string> value;
  HM_TRY(index.scan(Family::Tensors, repo ? key::digested_file(file, *repo) : key::digested_file(file),
                    [&](std::string_view, std::string_view v) {
                      value = std::string(v);
                      return false;
                    }));
  if (!value) return std::optional<Sha256>();
  const auto document = digest_of(*value);
  if (!document) return corrupt();
  return document;
}

Result<std::vector<RepoKey>> digested_in(const Index& index, const Sha256& file) {
  std::vector<RepoKey> out;
  bool whole = true;
  const std::string prefix = key::digested_file(file);
  HM_TRY(index.scan(Family::Tensors, prefix, [&](std::string_view k, std::string_view) {
    const auto repo = key::parse_repo(k.substr(prefix.size()));
    whole = repo && k.size() == prefix.size() + kRepoKeyBytes;
    if (whole) out.push_back(*repo);
    return whole;
  }));
  if (!whole) return corrupt();
  return out;
}

Result<std::vector<Sha256>> files_with_tensor(const Index& index, const Sha256& digest, std::size_t count_max) {
  std::vector<Sha256> out;
  bool whole = true;
  const std::string prefix = key::tensor(digest);
  HM_TRY(index.scan(Family::Tensors, prefix, [&](std::string_view k, std::string_view) {
    const auto file = digest_of(k.substr(prefix.size()));
    whole = file.has_value();
    if (whole) out.push_back(*file);
    return whole && out.size() < count_max;
  }));
  if (!whole) return corrupt();
  return out;
}
}  // namespace hm::storage
