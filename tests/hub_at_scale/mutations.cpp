// The changes of a World: by name, and at random.
#include <algorithm>

#include "tests/hub_at_scale/draws.hpp"
#include "tests/hub_at_scale/world.hpp"

namespace hm::test::scale {
std::optional<std::uint32_t> World::present(const Rid& rid) const {
  const auto slot = store_.slot_of(rid.text());
  return slot && !store_.at(*slot).removed ? slot : std::nullopt;
}

template <class F>
bool World::edit(const Rid& rid, F&& change) {
  const std::lock_guard lock(mutex_);
  const auto slot = present(rid);
  if (slot) change(*slot);
  return slot.has_value();
}

void World::touch_slot(std::uint32_t slot) {
  store_.change(slot, [&](Repo& repo) {
    ++repo.commits;
    repo.modified_s = static_cast<std::uint32_t>(clock_.unix_ms() / 1000);
  });
}

std::uint32_t World::replace_slot(std::uint32_t slot) {
  const std::string name = store_.name(slot);
  hidden_.erase(slot);
  store_.remove(slot);
  return store_.create(store_.at(slot).kind, clock_.unix_ms(), name);
}

void World::change_licence_slot(std::uint32_t slot, std::uint64_t bits) {
  store_.change(slot, [&](Repo& repo) {
    const auto n = static_cast<std::uint32_t>(kLicences.size());
    repo.licence = static_cast<std::uint8_t>((repo.licence + 1 + scale::below(bits, n - 1)) % n);
  });
}

void World::hide(std::uint32_t slot, bool is_private) {
  store_.change(slot, [&](Repo& repo) { repo.is_private = is_private; });
  if (is_private)
    hidden_.insert(slot);
  else
    hidden_.erase(slot);
}

Rid World::create(RepoKind kind) {
  const std::lock_guard lock(mutex_);
  return rid_of(store_.create(kind, clock_.unix_ms(), std::nullopt));
}

bool World::remove(const Rid& rid) {
  return edit(rid, [&](std::uint32_t slot) {
    hidden_.erase(slot);
    store_.remove(slot);
  });
}

bool World::rename(const Rid& rid, const std::string& new_name) {
  bool renamed = false;
  edit(rid, [&](std::uint32_t slot) { renamed = store_.rename(slot, new_name); });
  return renamed;
}

std::optional<Rid> World::replace(const Rid& rid) {
  std::optional<Rid> out;
  edit(rid, [&](std::uint32_t slot) { out = rid_of(replace_slot(slot)); });
  return out;
}

bool World::touch(const Rid& rid) {
  return edit(rid, [&](std::uint32_t slot) { touch_slot(slot); });
}

bool World::gate(const Rid& rid, Gate gate) {
  return edit(rid, [&](std::uint32_t slot) { store_.change(slot, [&](Repo& repo) { repo.gate = gate; }); });
}

bool World::set_private(const Rid& rid, bool is_private) {
  return edit(rid, [&](std::uint32_t slot) { hide(slot, is_private); });
}

bool World::disable(const Rid& rid, bool disabled) {
  return edit(rid, [&](std::uint32_t slot) { store_.change(slot, [&](Repo& repo) { repo.disabled = disabled; }); });
}

bool World::change_licence(const Rid& rid) {
  return edit(rid, [&](std::uint32_t slot) { change_licence_slot(slot, mix(slot)); });
}

bool World::bump_downloads(const Rid& rid, std::uint32_t by) {
  return edit(rid, [&](std::uint32_t slot) { store_.change(slot, [&](Repo& repo) { repo.downloads += by; }); });
}

std::optional<std::uint32_t> World::pick(Stream& stream) const {
  for (int attempt = 0; attempt < 1000 && store_.size() > 0; ++attempt) {
    const std::uint32_t slot = stream.below(store_.size());
    if (store_.at(slot).listed()) return slot;
  }
  return std::nullopt;
}

Mutation World::mutate_once(Stream& stream, const Mix& mix) {
  Mutation out;
  out.at_ms = clock_.unix_ms();
  const std::array<std::pair<std::string_view, std::uint32_t>, 10> weights{{{"create", mix.create},
                                                                            {"touch", mix.touch},
                                                                            {"remove", mix.remove},
                                                                            {"rename", mix.rename},
                                                                            {"replace", mix.replace},
                                                                            {"gate", mix.gate},
                                                                            {"private", mix.hide},
                                                                            {"public", mix.show},
                                                                            {"licence", mix.licence},
                                                                            {"downloads", mix.downloads}}};
  std::uint32_t sum = 0;
  for (const auto& weight : weights) sum += weight.second;
  std::uint32_t at = stream.below(std::max(sum, 1U));
  for (const auto& [name, weight] : weights) {
    out.what = name;
    if (at < weight) break;
    at -= weight;
  }
  auto slot = pick(stream);
  if (out.what == "public" && hidden_.empty()) out.what = "touch";
  if (out.what == "public")
    slot = *std::next(hidden_.begin(), stream.below(static_cast<std::uint32_t>(hidden_.size())));
  if (!slot) out.what = "create";
  if (slot) out.kind = store_.at(*slot).kind;
  if (out.what == "create") {
    slot = store_.create(out.kind, out.at_ms, std::nullopt);
    out.rid = rid_of(*slot);
    out.new_name = store_.name(*slot);
    return out;
  }
  out.rid = rid_of(*slot);
  out.old_name = out.new_name = store_.name(*slot);
  apply(out, *slot, stream);
  return out;
}

void World::apply(Mutation& mutation, std::uint32_t slot, Stream& stream) {
  const std::string& what = mutation.what;
  if (what == "touch") touch_slot(slot);
  if (what == "licence") change_licence_slot(slot, stream.next());
  if (what == "private" || what == "public") hide(slot, what == "private");
  if (what == "replace") mutation.new_rid = rid_of(replace_slot(slot));
  if (what == "gate")
    store_.change(slot, [&](Repo& repo) {
      repo.gate = static_cast<Gate>((static_cast<std::uint32_t>(repo.gate) + 1 + stream.below(2)) % 3);
    });
  if (what == "downloads") store_.change(slot, [&](Repo& repo) { repo.downloads += 1 + stream.below(10'000); });
  if (what == "remove") {
    mutation.new_name.clear();
    store_.remove(slot);
  }
  if (what != "rename") return;
  // Another owner, or the same name with a new end.
  const std::string& old = mutation.old_name;
  const std::size_t slash = old.find('/');
  const std::string end = std::to_string(stream.below(1'000'000));
  do {
    mutation.new_name = slash == std::string::npos || stream.below(2) == 0
                            ? old.substr(0, 80) + "-r" + end
                            : "moved" + std::to_string(stream.below(100'000)) + old.substr(slash);
  } while (!store_.rename(slot, mutation.new_name));
}

std::vector<Mutation> World::mutate_randomly(std::uint64_t seed, std::size_t n, const Mix& mix) {
  const std::lock_guard lock(mutex_);
  Stream stream(seed);
  std::vector<Mutation> log;
  log.reserve(n);
  for (std::size_t i = 0; i < n; ++i) log.push_back(mutate_once(stream, mix));
  return log;
}
}  // namespace hm::test::scale
