// Which rules the daemon can take while it runs, and which it does not take at all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/daemon/in_force.hpp"

namespace hm::app {
namespace {
class RulesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "hm_rules_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_ + "/policies");
    options_.config_file = folder_ + "/hubmirror.toml";
    options_.data_dir = folder_ + "/data";
    write("policies/one.toml", "[select]\nrepos = [\"org/a\"]\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }
  Result<RulesView> with(const std::string& toml) {
    write("hubmirror.toml", toml);
    return load_rules(options_);
  }
  std::string folder_;
  GlobalOptions options_;
};

TEST_F(RulesTest, AreReadWithTheirPolicies) {
  const auto rules = with("");
  ASSERT_TRUE(rules) << rules.error().what;
  EXPECT_EQ(rules.value()->policies->size(), 1U);
  write("policies/two.toml", "[select]\nnamse = [\"x\"]\n");
  EXPECT_FALSE(with("")) << "one bad policy spoils all";
}

TEST_F(RulesTest, PoliciesOfAnotherHubAreNotTaken) {
  write("policies/two.toml", "[select]\nrepos = [\"https://elsewhere.example/org/a\"]\n");
  const auto rules = with("");
  ASSERT_FALSE(rules);
  EXPECT_NE(rules.error().what.find("elsewhere.example"), std::string::npos) << rules.error().what;
}

TEST_F(RulesTest, WhatIsOpenedOnceCannotChange) {
  const auto before = with("");
  ASSERT_TRUE(before);
  for (const char* fine : {"[crawl]\nvisits_per_day_max = 0\n", "[budget]\nbytes_per_second_max = \"1MiB\"\n",
                           "[mirror]\nrepos_parallel = 7\nfiles_parallel = 3\n", "[log]\nlevel = \"debug\"\n",
                           "[serve]\ndrain_timeout_ms = 5\n", "[retention]\ngrace_hours = 1\n"}) {
    const auto after = with(fine);
    ASSERT_TRUE(after) << after.error().what;
    EXPECT_TRUE(check_change(before.value()->settings, after.value()->settings, "daemon")) << fine;
  }
  for (const auto& [toml, name] : {std::pair("[upstream]\nurl = \"https://other.example\"\n", "upstream.url"),
                                   std::pair("[network]\nretries_max = 1\n", "network.retries_max"),
                                   std::pair("[storage]\nreserve_bytes = 1\n", "storage.reserve_bytes"),
                                   std::pair("[serve]\nlisten = [\"127.0.0.1:1\"]\n", "serve.listen")}) {
    const auto after = with(toml);
    ASSERT_TRUE(after) << after.error().what;
    const auto taken = check_change(before.value()->settings, after.value()->settings, "daemon");
    ASSERT_FALSE(taken) << toml;
    EXPECT_NE(taken.error().what.find(name), std::string::npos) << taken.error().what;
  }
}
}  // namespace
}  // namespace hm::app
