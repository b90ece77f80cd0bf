#include "tests/support/fault_file_system.hpp"

#include <algorithm>
#include <random>

namespace hm::test {
class FaultFile final : public File {
 public:
  FaultFile(FaultFileSystem& fs, std::unique_ptr<File> below, std::string path)
      : fs_(fs), below_(std::move(below)), path_(std::move(path)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    HM_TRY(fs_.step(false, "read " + path_));
    auto n = below_->read_at(offset, into);
    if (n) fs_.bytes_read_ += n.assume_value();
    return n;
  }
  /// A failing write leaves half of its bytes, as a full disk or a kill may.
  Result<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const bool fired_before = fs_.fired();
    auto step = fs_.step(true, "write " + path_);
    if (!step && !fired_before) (void)below_->write_at(offset, bytes.first(bytes.size() / 2));
    HM_TRY(std::move(step));
    return below_->write_at(offset, bytes);
  }
  Result<std::uint64_t> size() const override {
    HM_TRY(fs_.step(false, "stat " + path_));
    return below_->size();
  }
  Result<> truncate(std::uint64_t size_bytes) override {
    HM_TRY(fs_.step(false, "truncate " + path_));
    return below_->truncate(size_bytes);
  }
  Result<> allocate(std::uint64_t size_bytes) override {
    HM_TRY(fs_.step(true, "allocate " + path_));
    return below_->allocate(size_bytes);
  }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override { below_->start_writeback(offset, length); }
  Result<> sync_data() override {
    HM_TRY(fs_.step(false, "fdatasync " + path_));
    return below_->sync_data();
  }
  void drop_cache(std::uint64_t offset, std::uint64_t length) override { below_->drop_cache(offset, length); }
  int native_handle() const override { return -1; }  // nothing goes around the counter

 private:
  FaultFileSystem& fs_;
  std::unique_ptr<File> below_;
  std::string path_;
};

void FaultFileSystem::arm(Fault fault, std::uint64_t operation) {
  fault_ = fault;
  counter_ = 0;
  fired_ = false;
  fails_at_ = operation;
}

void FaultFileSystem::set_space(std::optional<DiskSpace> space) {
  const std::lock_guard lock(space_mutex_);
  space_ = space;
}

Result<> FaultFileSystem::step(bool takes_space, std::string_view what) {
  const std::uint64_t number = counter_++;
  const bool once = fault_ == Fault::Io;
  if (once ? number != fails_at_ : number < fails_at_) return ok();
  if (fault_ == Fault::NoSpace && !takes_space) return ok();
  fired_ = true;
  const Errc code = fault_ == Fault::NoSpace ? Errc::NoSpace : Errc::Io;
  return Error{code, std::string(what) + ": injected fault at operation " + std::to_string(number)};
}

namespace {
Result<std::unique_ptr<File>> wrapped(FaultFileSystem& fs, Result<std::unique_ptr<File>> below,
                                      const std::string& path) {
  HM_TRY(auto file, std::move(below));
  return std::unique_ptr<File>(std::make_unique<FaultFile>(fs, std::move(file), path));
}
}  // namespace

Result<std::unique_ptr<File>> FaultFileSystem::open_read(const std::string& path) {
  HM_TRY(step(false, "open " + path));
  return wrapped(*this, below_.open_read(path), path);
}
Result<std::unique_ptr<File>> FaultFileSystem::create_new(const std::string& path) {
  HM_TRY(step(true, "create " + path));
  return wrapped(*this, below_.create_new(path), path);
}
Result<std::unique_ptr<File>> FaultFileSystem::open_existing(const std::string& path) {
  HM_TRY(step(false, "open " + path));
  return wrapped(*this, below_.open_existing(path), path);
}
Result<> FaultFileSystem::rename(const std::string& from, const std::string& to) {
  HM_TRY(step(true, "rename " + from));
  return below_.rename(from, to);
}
Result<> FaultFileSystem::remove(const std::string& path) {
  HM_TRY(step(false, "remove " + path));
  return below_.remove(path);
}
Result<> FaultFileSystem::remove_directory(const std::string& path) {
  HM_TRY(step(false, "remove directory " + path));
  return below_.remove_directory(path);
}
Result<> FaultFileSystem::make_directories(const std::string& path) {
  HM_TRY(step(true, "make directories " + path));
  return below_.make_directories(path);
}
Result<bool> FaultFileSystem::make_directory(const std::string& path) {
  HM_TRY(step(true, "make directory " + path));
  return below_.make_directory(path);
}
Result<> FaultFileSystem::sync_directory(const std::string& path) {
  HM_TRY(step(false, "fsync directory " + path));
  return below_.sync_directory(path);
}
Result<> FaultFileSystem::set_read_only(const std::string& path) {
  HM_TRY(step(false, "chmod " + path));
  return below_.set_read_only(path);
}
Result<std::vector<DirectoryEntry>> FaultFileSystem::list(const std::string& path) {
  HM_TRY(step(false, "list " + path));
  return below_.list(path);
}
Result<std::uint64_t> FaultFileSystem::file_size(const std::string& path) {
  HM_TRY(step(false, "stat " + path));
  return below_.file_size(path);
}
Result<DiskSpace> FaultFileSystem::space(const std::string& path) {
  HM_TRY(step(false, "statvfs " + path));
  const std::lock_guard lock(space_mutex_);
  if (space_) return *space_;
  return below_.space(path);
}

