// What the environment may say: overrides, places of files, the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/log.hpp"
#include "config/config.hpp"

namespace hm::config {
namespace {
using testing::HasSubstr;

/// Every test starts with none of the variables that matter and an empty home.
class Environment : public testing::Test {
 protected:
  void SetUp() override {
    home_ = testing::TempDir() + "hm_env_" + std::to_string(::getpid());
    std::filesystem::remove_all(home_);
    std::filesystem::create_directories(home_);
    for (const char* name :
         {"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME",
          "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HUBMIRROR_DATA_DIR", "HUBMIRROR_CONFIG"}) {
      ::unsetenv(name);
    }
    set("HOME", home_);
  }
  void TearDown() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
    std::filesystem::remove_all(home_);
  }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    if (name != "HOME") set_.push_back(name);
  }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = home_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string home_;
  std::vector<std::string> set_;
};

TEST_F(Environment, EndpointAndDataDirectory) {
  set("HF_ENDPOINT", "http://mirror:8080");
  set("HUBMIRROR_DATA_DIR", "/srv/hub");
  Config c;
  ASSERT_TRUE(apply_environment(c));
  EXPECT_EQ(c.upstream.url, "http://mirror:8080");
  EXPECT_EQ(c.storage.data_dir, "/srv/hub");
}

TEST_F(Environment, TheOwnNameWinsOverTheCommonOne) {
  set("HF_ENDPOINT", "http://a");
  set("HUBMIRROR_UPSTREAM_URL", "http://b");
  Config c;
  ASSERT_TRUE(apply_environment(c));
  EXPECT_EQ(c.upstream.url, "http://b");
}

TEST_F(Environment, EveryKindOfSetting) {
  set("HUBMIRROR_MIRROR_FILES_PARALLEL", "5");
  set("HUBMIRROR_MIRROR_PULL_REQUESTS", "yes");
  set("HUBMIRROR_MIRROR_EXCLUDE", "*.bin, *.pt");
  set("HUBMIRROR_STORAGE_RESERVE_BYTES", "2GiB");
  set("HUBMIRROR_RETENTION_SUPERSEDED_DAYS", "-1");
  set("HUBMIRROR_LOG_LEVEL", "info");
  Config c;
  const auto applied = apply_environment(c);
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_EQ(c.mirror.files_parallel, 5);
  EXPECT_TRUE(c.mirror.pull_requests);
  EXPECT_EQ(c.mirror.exclude, (std::vector<std::string>{"*.bin", "*.pt"}));
  EXPECT_EQ(c.storage.reserve_bytes, 2ULL << 30);
  EXPECT_EQ(c.retention.superseded_days, -1);
  EXPECT_EQ(c.log.level, "info");
}

TEST_F(Environment, AnEmptyVariableIsNoVariable) {
  set("HF_ENDPOINT", "");
  Config c;
  ASSERT_TRUE(apply_environment(c));
  EXPECT_EQ(c.upstream.url, "https://huggingface.co");
}

TEST_F(Environment, BadValuesNameTheVariable) {
  set("HUBMIRROR_MIRROR_FILES_PARALLEL", "many");
  Config c;
  const auto applied = apply_environment(c);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::BadInput);
  EXPECT_EQ(applied.error().what, "environment: HUBMIRROR_MIRROR_FILES_PARALLEL must be a whole number, not a text");
}

TEST_F(Environment, MisspeltSettingsAreRefused) {
  set("HUBMIRROR_MIRROR_FILE_PARALLEL", "4");
  Config c;
  const auto applied = apply_environment(c);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().what, HasSubstr("did you mean \"HUBMIRROR_MIRROR_FILES_PARALLEL\"?"));
}

TEST_F(Environment, OtherNamesAreNobodysBusiness) {
  set("HUBMIRROR_CORPUS", "/x");
  set("HUBMIRROR_CRASH_AT", "y");
  Config c;
  EXPECT_TRUE(apply_environment(c));
}

TEST_F(Environment, ConfigFileIsFoundInOrder) {
  const std::string ours = write(".config/hubmirror/hubmirror.toml", "");
  EXPECT_EQ(find_config_file(), ours);
  const std::string xdg = write("xdg/hubmirror/hubmirror.toml", "");
  set("XDG_CONFIG_HOME", home_ + "/xdg");
  EXPECT_EQ(find_config_file(), xdg);
  set("HUBMIRROR_CONFIG", "/does/not/exist.toml");
  EXPECT_EQ(find_config_file(), "/does/not/exist.toml");
}

