#include "provenance/audit/same_files.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "storage/key_space.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::audit {
namespace key = storage::key;
using storage::Family;

Result<std::string> path_of(const storage::Index& index, const Sha256& file, const storage::FileHolder& holder) {
  if (!holder.commit) return holder.path;
  HM_TRY(const auto bytes, index.get(Family::Snapshots, key::snapshot(holder.repo, *holder.commit)));
  if (!bytes) return std::string();
  HM_TRY(const auto snapshot, storage::unpack_snapshot(*bytes));
  HM_TRY(const auto packed, index.get(Family::Manifests, snapshot.manifest.view()));
  if (!packed) return std::string();
  HM_TRY(const auto manifest, storage::unpack_manifest(*packed, snapshot.manifest));
  for (const storage::ManifestFile& one : manifest.files)
    if (one.sha256 == file) return one.path;
  return std::string();
}

bool is_weight_file(std::string_view path) {
  static constexpr auto kEndings =
      std::to_array<std::string_view>({".safetensors", ".gguf", ".onnx", ".bin", ".pt", ".pth", ".ckpt", ".h5",
                                       ".keras", ".msgpack", ".npz", ".tflite", ".nemo", ".pdparams", ".mlmodel"});
  const std::string lower = ascii_lower(path);
  const std::string_view name = std::string_view(lower).substr(lower.rfind('/') + 1);
  // What trainers leave beside the weights is no model.
  if (name == "training_args.bin" || name.starts_with("optimizer.") || name.starts_with("scheduler.") ||
      name.starts_with("rng_state"))
    return false;
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}
}  // namespace hm::provenance::audit
