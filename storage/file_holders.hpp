// storage/file_holders.hpp: who has a file with these bytes: published revisions, and what the Hub told of others.
// Layer
// 3. Threads: safe; calls block on the index.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
struct FileHolder {
  RepoKey repo;
  std::uint64_t size_bytes = 0;
  bool published = false;        ///< verified here; else as the Hub told
  std::optional<Commit> commit;  ///< of a published revision
  std::string path;              ///< as the Hub told; "" for published ones, whose manifest has it
  std::string revision;          ///< as the Hub was asked; "" = the default branch
};
/// Large files only, published ones first, each by repository, until `visit` returns false. @returns Corrupt.
Result<> each_holder(const Index& index, const Sha256& file, const std::function<bool(const FileHolder&)>& visit);
}  // namespace hm::storage