TEST_F(Environment, DataDirectoryDefaults) {
  EXPECT_EQ(data_dir_of(Config{}).value(), home_ + "/.local/share/hubmirror");
  set("XDG_DATA_HOME", "/x");
  EXPECT_EQ(data_dir_of(Config{}).value(), "/x/hubmirror");
  Config c;
  c.storage.data_dir = "/a/b/../c/";
  EXPECT_EQ(data_dir_of(c).value(), "/a/c");
  c.storage.data_dir = "rel";
  EXPECT_EQ(data_dir_of(c).value(), std::filesystem::current_path().string() + "/rel");
}

TEST_F(Environment, NoTokenIsNoError) { EXPECT_EQ(load_token(Config{}).value(), ""); }

TEST_F(Environment, TokensInOrder) {
  write(".cache/huggingface/token", "hf_cached\n");
  EXPECT_EQ(load_token(Config{}).value(), "hf_cached");
  set("HF_HOME", home_ + "/hf");
  EXPECT_EQ(load_token(Config{}).value(), "");
  write("hf/token", "hf_home");
  EXPECT_EQ(load_token(Config{}).value(), "hf_home");
  set("HF_TOKEN_PATH", write("elsewhere", "hf_path"));
  EXPECT_EQ(load_token(Config{}).value(), "hf_path");
  Config c;
  c.upstream.token_file = write("configured", "  hf_configured \r\n");
  EXPECT_EQ(load_token(c).value(), "hf_configured");
  set("HUGGING_FACE_HUB_TOKEN", "hf_old");
  EXPECT_EQ(load_token(c).value(), "hf_old");
  set("HF_TOKEN", "hf_env");
  EXPECT_EQ(load_token(c).value(), "hf_env");
}

TEST_F(Environment, TheClientsTokenIsForTheHubOnly) {
  write(".cache/huggingface/token", "hf_cached");
  for (const char* url : {"http://127.0.0.1:1", "https://evil.example", "https://huggingface.co.evil.example",
                          "http://huggingface.co", "https://huggingface.co:444"}) {
    Config c;
    c.upstream.url = url;
    EXPECT_EQ(load_token(c).value(), "") << url;
  }
}

TEST_F(Environment, MalformedTokensAreRefusedAndNeverQuoted) {
  for (const char* token : {"hf_a\nX-Evil: 1", "hf_a b", "hf_\x01", "hf_\xc3\xa4"}) {
    set("HF_TOKEN", token);
    const auto loaded = load_token(Config{});
    ASSERT_FALSE(loaded) << token;
    EXPECT_EQ(loaded.error().code, Errc::BadInput);
    EXPECT_THAT(loaded.error().what, HasSubstr("HF_TOKEN"));
    EXPECT_THAT(loaded.error().what, Not(HasSubstr("hf_")));
  }
  set("HF_TOKEN", std::string(5000, 'x'));
  EXPECT_FALSE(load_token(Config{}));
}

TEST_F(Environment, AConfiguredTokenFileMustExist) {
  Config c;
  c.upstream.token_file = home_ + "/absent";
  const auto loaded = load_token(c);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::BadInput);
  EXPECT_THAT(loaded.error().what, HasSubstr(home_ + "/absent"));
}

TEST_F(Environment, WarnsOfATokenFileThatOthersMayRead) {
  Config c;
  testing::internal::CaptureStderr();
  set_up_log(LogLevel::Warning, false);
  c.upstream.token_file = write("closed", "hf_closed", 0600);
  EXPECT_EQ(load_token(c).value(), "hf_closed");
  c.upstream.token_file = write("open", "hf_open", 0644);
  EXPECT_EQ(load_token(c).value(), "hf_open");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr("chmod 600"));
  EXPECT_THAT(lines, HasSubstr("/open"));
  EXPECT_THAT(lines, Not(HasSubstr("/closed")));
  EXPECT_THAT(lines, Not(HasSubstr("hf_open")));
}
}  // namespace
}  // namespace hm::config
