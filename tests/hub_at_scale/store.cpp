#include "tests/hub_at_scale/store.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace hm::test::scale {
void append_hex(std::string& out, std::uint64_t value, int digits) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(value >> shift) & 15];
}

namespace {
std::uint64_t hash_of(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix(h);
}
constexpr std::uint64_t kTag = 0xffffffff00000000U;

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}
}  // namespace

std::string_view name_of(Sort sort) {
  static constexpr std::array<std::string_view, kSorts> kNames{"createdAt", "lastModified", "downloads", "likes",
                                                               "trendingScore"};
  return kNames[static_cast<std::size_t>(sort)];
}

void append_rid(std::string& out, std::uint32_t created_s, std::uint64_t rest) {
  append_hex(out, created_s, 8);
  append_hex(out, rest, 16);
}

Store::Store(const Scale& scale) : scale_(scale), naming_(naming_of(scale)), salt_(mix(scale.seed + 0x5ca1e)) {
  repos_ = populate(scale_);
  for (std::size_t k = 0; k < kKinds; ++k) name_everything(kind_at(k));
  for (const Repo& repo : repos_) ++listed_[index_of(repo.kind)];
}

void Store::name_everything(RepoKind kind) {
  const auto [first, last] = slots_of(scale_, kind);
  auto& cells = names_[index_of(kind)].cells;
  cells.assign(std::bit_ceil(std::max<std::uint64_t>(8, (last - first) * 3 / 2)), 0);
  std::string name;
  for (std::uint32_t slot = first; slot < last; ++slot) {
    name.clear();
    append_generated_name(name, naming_, slot, repos_[slot]);
    if (find_at_start(kind, name)) {
      name = unused_name(slot);
      original_[slot] = name;
    }
    const std::uint64_t hash = hash_of(name);
    std::size_t at = hash & (cells.size() - 1);
    while (cells[at] != 0) at = (at + 1) & (cells.size() - 1);
    cells[at] = (hash & kTag) | (slot + 1U);
  }
}

