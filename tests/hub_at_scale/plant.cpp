#include "tests/hub_at_scale/plant.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "tests/hub_at_scale/draws.hpp"

namespace hm::test::scale {
static_assert(static_cast<int>(Relation::Merge) == 3);
namespace {
constexpr std::uint64_t kMeanDownloads = 1'000, kHeadPermille = 496, kHeadFraction = 10'000, kHeadMax = 200;
constexpr std::uint32_t kTail = 200;  // downloads that half of the models do not have
constexpr std::array<std::uint64_t, 3> kFamilies{113'000, 72'000, 46'000};
constexpr std::uint64_t kModelsOfReport = 2'300'000, kDatasetsOfReport = 500'000;
constexpr std::uint64_t kRobotics2024 = 1'145, kRobotics2025 = 26'991;
constexpr std::uint32_t kEndOf2024S = 1'735'689'600, kEndOf2025S = 1'767'225'600;
constexpr std::size_t kOwners = 5;

std::uint64_t in_proportion(std::uint64_t count, std::uint64_t of, std::uint64_t whole) {
  return (count * of + whole / 2) / whole;
}
/// The n-th of the first: those with the most downloads, of the first owner and the last in turn.
std::uint32_t head_slot(std::uint64_t n) {
  return static_cast<std::uint32_t>(n / 2 * kOwners + (n % 2 == 0 ? 0 : kOwners - 1));
}
/// `sum` in parts that differ by one at most.
std::uint32_t even_part(std::uint64_t sum, std::uint64_t parts, std::uint64_t n) {
  return static_cast<std::uint32_t>(sum / parts + (n < sum % parts ? 1 : 0));
}
}  // namespace

const std::array<PlantedOwner, 5>& planted_owners() {
  static constexpr std::array<PlantedOwner, kOwners> kAll{{{"basalt-works", "CN", "industry", 300},
                                                           {"cedar-institute", "CN", "academic", 110},
                                                           {"harbor-inc", "US", "industry", 70},
                                                           {"lagoon-university", "US", "academic", 130},
                                                           {"kestrel-collective", "", "independent", 390}}};
  return kAll;
}
const PlantedOwner& planted_owner_of(std::uint32_t slot) { return planted_owners()[slot % kOwners]; }

std::string planted_origins() {
  std::string out = "owner,entity,jurisdiction,sector,source,read,note\n";
  for (const PlantedOwner& owner : planted_owners()) {
    for (const std::string_view part : {owner.name, std::string_view(), owner.jurisdiction, owner.sector,
                                        std::string_view("https://planted.example"), std::string_view("2026-11-28")})
      out.append(part).append(",");
    out += "planted\n";
  }
  return out;
}

Planted planted(const Scale& scale) {
  Planted out;
  out.downloads = kMeanDownloads * scale.models;
  out.head = std::clamp<std::uint64_t>((scale.models + kHeadFraction / 2) / kHeadFraction, 1, kHeadMax);
  out.head_downloads = out.downloads / 1'000 * kHeadPermille;
  out.below_200 = scale.models / 2;
  for (std::size_t f = 0; f < kFamilies.size(); ++f)
    out.descendants[f] = in_proportion(kFamilies[f], scale.models, kModelsOfReport);
  if (scale.family != 0) out.descendants[0] = scale.family;
  for (std::size_t f = 0; f < kFamilies.size(); ++f)
    out.depth[f] = std::min<std::uint64_t>(out.descendants[f], scale.depth);
  out.robotics_2024 = in_proportion(kRobotics2024, scale.datasets, kDatasetsOfReport);
  out.robotics_2025 = in_proportion(kRobotics2025, scale.datasets, kDatasetsOfReport);
  return out;
}

std::uint32_t planted_root(std::size_t family) { return head_slot(family); }

std::string render_json(const Planted& truth) {
  std::string out = "{";
  const auto add = [&](std::string_view name, const std::string& value) {
    ((out += out.size() > 1 ? ",\"" : "\"") += name) += "\":" + value;
  };
  const auto list = [](const std::array<std::uint64_t, 3>& numbers) {
    std::string text;
    for (const std::uint64_t n : numbers) text += (text.empty() ? "[" : ",") + std::to_string(n);
    return text + "]";
  };
  add("downloads", std::to_string(truth.downloads));
  add("head", std::to_string(truth.head));
  add("head_downloads", std::to_string(truth.head_downloads));
  add("below_200", std::to_string(truth.below_200));
  add("descendants", list(truth.descendants));
  add("depth", list(truth.depth));
  add("robotics_2024", std::to_string(truth.robotics_2024));
  add("robotics_2025", std::to_string(truth.robotics_2025));
  std::string owners;
  for (const PlantedOwner& owner : planted_owners()) {
    owners += owners.empty() ? "[" : ",";
    for (const auto& [name, value] : {std::pair{"{\"name\":\"", owner.name},
                                      {"\",\"jurisdiction\":\"", owner.jurisdiction},
                                      {"\",\"sector\":\"", owner.sector}})
      owners.append(name).append(value);
    owners += "\",\"downloads\":" + std::to_string(truth.downloads / 1'000 * owner.permille) + "}";
  }
  add("owners", owners + "]");
  return out + "}";
}

std::optional<std::string> why_not_planted(const Scale& scale) {
  const Planted truth = planted(scale);
  if (scale.models < kPlantedModelsMin)
    return "planted figures want at least " + std::to_string(kPlantedModelsMin) + " models";
  std::uint64_t members = 0;
  for (const std::uint64_t n : truth.descendants) members += n;
  if (members > scale.models - head_slot(kFamilies.size() - 1) - 1) return "the families are larger than all models";
  if (scale.depth == 0) return "a family has at least one generation";
  return std::nullopt;
}

void plant_families(const Scale& scale, std::vector<Repo>& repos) {
  HM_CHECK(!why_not_planted(scale));
  const Planted truth = planted(scale);
  for (std::uint32_t f = 0; f < kFamilies.size(); ++f) {
    repos[head_slot(f)].root = true;
    repos[head_slot(f)].family = static_cast<std::uint16_t>(f + 1);
  }
  std::vector<std::uint32_t> free;
  for (std::uint32_t slot = head_slot(kFamilies.size() - 1) + 1; slot < scale.models; ++slot) free.push_back(slot);
  for (std::uint32_t f = 0; f < kFamilies.size(); ++f) {
    std::vector<std::uint32_t> members{head_slot(f)}, others;
    std::vector<std::uint32_t> generation{0};  // of each member
    std::uint64_t wanted = truth.descendants[f];
    for (std::size_t n = 0; n < free.size(); ++n) {  // each has the same chance, and so many are taken
      const Draw draw(scale.seed, free[n]);
      if (below(draw.bits(For::Family, f * 1'000), static_cast<std::uint32_t>(free.size() - n)) >= wanted) {
        others.push_back(free[n]);
        continue;
      }
      --wanted;
      Repo& repo = repos[free[n]];
      repo.family = static_cast<std::uint16_t>(f + 1);
      // The first of them are one line, which is as long as any will be; a merge in it would name a grandparent too.
      const bool in_line = members.size() <= truth.depth[f];
      std::size_t parent = members.size() - 1;
      if (!in_line) {
        const bool of_root = draw.unit(For::Parent) < 0.6;
        parent = of_root ? 0 : below(draw.bits(For::Parent, 50), static_cast<std::uint32_t>(members.size()));
        if (generation[parent] >= truth.depth[f]) parent = 0;
      }
      repo.parent = members[parent];
      generation.push_back(generation[parent] + 1);
      repo.relation = static_cast<Relation>(draw.below(For::Relation, in_line ? 3 : 4));
      members.push_back(free[n]);
    }
    free = std::move(others);
  }
}

void plant_downloads(const Scale& scale, std::vector<Repo>& repos) {
  const Planted truth = planted(scale);
  std::array<std::uint64_t, kOwners> left{};
  for (std::size_t owner = 0; owner < kOwners; ++owner)
    left[owner] = truth.downloads / 1'000 * planted_owners()[owner].permille;
  std::vector<char> is_head(scale.models);
  for (std::uint64_t n = 0; n < truth.head; ++n) {
    Repo& repo = repos[head_slot(n)];
    is_head[head_slot(n)] = 1;
    repo.downloads = even_part(truth.head_downloads, truth.head, n);
    left[head_slot(n) % kOwners] -= repo.downloads;
  }
  // Every second of an owner's other models has few, the others share what is left.
  std::array<std::vector<std::uint32_t>, kOwners> shares;
  std::array<std::uint32_t, kOwners> turn{};
  std::uint64_t tail = 0, ahead = scale.models - truth.head;  // of those that are no head
  for (auto slot = static_cast<std::uint32_t>(scale.models); slot-- > 0;) {
    if (is_head[slot] != 0) continue;
    const std::size_t owner = slot % kOwners;
    // What is missing at the end, because the head is not halved, is taken from the oldest.
    const bool few = tail < truth.below_200 && (turn[owner]++ % 2 == 0 || truth.below_200 - tail >= ahead);
    --ahead;
    if (!few) {
      shares[owner].push_back(slot);
      continue;
    }
    ++tail;
    repos[slot].downloads = Draw(scale.seed, slot).below(For::Downloads, kTail);
    left[owner] -= repos[slot].downloads;
  }
  HM_CHECK(tail == truth.below_200);
  for (std::size_t owner = 0; owner < kOwners; ++owner) {
    for (std::size_t n = 0; n < shares[owner].size(); ++n)
      repos[shares[owner][n]].downloads = even_part(left[owner], shares[owner].size(), n);
    HM_CHECK(!shares[owner].empty() && even_part(left[owner], shares[owner].size(), shares[owner].size()) >= kTail);
  }
}

void plant_robotics(const Scale& scale, std::vector<Repo>& repos) {
  const Planted truth = planted(scale);
  const auto [first, last] = slots_of(scale, RepoKind::Dataset);
  std::uint64_t until_2024 = truth.robotics_2024, in_2025 = truth.robotics_2025 - truth.robotics_2024;
  for (std::uint32_t slot = last; slot-- > first;) {
    const std::uint32_t created_s = repos[slot].created_s;
    if (created_s >= kEndOf2025S) continue;
    std::uint64_t& wanted = created_s < kEndOf2024S ? until_2024 : in_2025;
    if (wanted == 0) continue;
    --wanted;
    repos[slot].robotics = true;
  }
  HM_CHECK(until_2024 == 0 && in_2025 == 0);
}
}  // namespace hm::test::scale
