#include "tests/hub_at_scale/plant_licences.hpp"

#include <array>
#include <string_view>

#include "base/check.hpp"

namespace hm::test::scale {
namespace {
constexpr std::uint32_t kRoot = kNobody;
struct Planted {
  std::string_view licence;
  std::uint32_t parent = kRoot;  ///< place in the group
  Relation relation = Relation::Finetune;
  std::string_view outcome, decision;
  std::vector<std::string_view> rules;
};
/// Bases are declared, so conflicts are possible ones.
const std::array<Planted, kPlantedGroup>& group() {
  using enum Relation;
  static const std::array<Planted, kPlantedGroup> kAll{{
      {"cc-by-nc-4.0", kRoot, Finetune, "restricted", "refused", {}},
      {"apache-2.0", 0, Finetune, "possible conflict", "refused", {"non-commercial-dropped"}},
      {"", 0, Quantized, "possible conflict", "refused", {"non-commercial-dropped", "licence-unknown"}},
      // washed off in the middle, found at the leaf
      {"mit", 2, Finetune, "possible conflict", "refused", {"non-commercial-dropped", "base-licence-unknown"}},
      {"apache-2.0", 0, Adapter, "restricted", "refused", {"applies-in-use"}},
      {"cc-by-nc-4.0", 0, Finetune, "restricted", "refused", {}},
      {"llama3", kRoot, Finetune, "restricted", "refused", {"user-ceiling"}},
      {"llama3", 6, Quantized, "restricted", "refused", {"user-ceiling", "name-rule"}},
      {"mit", 6, Finetune, "possible conflict", "refused", {"community-terms-dropped", "user-ceiling", "name-rule"}},
      {"apache-2.0", kRoot, Finetune, "compatible", "accepted", {}},
      {"apache-2.0", 9, Finetune, "compatible", "accepted", {}},
      {"", 9, Merge, "unknown", "undecided", {"notice-dropped", "licence-unknown"}},
      {"creativeml-openrail-m", kRoot, Finetune, "restricted", "refused", {}},
      {"mit", 12, Finetune, "possible conflict", "refused", {"use-restrictions-dropped"}},
      {"cc-by-sa-4.0", kRoot, Finetune, "compatible", "refused", {}},
      {"cc-by-4.0", 14, Finetune, "possible conflict", "refused", {"share-alike-lost"}},
      {"", kRoot, Finetune, "unknown", "undecided", {"licence-unknown"}},
      {"mit", 16, Finetune, "unknown", "undecided", {"base-licence-unknown"}},
      {"mit", kRoot, Finetune, "compatible", "refused", {"training-data-term"}},  // on data for non-commercial use
      {"other", kRoot, Finetune, "unknown", "undecided", {"licence-unknown"}},
  }};
  return kAll;
}
constexpr std::uint32_t kTrained = 18;

std::uint8_t number_of(std::string_view licence) {
  for (std::size_t i = 0; i < kLicences.size(); ++i)
    if (kLicences[i].id == licence) return static_cast<std::uint8_t>(i);
  HM_CHECK(false);
  return 0;
}
}  // namespace

PlantedLicences planted_licences(const Scale& scale) {
  PlantedLicences out;
  const std::uint64_t groups = scale.models / kPlantedGroup;
  for (const Planted& one : group()) {
    out.outcomes[std::string(one.outcome)] += groups;
    out.decisions[std::string(one.decision)] += groups;
    for (const std::string_view rule : one.rules) out.rules[std::string(rule)] += groups;
  }
  return out;
}

std::optional<std::uint32_t> planted_dataset_of(const Scale& scale, std::uint32_t slot) {
  if (slot >= scale.models || slot % kPlantedGroup != kTrained) return std::nullopt;
  return slots_of(scale, RepoKind::Dataset).first + slot / kPlantedGroup;
}

void plant_lineages(const Scale& scale, std::vector<Repo>& repos) {
  HM_CHECK(scale.models % kPlantedGroup == 0 && scale.datasets >= scale.models / kPlantedGroup);
  for (std::uint32_t slot = 0; slot < scale.models; ++slot) {
    const Planted& planted = group()[slot % kPlantedGroup];
    if (planted.parent == kRoot) continue;
    repos[slot].parent = slot - slot % kPlantedGroup + planted.parent;
    repos[slot].relation = planted.relation;
  }
}

void plant_licences(const Scale& scale, std::vector<Repo>& repos) {
  for (std::uint32_t slot = 0; slot < scale.models; ++slot) {
    repos[slot].licence = number_of(group()[slot % kPlantedGroup].licence);
    if (const auto dataset = planted_dataset_of(scale, slot)) repos[*dataset].licence = number_of("cc-by-nc-4.0");
  }
}
}  // namespace hm::test::scale
