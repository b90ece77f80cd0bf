// tests/hub_at_scale/world.hpp: a Hub with as many repositories as the real one, its listings and its changes. For
// tests and benchmarks. Thread-safe by one mutex, which each call holds to its end.
//
// The same Scale gives the same bytes. What is distributed how, at the start:
// - createdAt: 1.3 % at the floor 2022-03-02T23:29:04Z, then growing: 5 % of all after 20 % of the time until now, 22 %
//   after 43 %, 46 % after 68 %. Every twentieth shares the second of the one before. `_id` begins with createdAt.
// - lastModified: within the hour after creation (55 %), within 30 days (20 %), evenly until now (20 %), up to ten days
//   before creation (5 %); of those at the floor 60 % are up to 1,000 days older.
// - downloads: scale · (rank + shift)^-exponent; the exponent is such that the first 200 of 2.3 million (and their
//   fraction of fewer) have 49.6 % of all, the scale such that the median of the law is 5; below 32 it is drawn between
//   nothing and twice that, so many have none. Spaces have none. Likes follow downloads, of Spaces a Pareto law.
// - families: 55 % of the models name a base. At most 230 roots, one for each 200 models; sizes fall by a power of
// their
//   rank, the first having 113,000 of 2.3 million. Of the members 60 % name the root, the others any earlier member:
//   finetune 45 %, quantized 30 %, adapter 20 %, merge 5 %.
// - names: two segments of together some 20 to 55 bytes, the owner by a power law; the first 300 models and datasets
// (at
//   most 1 %) have one segment. Names taken twice get a number.
// - licences: 60 % none, then kLicences by weight; 60 % of the members that have one have their family's.
// - gated: 0.9 % auto, 0.6 % manual, and every fifth root. Disabled: one in 20,000. Private: none at the start.
// - with Scale::planted_licences the bases and licences of models are those of plant_licences.hpp.
// - with Scale::planted the downloads of models, their owners and families, and robotics datasets are those of
// plant.hpp.
// - parameters and usedStorage: log-normal, medians 3·10⁸ and 5·10⁸ bytes.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "tests/hub_at_scale/listing.hpp"
#include "tests/hub_at_scale/population.hpp"
#include "tests/hub_at_scale/rate_windows.hpp"
#include "tests/hub_at_scale/store.hpp"

namespace hm::test::scale {
struct Request {
  std::string method = "GET";
  std::string target;                          ///< path and query
  std::string authorization;                   ///< any value counts as a valid token; empty: anonymous
  std::string origin = "https://hub.example";  ///< what Link headers begin with
};
struct Answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string_view header(std::string_view name) const;  ///< or empty
};

/// What is true of one repository, for an oracle.
struct Truth {
  Rid rid;
  RepoKind kind = RepoKind::Model;
  std::string name;      ///< the last it had
  bool visible = false;  ///< listed and answered for: neither removed nor private
  bool removed = false;
  bool disabled = false;  ///< listed, and 403 when asked for
  std::string sha;        ///< of the head
  Gate gate = Gate::Open;
  std::string licence;  ///< or empty
  std::int64_t created_ms = 0;
  std::int64_t last_modified_ms = 0;
  std::uint64_t downloads = 0;
};
std::string render_json(const Truth& truth);  ///< one line, without its end

/// One change.
struct Mutation {
  std::string what;  ///< "create", "remove", "rename", "replace", "touch", "gate", "private", "public", "licence",
                     ///< "downloads"
  RepoKind kind = RepoKind::Model;
  Rid rid;
  std::string old_name;  ///< before; empty for "create"
  std::string new_name;  ///< after; empty for "remove"
  Rid new_rid;           ///< after "replace"; otherwise zeros
  std::int64_t at_ms = 0;
};
std::string render_json(const Mutation& mutation);  ///< one line, without its end

/// Weights of what mutate_randomly() does. The kind is drawn by how many there are of each; the repository evenly.
struct Mix {
  std::uint32_t create = 30, touch = 35, remove = 8, rename = 5, replace = 3, gate = 4, hide = 3, show = 2, licence = 4,
                downloads = 6;
};