// ---- memory

struct PowerLossFileSystem::Node {
  static constexpr std::size_t kSectorBytes = 512;
  bool directory = false;
  std::map<std::string, std::shared_ptr<Node>> entries;
  std::vector<std::byte> live, durable;
  void lose_unsynced(std::mt19937_64& random, double keep) {
    std::bernoulli_distribution survives(keep);
    std::vector<std::byte> after = survives(random) ? live : durable;  // only its length stays as it is
    for (std::size_t at = 0; at < after.size(); at += kSectorBytes) {
      const auto& from = survives(random) ? live : durable;
      for (std::size_t i = at; i < std::min(after.size(), at + kSectorBytes); ++i)
        after[i] = i < from.size() ? from[i] : std::byte{0};
    }
    live = durable = after;
  }
};

/// An entry appears in one directory and disappears from another, as one step. Either side may be absent.
struct PowerLossFileSystem::Change {
  std::shared_ptr<Node> out_of, into, node, replaced;
  std::string old_name, new_name;
  bool durable = false;
};

class MemoryFile final : public File {
 public:
  MemoryFile(PowerLossFileSystem& fs, std::shared_ptr<PowerLossFileSystem::Node> node)
      : fs_(fs), node_(std::move(node)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::lock_guard lock(fs_.mutex_);
    if (offset >= node_->live.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), node_->live.size() - static_cast<std::size_t>(offset));
    std::copy_n(node_->live.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
    return n;
  }
  Result<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(fs_.mutex_);
    if (node_->live.size() < offset + bytes.size()) node_->live.resize(static_cast<std::size_t>(offset) + bytes.size());
    std::copy(bytes.begin(), bytes.end(), node_->live.begin() + static_cast<std::ptrdiff_t>(offset));
    return ok();
  }
  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(fs_.mutex_);
    return std::uint64_t{node_->live.size()};
  }
  Result<> truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock(fs_.mutex_);
    node_->live.resize(static_cast<std::size_t>(size_bytes));
    return ok();
  }
  Result<> allocate(std::uint64_t) override { return ok(); }
  void start_writeback(std::uint64_t, std::uint64_t) override {}
  Result<> sync_data() override {
    const std::lock_guard lock(fs_.mutex_);
    node_->durable = node_->live;
    return ok();
  }
  void drop_cache(std::uint64_t, std::uint64_t) override {}
  int native_handle() const override { return -1; }

 private:
  PowerLossFileSystem& fs_;
  std::shared_ptr<PowerLossFileSystem::Node> node_;
};

PowerLossFileSystem::PowerLossFileSystem() : root_(std::make_shared<Node>()) { root_->directory = true; }
PowerLossFileSystem::~PowerLossFileSystem() = default;

void PowerLossFileSystem::apply(const Change& change) const {
  if (change.out_of) {
    const auto old = change.out_of->entries.find(change.old_name);
    if (old != change.out_of->entries.end() && old->second == change.node) change.out_of->entries.erase(old);
  }
  if (change.into) change.into->entries[change.new_name] = change.node;
}

void PowerLossFileSystem::record(Change change) {
  apply(change);
  changes_.push_back(std::move(change));
}

void PowerLossFileSystem::power_loss(std::uint64_t seed, double keep) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::bernoulli_distribution survives(keep);
  // Undo everything, newest first, then do again what survived. What was undone out of a directory goes back to where
  // it was.
  for (auto it = changes_.rbegin(); it != changes_.rend(); ++it) {
    if (it->into && it->replaced) it->into->entries[it->new_name] = it->replaced;
    if (it->into && !it->replaced) it->into->entries.erase(it->new_name);
    if (it->out_of) it->out_of->entries[it->old_name] = it->node;
  }
  for (const Change& change : changes_) {
    if (change.durable || survives(random)) apply(change);
  }
  changes_.clear();
  for (const auto& node : nodes_) node->lose_unsynced(random, keep);
}

void PowerLossFileSystem::sync_all() {
  const std::lock_guard lock(mutex_);
  changes_.clear();
  for (const auto& node : nodes_) node->durable = node->live;
}

