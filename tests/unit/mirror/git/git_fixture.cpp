#include "git_fixture.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.hpp"

namespace hm::git_test {
namespace {
constexpr const char* kEnvironment =
    "env -u GIT_DIR GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
    "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b "
    "GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' ";

struct Outcome {
  std::string output;
  int status = -1;
};
Outcome run(const std::string& directory, const std::string& command) {
  Outcome out;
  const std::string script = directory + "/.command-" + std::to_string(::getpid());
  write_file(script, "cd '" + directory + "' && set -e\n" + command + "\n");
  std::FILE* pipe = ::popen((kEnvironment + std::string("sh '") + script + "' 2>'" + script + ".err'").c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[65536];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.output.append(buffer, n);
  out.status = ::pclose(pipe);
  if (out.status != 0) out.output += read_file(script + ".err");
  std::filesystem::remove(script);
  std::filesystem::remove(script + ".err");
  return out;
}
}  // namespace

std::string make_temp_directory() {
  std::string path = (std::filesystem::temp_directory_path() / "hm-git-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) std::abort();
  return path;
}

void write_file(const std::string& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string read_file(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string shell(const std::string& directory, const std::string& command) {
  Outcome out = run(directory, command);
  EXPECT_EQ(out.status, 0) << command << "\n" << out.output;
  return out.output;
}
bool shell_succeeds(const std::string& directory, const std::string& command) {
  return run(directory, command).status == 0;
}

Origin::Origin(const std::string& path) : path_(path) {
  std::filesystem::create_directories(path);
  git("init -q --bare --initial-branch=main .");
}

GitOid Origin::write(std::string_view type, std::string_view bytes) const {
  write_file(path_ + "/object.tmp", bytes);
  std::string hex = git("hash-object -w --literally -t " + std::string(type) + " object.tmp");
  hex.resize(40);
  return GitOid::parse(hex).value();
}

GitOid Origin::tree(const std::vector<std::tuple<std::string, std::string, GitOid>>& entries) const {
  std::string bytes;
  for (const auto& [mode, name, oid] : entries)
    bytes.append(mode).append(" ").append(name).append(1, '\0').append(oid.view());
  return write("tree", bytes);
}

GitOid Origin::commit(const GitOid& tree, const std::vector<GitOid>& parents, std::string_view message) const {
  std::string text = "tree " + tree.hex() + "\n";
  for (const GitOid& parent : parents) text += "parent " + parent.hex() + "\n";
  text += "author a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\n\n";
  return write("commit", text.append(message));
}

void Origin::set_ref(const std::string& name, const GitOid& oid) const { git("update-ref " + name + " " + oid.hex()); }

std::string Origin::pack(const std::vector<GitOid>& oids) const {
  std::string list;
  for (const GitOid& oid : oids) list += oid.hex() + "\n";
  write_file(path_ + "/list.tmp", list);
  return git("pack-objects -q --stdout < list.tmp");
}

void Origin::grow_history(int count, const std::string& ref) const {
  std::string stream;
  std::string tip = shell(path_, "git rev-parse -q --verify " + ref + " || true");
  const int base = tip.empty() ? 0 : std::stoi(git("rev-list --count " + ref));
  for (int i = base; i < base + count; ++i) {
    const std::string text = "content " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 50), 'x');
    stream += "commit " + ref + "\ncommitter a <a@b> " + std::to_string(1700000000 + i) + " +0000\ndata 2\nm\n";
    if (i == base && !tip.empty()) stream += "from " + ref + "^0\n";
    stream += "M 100644 inline dir" + std::to_string(i % 7) + "/sub" + std::to_string(i % 3) + "/file" +
              std::to_string(i % 20) + ".txt\ndata " + std::to_string(text.size()) + "\n" + text + "\n";
  }
  write_file(path_ + "/stream.tmp", stream);
  git("fast-import --quiet --force < stream.tmp");
}

std::string refs_of(const std::string& repository) {
  return shell(repository, "git for-each-ref --format='%(refname) %(objectname) %(*objectname)'");
}
std::string objects_of(const std::string& repository) {
  return shell(repository, "git rev-list --objects --all | cut -c1-40 | sort");
}

std::vector<std::string> files_below(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

GitServer::GitServer(const std::string& root, bool hide_v2) : root_(root) {
  int to_child[2], from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) std::abort();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(to_child[0], 0);
    ::dup2(from_child[1], 1);
    ::execlp("python3", "python3", HM_GIT_HTTP_SERVER, root.c_str(), hide_v2 ? "--no-v2" : nullptr, nullptr);
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  input_ = to_child[1];
  char line[16] = {};
  std::size_t n = 0;
  for (char c = 0; n + 1 < sizeof line && ::read(from_child[0], &c, 1) == 1 && c != '\n';) line[n++] = c;
  ::close(from_child[0]);
  port_ = static_cast<std::uint16_t>(std::atoi(line));
  EXPECT_NE(port_, 0) << "the test server did not start";
}

GitServer::~GitServer() {
  ::close(input_);  // it ends when its standard input does
  ::waitpid(pid_, nullptr, 0);
}

std::vector<std::string> GitServer::requests() const {
  std::vector<std::string> out;
  std::ifstream log(root_ + "/requests.log");
  for (std::string line; std::getline(log, line);) out.push_back(line);
  return out;
}

GitTest::~GitTest() { EXPECT_TRUE(remove_tree(real_file_system(), directory_).has_value()); }
}  // namespace hm::git_test
