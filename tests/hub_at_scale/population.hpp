// tests/hub_at_scale/population.hpp: the repositories that a Hub has at its start. Values. What is distributed how
// stands in world.hpp.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"

namespace hm::test::scale {
/// How much there is, and when "now" is for what was there before the start.
struct Scale {
  std::uint64_t models = 0;
  std::uint64_t datasets = 0;
  std::uint64_t spaces = 0;
  std::uint64_t seed = 1;
  std::int64_t now_ms = 1'800'000'000'000;  ///< POSIX; nothing was created later
  bool planted = false;                     ///< with the figures of a published report, plant.hpp
  std::uint64_t family = 0;                 ///< descendants of the largest planted family; 0: the report's
  std::uint32_t depth = 12;                 ///< generations below the root of each planted family
  bool planted_licences = false;            ///< with licences along lineages, plant_licences.hpp; not both
};
/// 2,300,000 models, 500,000 datasets, 1,000,000 Spaces.
Scale full(std::uint64_t seed, std::int64_t now_ms);

inline constexpr std::uint32_t kFloorS = 0x621ffdc0;  ///< 2022-03-02T23:29:04Z: createdAt of all that is older
inline constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::size_t kKinds = 3;
constexpr std::size_t index_of(RepoKind kind) { return static_cast<std::size_t>(kind) - 1; }
constexpr RepoKind kind_at(std::size_t index) { return static_cast<RepoKind>(index + 1); }

enum class Gate : std::uint8_t { Open, Auto, Manual };
enum class Relation : std::uint8_t { Finetune, Adapter, Quantized, Merge };
std::string_view name_of(Relation relation);  ///< "finetune", …
std::string_view name_of(Gate gate);          ///< "false", "auto", "manual"

/// All that is stored of one repository; its place in the vector is its slot. Everything else is a Draw.
struct Repo {
  std::uint32_t created_s = 0;
  std::uint32_t modified_s = 0;
  std::uint32_t downloads = 0;
  std::uint32_t likes = 0;
  std::uint32_t parent = kNobody;  ///< slot of the base model
  std::uint32_t commits = 1;       ///< the head is the commit of this number
  std::uint16_t family = 0;        ///< 1 + the family's number; 0: none
  std::uint16_t trending = 0;
  std::uint8_t licence = 0;  ///< index into kLicences; 0: none
  RepoKind kind = RepoKind::Model;
  Relation relation = Relation::Finetune;
  Gate gate : 2 = Gate::Open;
  bool root : 1 = false;    ///< the first of its family
  bool legacy : 1 = false;  ///< has a name of one segment
  bool is_private : 1 = false;
  bool disabled : 1 = false;
  bool removed : 1 = false;
  bool robotics : 1 = false;  ///< what a dataset is for; the other tasks are drawn
  bool listed() const { return !removed && !is_private; }
};
static_assert(sizeof(Repo) == 32);

struct Licence {
  std::string_view id;
  std::uint32_t weight;  ///< among those who have one
};
inline constexpr std::array kLicences = std::to_array<Licence>({
    {"", 0},
    {"apache-2.0", 420},
    {"mit", 180},
    {"other", 90},
    {"openrail", 50},
    {"creativeml-openrail-m", 40},
    {"cc-by-nc-4.0", 40},
    {"llama3.1", 25},
    {"llama3", 20},
    {"llama2", 20},
    {"llama3.2", 18},
    {"gemma", 22},
    {"cc-by-4.0", 20},
    {"cc-by-sa-4.0", 12},
    {"cc-by-nc-sa-4.0", 12},
    {"afl-3.0", 8},
    {"gpl-3.0", 8},
    {"bigscience-openrail-m", 5},
    {"cc0-1.0", 4},
    {"agpl-3.0", 3},
    {"unknown", 3},
});

/// Slots of `kind` at the start: [first, second).
std::pair<std::uint32_t, std::uint32_t> slots_of(const Scale& scale, RepoKind kind);
class Draw;
/// A licence for a repository with these draws: its family's, one of its own, or none.
std::uint8_t draw_licence(const Draw& draw, std::uint16_t family);
/// The same scale gives the same repositories, everywhere. About a second for each three million.
std::vector<Repo> populate(const Scale& scale);
}  // namespace hm::test::scale
