#include "tests/support/memory_index.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

namespace hm::test {
using storage::Batch;
using storage::Family;
using Pair = std::pair<std::string, std::string>;

class MemoryDisk {
 public:
  using Keys = std::map<std::string, std::string, std::less<>>;
  Keys& of(Family family) { return families_[static_cast<std::size_t>(family)]; }
  std::mutex mutex;
  std::atomic<std::uint64_t> version{0};

 private:
  std::array<Keys, storage::kFamilyCount> families_;
};

std::shared_ptr<MemoryDisk> make_memory_disk() { return std::make_shared<MemoryDisk>(); }

namespace {
class MemoryIndex final : public storage::Index {
 public:
  explicit MemoryIndex(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    const std::lock_guard lock(disk_->mutex);
    const auto& keys = disk_->of(family);
    const auto it = keys.find(key);
    return it == keys.end() ? std::optional<std::string>() : std::optional(it->second);
  }

  Result<> scan(Family family, std::string_view prefix,
                const std::function<bool(std::string_view, std::string_view)>& visit,
                std::string_view from) const override {
    for (const auto& [key, value] : copy(family, prefix, from))
      if (!visit(key, value)) break;
    return ok();
  }

  Result<std::optional<Pair>> last(Family family, std::string_view prefix) const override {
    const std::lock_guard lock(disk_->mutex);
    const auto& keys = disk_->of(family);
    std::string end(prefix);  // the first key behind the prefix; "" is behind all
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    auto it = end.empty() ? keys.end() : keys.lower_bound(end);
    if (it == keys.begin() || !(--it)->first.starts_with(prefix)) return std::optional<Pair>();
    return std::optional<Pair>(*it);
  }

  Result<> commit(const Batch& batch) override {
    const std::lock_guard lock(disk_->mutex);
    for (const Batch::Change& c : batch.changes()) {
      auto& keys = disk_->of(c.family);
      if (c.removal)
        keys.erase(c.key);
      else
        keys.insert_or_assign(c.key, c.value);
      if (is_of_published(c.family)) ++disk_->version;
    }
    return ok();
  }

  Result<> clear(Family family) override {
    if (!is_derived(family))
      return Error{Errc::Refused, "family " + std::string(name_of(family)) + " holds facts and is never emptied"};
    const std::lock_guard lock(disk_->mutex);
    disk_->of(family).clear();
    ++disk_->version;
    return ok();
  }

  Result<> refresh() override { return ok(); }
  std::uint64_t version() const override { return disk_->version; }

 private:
  /// One state throughout, although the visitor may commit.
  std::vector<Pair> copy(Family family, std::string_view prefix, std::string_view from) const {
    const std::lock_guard lock(disk_->mutex);
    const auto& keys = disk_->of(family);
    std::vector<Pair> out;
    for (auto it = keys.lower_bound(std::max(prefix, from)); it != keys.end() && it->first.starts_with(prefix); ++it)
      out.emplace_back(*it);
    return out;
  }
  const std::shared_ptr<MemoryDisk> disk_;
};
}  // namespace

std::unique_ptr<storage::Index> open_memory_index(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryIndex>(std::move(disk));
}
}  // namespace hm::test
