// mirror/git/store_check.hpp: re-reads and re-hashes a whole object store, years after it was written. Layer 4; private
// to this folder. Threads: blocks for as long as reading every byte takes; reads only.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "mirror/git/fetch.hpp"

namespace hm::mirror {
/// Every pack and index file against its checksum, every object against its name, every link and every ref against what
/// is there; begins again when packs came or went meanwhile (mirror/git/repack.hpp). `report` gets each problem with
/// the object it concerns (a null id for a whole file). @returns how many objects were read.
Result<std::uint64_t> check_store(const std::string& repository_path, const RefMap& refs,
                                  const std::function<void(const GitOid&, const std::string& problem)>& report);
}  // namespace hm::mirror