enum class Route : std::uint8_t { List, Info, Moved, Missing, Resolve, Page, Other };
inline constexpr std::size_t kRoutes = 7;
std::string_view name_of(Route route);  ///< "list", …
struct Stats {
  std::array<std::uint64_t, kRoutes> calls{};          ///< that were let through, by what they came to
  std::array<std::uint64_t, kKinds> lists{};           ///< pages of models, datasets, Spaces
  std::uint64_t rate_limited = 0;                      ///< answers 429
  std::array<std::uint64_t, kRateBuckets> max_used{};  ///< the most answered in one window; 429 not counted
};

class World {
 public:
  /// `clock` outlives the world. It says when changes happen and when windows of the rate limits end.
  World(const Scale& scale, const Clock& clock, HubTraits traits = {});

  Answer handle(const Request& request);
  void set_quota(RateBucket bucket, std::uint64_t requests);  ///< of each 300 s; 0: no limit and no headers
  Stats stats() const;

  // Changes of one repository. Those with a rid do nothing and return false when it is not there.
  Rid create(RepoKind kind);
  bool remove(const Rid& rid);
  bool rename(const Rid& rid, const std::string& new_name);  ///< also false: the name is taken or not valid
  std::optional<Rid> replace(const Rid& rid);                ///< removed, and another created with the same name
  bool touch(const Rid& rid);                                ///< a commit now
  bool gate(const Rid& rid, Gate gate);
  bool set_private(const Rid& rid, bool is_private);
  bool disable(const Rid& rid, bool disabled);
  bool change_licence(const Rid& rid);  ///< to another
  bool bump_downloads(const Rid& rid, std::uint32_t by);
  /// `n` changes, the same for the same seed, world and clock.
  std::vector<Mutation> mutate_randomly(std::uint64_t seed, std::size_t n, const Mix& mix = {});

  // What is true.
  std::uint64_t count(RepoKind kind) const;  ///< of the visible
  std::optional<Truth> find(const Rid& rid) const;
  std::optional<Truth> find(RepoKind kind, std::string_view name) const;  ///< not removed
  /// Calls `visit` for every repository of the kind that ever was; it must not call the world. Starts at `from` and
  /// ends after `max` repositories of all kinds. @returns where to go on, nullopt at the end.
  std::optional<std::uint32_t> visit(RepoKind kind, std::uint32_t from, std::uint32_t max,
                                     const std::function<void(const Truth&)>& visit) const;
  void for_each(RepoKind kind, const std::function<void(const Truth&)>& visit) const;

 private:
  Answer answer(const Request& request, const Query& query);
  Answer list(const Request& request, const Query& query, RepoKind kind);
  Answer info(const Request& request, const Query& query, RepoKind kind, std::string_view rest);
  Answer describe(const Query& query, std::uint32_t slot, const std::optional<std::string>& revision);
  Answer missing(const Request& request);
  Answer counted(Route route, Answer answer);
  std::optional<std::uint32_t> present(const Rid& rid) const;
  template <class F>
  bool edit(const Rid& rid, F&& change);
  void touch_slot(std::uint32_t slot);
  std::uint32_t replace_slot(std::uint32_t slot);
  void change_licence_slot(std::uint32_t slot, std::uint64_t bits);
  void hide(std::uint32_t slot, bool is_private);
  std::optional<std::uint32_t> pick(Stream& stream) const;
  Mutation mutate_once(Stream& stream, const Mix& mix);
  void apply(Mutation& mutation, std::uint32_t slot, Stream& stream);
  Rid rid_of(std::uint32_t slot) const;
  Truth truth(std::uint32_t slot) const;

  const Clock& clock_;
  const HubTraits traits_;
  mutable std::mutex mutex_;
  Store store_;
  RateWindows rates_;
  Stats stats_;
  std::set<std::uint32_t> hidden_;  ///< private ones that are there
};
}  // namespace hm::test::scale
