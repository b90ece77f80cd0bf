// The index of a sharded model comes from strangers: reading it ends, and each shard is named once.
#include <set>

#include "provenance/formats/safetensors.hpp"
#include "tests/fuzz/provenance_formats_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::provenance::formats;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  ShardIndex index;
  const auto read = read_shard_index(source, index);
  if (!read && read.assume_error().code != hm::Errc::BadInput) std::abort();
  if (std::set(index.files.begin(), index.files.end()).size() != index.files.size()) std::abort();
  for (const std::string& file : index.files)
    if (!is_contained_path(file) && index.findings.empty()) std::abort();
  check_claims("model.safetensors.index.json", source);
  return 0;
}
