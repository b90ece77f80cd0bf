// tests/hub_at_scale/store.hpp: the repositories of a Hub: found by name and by id, in every order, changed one at a
// time. Not thread-safe: World has the lock.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/hub_at_scale/draws.hpp"
#include "tests/hub_at_scale/names.hpp"
#include "tests/hub_at_scale/ordered_list.hpp"
#include "tests/hub_at_scale/population.hpp"

namespace hm::test::scale {
enum class Sort : std::uint8_t { CreatedAt, LastModified, Downloads, Likes, TrendingScore };
inline constexpr std::size_t kSorts = 5;
std::string_view name_of(Sort sort);  ///< "createdAt", …
struct Order {
  Sort sort = Sort::TrendingScore;
  bool ascending = false;
};

/// `_id` and `sha` as text.
void append_rid(std::string& out, std::uint32_t created_s, std::uint64_t rest);

void append_hex(std::string& out, std::uint64_t value, int digits);  ///< lowercase, with leading zeros

/// A repository is named by its slot, which never changes and is never used again.
class Store {
 public:
  explicit Store(const Scale& scale);

  const Scale& scale() const { return scale_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(repos_.size()); }  ///< removed ones too
  const Repo& at(std::uint32_t slot) const { return repos_[slot]; }
  Draw draw(std::uint32_t slot) const { return Draw(scale_.seed, slot); }
  std::uint64_t rest_of(std::uint32_t slot) const { return mix(slot ^ salt_); }
  std::uint64_t count(RepoKind kind) const { return listed_[index_of(kind)]; }  ///< of those that listings show

  void append_name(std::string& out, std::uint32_t slot) const;
  void append_original_name(std::string& out, std::uint32_t slot) const;  ///< from before every rename; for cards
  void append_id(std::string& out, std::uint32_t slot) const { append_rid(out, at(slot).created_s, rest_of(slot)); }
  void append_sha(std::string& out, std::uint32_t slot, std::uint32_t commit) const;
  std::string name(std::uint32_t slot) const;

  std::optional<std::uint32_t> slot_of(std::string_view rid) const;
  /// Of a repository that is there, private ones too.
  std::optional<std::uint32_t> find(RepoKind kind, std::string_view name) const;
  /// The one that had this name before it was renamed, unless another has taken the name since.
  std::optional<std::uint32_t> renamed_from(RepoKind kind, std::string_view name) const;

  /// Built when first asked for, kept right by every change.
  const OrderedList& order(RepoKind kind, Order order);
  std::uint32_t key_of(std::uint32_t slot, Order order) const;  ///< as the order has it: descending is ~value
  Position position_of(std::uint32_t slot, Order order) const;

  /// With this name, which nobody has, or with one that is made.
  std::uint32_t create(RepoKind kind, std::int64_t now_ms, std::optional<std::string> name);
  void remove(std::uint32_t slot);
  bool rename(std::uint32_t slot, const std::string& name);  ///< false: taken, or no valid name
  /// Applies `edit(Repo&)` to one that is there; not for what a name or `removed` is made of.
  template <class F>
  void change(std::uint32_t slot, F&& edit) {
    const Repo before = repos_[slot];
    edit(repos_[slot]);
    reorder(slot, before);
  }

 private:
  struct NameTable {
    std::vector<std::uint64_t> cells;  ///< hash tag and 1 + slot; what was there at the start, never changed
    std::unordered_map<std::string, std::uint32_t> later;
    std::unordered_map<std::string, std::uint32_t> renamed;
  };
  void name_everything(RepoKind kind);
  std::optional<std::uint32_t> find_at_start(RepoKind kind, std::string_view name) const;
  std::string unused_name(std::uint32_t slot) const;
  void take_name(std::uint32_t slot, const std::string& name);
  void release_name(std::uint32_t slot);
  void reorder(std::uint32_t slot, const Repo& before);
  OrderedList::Entry entry(const Repo& repo, std::uint32_t slot, Order order) const;

  Scale scale_;
  Naming naming_;
  std::uint64_t salt_;
  std::vector<Repo> repos_;
  std::array<std::uint64_t, kKinds> listed_{};
  std::array<NameTable, kKinds> names_;
  std::unordered_map<std::uint32_t, std::string> original_;  ///< of those whose generated name was taken
  std::unordered_map<std::uint32_t, std::string> current_;   ///< of those that were renamed
  std::array<std::array<std::array<std::unique_ptr<OrderedList>, 2>, kSorts>, kKinds> orders_;
};
}  // namespace hm::test::scale