std::string Store::unused_name(std::uint32_t slot) const {
  const Repo& repo = repos_[slot];
  std::string stem;
  append_generated_name(stem, naming_, slot, repo);
  if (!find(repo.kind, stem)) return stem;
  for (std::uint64_t n = 2;; ++n) {
    std::string name = stem + "-" + std::to_string(n < 4 ? n : draw(slot).bits(For::Token, n) % 100'000);
    if (!find(repo.kind, name)) return name;
  }
}

void Store::append_original_name(std::string& out, std::uint32_t slot) const {
  if (!original_.empty()) {
    if (const auto it = original_.find(slot); it != original_.end()) {
      out += it->second;
      return;
    }
  }
  append_generated_name(out, naming_, slot, repos_[slot]);
}

void Store::append_name(std::string& out, std::uint32_t slot) const {
  if (!current_.empty()) {
    if (const auto it = current_.find(slot); it != current_.end()) {
      out += it->second;
      return;
    }
  }
  append_original_name(out, slot);
}

std::string Store::name(std::uint32_t slot) const {
  std::string out;
  append_name(out, slot);
  return out;
}

void Store::append_sha(std::string& out, std::uint32_t slot, std::uint32_t commit) const {
  const Draw d = draw(slot);
  append_hex(out, d.bits(For::Sha, std::uint64_t{commit} * 3), 16);
  append_hex(out, d.bits(For::Sha, std::uint64_t{commit} * 3 + 1), 16);
  append_hex(out, d.bits(For::Sha, std::uint64_t{commit} * 3 + 2), 8);
}

std::optional<std::uint32_t> Store::slot_of(std::string_view rid) const {
  if (rid.size() != 24) return std::nullopt;
  const auto created_s = parse_hex(rid.substr(0, 8));
  const auto rest = parse_hex(rid.substr(8));
  if (!created_s || !rest) return std::nullopt;
  const std::uint64_t slot = unmix(*rest) ^ salt_;
  if (slot >= repos_.size() || repos_[slot].created_s != *created_s) return std::nullopt;
  return static_cast<std::uint32_t>(slot);
}

std::optional<std::uint32_t> Store::find_at_start(RepoKind kind, std::string_view name) const {
  const auto& cells = names_[index_of(kind)].cells;
  const std::uint64_t hash = hash_of(name);
  std::string other;
  for (std::size_t at = hash & (cells.size() - 1); cells[at] != 0; at = (at + 1) & (cells.size() - 1)) {
    if ((cells[at] & kTag) != (hash & kTag)) continue;
    const auto slot = static_cast<std::uint32_t>(cells[at]) - 1;
    other.clear();
    append_original_name(other, slot);
    if (other == name) return slot;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Store::find(RepoKind kind, std::string_view name) const {
  const NameTable& table = names_[index_of(kind)];
  if (!table.later.empty())
    if (const auto it = table.later.find(std::string(name)); it != table.later.end()) return it->second;
  const auto slot = find_at_start(kind, name);
  if (!slot || repos_[*slot].removed) return std::nullopt;
  if (const auto it = current_.find(*slot); it != current_.end()) return std::nullopt;  // has another name now
  return slot;
}

std::optional<std::uint32_t> Store::renamed_from(RepoKind kind, std::string_view name) const {
  const auto& renamed = names_[index_of(kind)].renamed;
  const auto it = renamed.find(std::string(name));
  if (it == renamed.end() || repos_[it->second].removed) return std::nullopt;
  return it->second;
}

std::uint32_t Store::key_of(std::uint32_t slot, Order order) const { return entry(repos_[slot], slot, order).key; }
Position Store::position_of(std::uint32_t slot, Order order) const {
  return {key_of(slot, order), repos_[slot].created_s, rest_of(slot)};
}

OrderedList::Entry Store::entry(const Repo& repo, std::uint32_t slot, Order order) const {
  std::uint32_t value = 0;
  switch (order.sort) {
    case Sort::CreatedAt:
      value = repo.created_s;
      break;
    case Sort::LastModified:
      value = repo.modified_s;
      break;
    case Sort::Downloads:
      value = repo.downloads;
      break;
    case Sort::Likes:
      value = repo.likes;
      break;
    case Sort::TrendingScore:
      value = repo.trending;
      break;
  }
  return {order.ascending ? value : ~value, repo.created_s, slot};
}

const OrderedList& Store::order(RepoKind kind, Order order) {
  auto& list = orders_[index_of(kind)][static_cast<std::size_t>(order.sort)][order.ascending ? 1 : 0];
  if (!list) {
    std::vector<OrderedList::Entry> entries;
    entries.reserve(count(kind));
    for (std::uint32_t slot = 0; slot < size(); ++slot)
      if (repos_[slot].kind == kind && repos_[slot].listed()) entries.push_back(entry(repos_[slot], slot, order));
    list = std::make_unique<OrderedList>(salt_, std::move(entries));
  }
  return *list;
}

void Store::reorder(std::uint32_t slot, const Repo& before) {
  const Repo& after = repos_[slot];
  const std::size_t kind = index_of(after.kind);
  for (std::size_t sort = 0; sort < kSorts; ++sort) {
    for (std::size_t up = 0; up < 2; ++up) {
      const auto& list = orders_[kind][sort][up];
      const Order order{static_cast<Sort>(sort), up == 1};
      if (!list) continue;
      const auto was = entry(before, slot, order);
      const auto is = entry(after, slot, order);
      if (before.listed() && after.listed() && was.key == is.key) continue;
      if (before.listed()) list->erase(was);
      if (after.listed()) list->insert(is);
    }
  }
  if (before.listed()) --listed_[kind];
  if (after.listed()) ++listed_[kind];
}

void Store::take_name(std::uint32_t slot, const std::string& name) {
  NameTable& table = names_[index_of(repos_[slot].kind)];
  table.later[name] = slot;
  table.renamed.erase(name);
}

void Store::release_name(std::uint32_t slot) {
  NameTable& table = names_[index_of(repos_[slot].kind)];
  if (const auto it = table.later.find(name(slot)); it != table.later.end() && it->second == slot)
    table.later.erase(it);
}

std::uint32_t Store::create(RepoKind kind, std::int64_t now_ms, std::optional<std::string> name) {
  const std::uint32_t slot = size();
  const Draw d = draw(slot);
  Repo repo;
  repo.kind = kind;
  repo.created_s = repo.modified_s = static_cast<std::uint32_t>(now_ms / 1000);
  if (kind == RepoKind::Model && slot > 0 && d.unit(For::Family) < 0.55) {
    const std::uint32_t parent = d.below(For::Parent, slot);
    const Repo& base = repos_[parent];
    if (base.kind == RepoKind::Model && base.listed() && base.family != 0) {
      repo.parent = parent;
      repo.family = base.family;
      repo.relation = static_cast<Relation>(d.below(For::Relation, 4));
    }
  }
  repo.licence = draw_licence(d, repo.family);
  repo.removed = true;  // until it is in its orders
  repos_.push_back(repo);
  const std::string called = name ? std::move(*name) : unused_name(slot);
  std::string generated;
  append_generated_name(generated, naming_, slot, repos_[slot]);
  if (called != generated) original_[slot] = called;
  take_name(slot, called);
  change(slot, [](Repo& r) { r.removed = false; });
  return slot;
}

void Store::remove(std::uint32_t slot) {
  release_name(slot);
  change(slot, [](Repo& r) { r.removed = true; });
}

bool Store::rename(std::uint32_t slot, const std::string& name) {
  const RepoKind kind = repos_[slot].kind;
  if (!is_valid_repo_name(name) || find(kind, name)) return false;
  const std::string old = this->name(slot);
  release_name(slot);
  current_[slot] = name;
  take_name(slot, name);
  names_[index_of(kind)].renamed[old] = slot;
  return true;
}
}  // namespace hm::test::scale