std::shared_ptr<PowerLossFileSystem::Node> PowerLossFileSystem::look_up(const std::string& path) const {
  std::shared_ptr<Node> node = root_;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, slash - at);
    at = slash + 1;
    if (name.empty()) continue;
    if (!node->directory) return nullptr;
    const auto entry = node->entries.find(name);
    if (entry == node->entries.end()) return nullptr;
    node = entry->second;
  }
  return node;
}

Result<std::pair<std::shared_ptr<PowerLossFileSystem::Node>, std::string>> PowerLossFileSystem::parent_of(
    const std::string& path) const {
  auto node = look_up(parent_directory(path));
  if (!node || !node->directory) return Error{Errc::NotFound, path + ": no such directory"};
  return std::pair(std::move(node), path.substr(path.find_last_of('/') + 1));
}

Result<std::unique_ptr<File>> PowerLossFileSystem::open(const std::string& path, bool create) {
  const std::lock_guard lock(mutex_);
  auto node = look_up(path);
  if (create) {
    if (node) return Error{Errc::Io, path + " exists"};
    HM_TRY(auto parent, parent_of(path));
    node = std::make_shared<Node>();
    nodes_.push_back(node);
    record({nullptr, parent.first, node, nullptr, {}, parent.second});
  }
  if (!node || node->directory) return Error{Errc::NotFound, path + ": no such file"};
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, node));
}
Result<std::unique_ptr<File>> PowerLossFileSystem::open_read(const std::string& path) { return open(path, false); }
Result<std::unique_ptr<File>> PowerLossFileSystem::create_new(const std::string& path) { return open(path, true); }
Result<std::unique_ptr<File>> PowerLossFileSystem::open_existing(const std::string& path) { return open(path, false); }

Result<> PowerLossFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(from);
  if (!node) return Error{Errc::NotFound, from + ": no such file"};
  HM_TRY(auto source, parent_of(from));
  HM_TRY(auto target, parent_of(to));
  const auto replaced = target.first->entries.find(target.second);
  record({source.first, target.first, node, replaced == target.first->entries.end() ? nullptr : replaced->second,
          source.second, target.second});
  return ok();
}
Result<> PowerLossFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(path);
  if (!node || node->directory) return Error{Errc::NotFound, path + ": no such file"};
  HM_TRY(auto parent, parent_of(path));
  record({parent.first, nullptr, node, nullptr, parent.second, {}});
  return ok();
}
Result<> PowerLossFileSystem::remove_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(path);
  if (!node || !node->directory || !node->entries.empty()) return Error{Errc::Io, path + " cannot be removed"};
  HM_TRY(auto parent, parent_of(path));
  record({parent.first, nullptr, node, nullptr, parent.second, {}});
  return ok();
}
Result<> PowerLossFileSystem::make_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const auto node = look_up(path))
    return node->directory ? Result<>(ok()) : Result<>(Error{Errc::Io, path + " is a file"});
  HM_TRY(make_directories(parent_directory(path)));
  HM_TRY(make_directory(path));
  return sync_directory(parent_directory(path));
}
Result<bool> PowerLossFileSystem::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (look_up(path)) return false;
  HM_TRY(auto parent, parent_of(path));
  auto node = std::make_shared<Node>();
  node->directory = true;
  record({nullptr, parent.first, node, nullptr, {}, parent.second});
  return true;
}
Result<> PowerLossFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(path);
  if (!node || !node->directory) return Error{Errc::NotFound, path + ": no such directory"};
  for (Change& change : changes_) {
    if (change.into == node || (change.out_of == node && !change.into))
      change.durable = true;  // a move is durable where it arrives
  }
  return ok();
}
Result<> PowerLossFileSystem::set_read_only(const std::string& path) {
  return exists(path) ? Result<>(ok()) : Result<>(Error{Errc::NotFound, path + ": no such file"});
}
Result<std::vector<DirectoryEntry>> PowerLossFileSystem::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(path);
  if (!node || !node->directory) return Error{Errc::NotFound, path + ": no such directory"};
  std::vector<DirectoryEntry> out;
  for (const auto& [name, child] : node->entries) out.push_back({name, child->directory, !child->directory});
  return out;
}
Result<std::uint64_t> PowerLossFileSystem::file_size(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto node = look_up(path);
  if (!node || node->directory) return Error{Errc::NotFound, path + ": no such file"};
  return std::uint64_t{node->live.size()};
}
bool PowerLossFileSystem::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return look_up(path) != nullptr;
}
Result<DiskSpace> PowerLossFileSystem::space(const std::string&) { return DiskSpace{1ULL << 40, 1ULL << 41}; }
}  // namespace hm::test
