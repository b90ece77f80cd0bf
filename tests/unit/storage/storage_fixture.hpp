// tests/unit/storage/storage_fixture.hpp: what the storage tests share: a directory that goes away, a clock that
// stands, bytes by seed.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"

namespace hm::test {
class TempDirectory {
 public:
  TempDirectory() : path_((std::filesystem::temp_directory_path() / "hm-storage-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TempDirectory() { (void)remove_tree(real_file_system(), path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class StillClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_ms; }
  std::int64_t monotonic_ms() const override { return now_ms; }
  std::int64_t now_ms = 1'800'000'000'000;
};

inline std::vector<std::byte> bytes_of(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random() & 0xff);
  return out;
}
}  // namespace hm::test
