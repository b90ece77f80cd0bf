// tests/unit/mirror/git/git_fixture.hpp: real git and a real git server for tests: a temporary directory, commands in
// it, packs from it.
#pragma once
#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "mirror/git/repository.hpp"

namespace hm::git_test {
std::string make_temp_directory();
void write_file(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

/// Runs a shell command line in `directory` with a fixed identity and date and no configuration but its own; fails the
/// test when it fails.
std::string shell(const std::string& directory, const std::string& command);
/// The same; returns whether it succeeded.
bool shell_succeeds(const std::string& directory, const std::string& command);

/// A bare repository built object by object.
class Origin {
 public:
  explicit Origin(const std::string& path);
  const std::string& path() const { return path_; }
  std::string git(const std::string& arguments) const { return shell(path_, "git " + arguments); }
  GitOid write(std::string_view type, std::string_view bytes) const;  ///< any bytes, also such as git refuses
  GitOid blob(std::string_view bytes) const { return write("blob", bytes); }
  GitOid tree(const std::vector<std::tuple<std::string, std::string, GitOid>>& entries)
      const;  ///< mode, name, id; as given, unsorted
  GitOid commit(const GitOid& tree, const std::vector<GitOid>& parents = {}, std::string_view message = "m") const;
  void set_ref(const std::string& name, const GitOid& oid) const;
  std::string pack(const std::vector<GitOid>& oids) const;  ///< exactly these objects
  /// `count` commits on refs/heads/main that each change one of a few files in a few directories.
  void grow_history(int count, const std::string& ref = "refs/heads/main") const;

 private:
  std::string path_;
};

/// What two repositories must agree on: refs, and every reachable object.
std::string refs_of(const std::string& repository);
std::string objects_of(const std::string& repository);
std::vector<std::string> files_below(const std::string& directory);

/// tests/support/git_http_server.py as a process.
class GitServer {
 public:
  explicit GitServer(const std::string& root, bool hide_v2 = false);
  ~GitServer();
  GitServer(const GitServer&) = delete;
  GitServer& operator=(const GitServer&) = delete;
  std::string url(const std::string& repository) const { return origin() + "/" + repository; }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> requests() const;

 private:
  std::string root_;
  pid_t pid_ = -1;
  int input_ = -1;
  std::uint16_t port_ = 0;
};

/// One temporary directory and libgit2 for each test.
class GitTest : public testing::Test {
 protected:
  GitTest() : directory_(make_temp_directory()) {}
  ~GitTest() override;
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  const mirror::GitRuntime runtime_;
  const std::string directory_;
};
}  // namespace hm::git_test
