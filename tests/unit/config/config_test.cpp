// The configuration file: what is accepted, what is refused and with which words, and that its description is complete.
#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <type_traits>

#include "config/settings.hpp"
#include "config/suggest.hpp"

namespace hm::config {
namespace {
using testing::HasSubstr;
using testing::StartsWith;

std::string message_of(std::string_view toml) {
  const auto parsed = parse_config(toml, "test.toml");
  EXPECT_FALSE(parsed) << toml;
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().code, Errc::BadInput);
  return parsed.error().what;
}

std::string described_file() {
  std::ifstream in(std::string(HM_SOURCE_DIR) + "/config/hubmirror.toml");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Counts the members of an aggregate: something that converts to anything initialises as many as there are.
struct Anything {
  template <class T>
  operator T() const;  // never defined: only asked about in unevaluated contexts
};
template <class T, class... A>
constexpr std::size_t member_count() {
  if constexpr (requires { T{A{}..., Anything{}}; })
    return member_count<T, A..., Anything>();
  else
    return sizeof...(A);
}

TEST(ConfigDescription, EqualsTheDefaults) {
  const auto parsed = parse_config(described_file(), "hubmirror.toml");
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(print_config(parsed.value()), print_config(Config{}));
}

TEST(ConfigDescription, NamesEveryKeyWithAComment) {
  const std::string text = described_file();
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  Config any;
  each_setting(any, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    const auto head = std::find(lines.begin(), lines.end(), "[" + std::string(section) + "]");
    ASSERT_NE(head, lines.end()) << section;
    const auto line =
        std::find_if(head, lines.end(), [&](const std::string& l) { return l.starts_with(std::string(key) + " = "); });
    ASSERT_NE(line, lines.end()) << section << "." << key;
    EXPECT_THAT(*(line - 1), StartsWith("# ")) << section << "." << key << " has no explanation";
  });
}

TEST(ConfigDescription, GivesTheBoundsThatAreInForce) {
  // The comment above a number's key must hold its upper bound, so that code and text cannot drift apart.
  const std::string text = described_file();
  Config any;
  each_setting(any, [&](std::string_view section, std::string_view key, auto& member, const Rule& rule) {
    if constexpr (std::is_integral_v<std::decay_t<decltype(member)>> &&
                  !std::is_same_v<std::decay_t<decltype(member)>, bool>) {
      const std::size_t head = text.find("[" + std::string(section) + "]\n");
      const std::size_t at = text.find("\n" + std::string(key) + " = ", head);
      ASSERT_NE(at, std::string::npos);
      const std::size_t start = text.rfind("\n#", at - 1);
      const std::size_t before = text.rfind("\n#", start - 1);
      const std::string comment = text.substr(before, at - before);
      const std::string bound = rule.max == kPiB ? "1 PiB" : rule.max == kTiB ? "1 TiB" : std::to_string(rule.max);
      EXPECT_THAT(comment, HasSubstr(bound)) << key;
    }
  });
}

TEST(ConfigTable, HasEveryMemberOfEveryStruct) {
  std::map<std::string, std::size_t> keys;
  Config any;
  each_setting(any,
               [&](std::string_view section, std::string_view, auto&, const Rule&) { ++keys[std::string(section)]; });
  EXPECT_EQ(keys.size(), member_count<Config>());
  EXPECT_EQ(keys["upstream"], member_count<Upstream>());
  EXPECT_EQ(keys["network"], member_count<Network>());
  EXPECT_EQ(keys["storage"], member_count<Storage>());
  EXPECT_EQ(keys["mirror"], member_count<Mirror>());
  EXPECT_EQ(keys["sync"], member_count<Sync>());
  EXPECT_EQ(keys["serve"], member_count<Serve>());
  EXPECT_EQ(keys["verify"], member_count<Verify>());
  EXPECT_EQ(keys["retention"], member_count<Retention>());
  EXPECT_EQ(keys["log"], member_count<Log>());
}

TEST(ConfigTable, DefaultsAreWithinTheirBounds) { EXPECT_TRUE(check_config(Config{})); }

TEST(Config, EmptyFileMeansDefaults) {
  const auto parsed = parse_config("", "x");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed.value().upstream.url, "https://huggingface.co");
}

TEST(Config, ReadsEachKindOfValue) {
  const auto parsed = parse_config(R"(
[upstream]
url = "http://127.0.0.1:8080/hub"
allow_private = ["10.0.0.1", "cdn.local:444", "[::1]:80", "fe80::1"]
[storage]
reserve_bytes = "1.5GiB"
index_cache_bytes = 2097152
[mirror]
pull_requests = true
files_parallel = 3
formats = ["gguf"]
[retention]
superseded_days = -1
)",
                                   "x");
  ASSERT_TRUE(parsed) << parsed.error().what;
  const Config& c = parsed.value();
  EXPECT_EQ(c.upstream.url, "http://127.0.0.1:8080/hub");
  EXPECT_EQ(c.upstream.allow_private.size(), 4U);
  EXPECT_EQ(c.storage.reserve_bytes, 1'610'612'736U);
  EXPECT_EQ(c.storage.index_cache_bytes, 2'097'152U);
  EXPECT_TRUE(c.mirror.pull_requests);
  EXPECT_EQ(c.mirror.files_parallel, 3);
  EXPECT_EQ(c.mirror.formats, std::vector<std::string>{"gguf"});
  EXPECT_EQ(c.retention.superseded_days, -1);
}

TEST(ConfigErrors, UnknownKeyNamesPlaceAndLikelyKey) {
  EXPECT_EQ(message_of("[mirror]\nfile_parallel = 3\n"),
            "test.toml:2:1: unknown key \"file_parallel\" in [mirror]; did you mean \"files_parallel\"?");
}
TEST(ConfigErrors, KeyInTheWrongSectionNamesTheRightOne) {
  EXPECT_EQ(message_of("[mirror]\nreserve_bytes = 3\n"),
            "test.toml:2:1: unknown key \"reserve_bytes\" in [mirror]; it belongs into [storage]");
}
TEST(ConfigErrors, UnknownSection) {
  EXPECT_EQ(message_of("[miror]\n"), "test.toml:1:2: unknown section [miror]; did you mean \"mirror\"?");
}
TEST(ConfigErrors, KeyOutsideOfSections) {
  EXPECT_THAT(message_of("url = \"https://x\"\n"),
              HasSubstr("test.toml:1:1: \"url\" stands outside of any section; it belongs into [upstream]"));
}
TEST(ConfigErrors, WrongTypes) {
  EXPECT_EQ(message_of("[mirror]\nfiles_parallel = \"3\"\n"),
            "test.toml:2:18: mirror.files_parallel must be a whole number, not a text");
  EXPECT_THAT(message_of("[mirror]\nfiles_parallel = 3.5\n"), HasSubstr("must be a whole number, not a fraction"));
  EXPECT_THAT(message_of("[mirror]\npull_requests = 1\n"), HasSubstr("must be true or false, not a whole number"));
  EXPECT_THAT(message_of("[mirror]\ninclude = \"*.bin\"\n"), HasSubstr("must be a list of texts"));
  EXPECT_THAT(message_of("[mirror]\ninclude = [1]\n"), HasSubstr("must be a list of texts only"));
  EXPECT_THAT(message_of("[mirror]\ninclude = [\"\"]\n"), HasSubstr("empty entry"));
  EXPECT_THAT(message_of("[upstream.url]\n"), HasSubstr("must be a value, not a section"));
  EXPECT_THAT(message_of("[upstream]\nurl = 2026-01-01\n"), HasSubstr("not a date or time"));
}
TEST(ConfigErrors, OutOfRangeGivesBoundsAndUnit) {
  EXPECT_EQ(message_of("[mirror]\nfiles_parallel = 0\n"),
            "test.toml:2:18: mirror.files_parallel 0 is out of range; allowed are 1 to 256 files");
  EXPECT_THAT(message_of("[mirror]\nfiles_parallel = 99999999999\n"), HasSubstr("allowed are 1 to 256 files"));
  EXPECT_THAT(message_of("[network]\nconnect_timeout_ms = 1\n"), HasSubstr("allowed are 100 to 300000 ms"));
  EXPECT_THAT(message_of("[storage]\nreserve_bytes = -1\n"), HasSubstr("-1 is out of range"));
  EXPECT_THAT(message_of("[storage]\nindex_cache_bytes = \"1k\"\n"), HasSubstr("1048576 (1.0 MiB)"));
  EXPECT_THAT(message_of("[storage]\nreserve_bytes = \"lots\"\n"), HasSubstr("is not a size"));
  EXPECT_THAT(message_of("[retention]\nsuperseded_days = -2\n"), HasSubstr("allowed are -1 to 36500 days"));
}
TEST(ConfigErrors, FormsOfTexts) {
  EXPECT_THAT(message_of("[upstream]\nurl = \"ftp://x\"\n"), HasSubstr("no http or https URL"));
  EXPECT_THAT(message_of("[upstream]\nurl = \"\"\n"), HasSubstr("no http or https URL"));
  const std::string secret = message_of("[upstream]\nurl = \"https://me:hf_secret@x\"\n");
  EXPECT_THAT(secret, HasSubstr("user name or password"));
  EXPECT_THAT(secret, Not(HasSubstr("hf_secret")));
  EXPECT_THAT(message_of("[upstream]\nallow_private = [\"http://x\"]\n"), HasSubstr("no \"host\" or \"host:port\""));
  EXPECT_THAT(message_of("[upstream]\nallow_private = [\"x:99999\"]\n"), HasSubstr("no \"host\" or \"host:port\""));
  EXPECT_THAT(message_of("[upstream]\nuser_agent_contact = \"a\\nX-Evil: 1\"\n"), HasSubstr("control characters"));
  EXPECT_THAT(message_of("[log]\nlevel = \"loud\"\n"), HasSubstr("allowed are debug, info, warning, error, off"));
  EXPECT_THAT(message_of("[mirror]\nformats = [\"gguff\"]\n"), HasSubstr("did you mean \"gguf\"?"));
}
TEST(ConfigErrors, BrokenTomlNamesThePlace) {
  EXPECT_THAT(message_of("[mirror\n"), StartsWith("test.toml:1:"));
  EXPECT_THAT(message_of("[mirror]\na = 1\na = 2\n"), StartsWith("test.toml:3:"));
  EXPECT_THAT(message_of(std::string(2 << 20, '#')), HasSubstr("larger than"));
}
TEST(ConfigErrors, HostileNamesStayOnOneLine) {
  const std::string what = message_of("[mirror]\n\"a\\u001b[2Jb\\nc\" = 1\n");
  EXPECT_EQ(what.find_first_of("\x1b\n"), std::string::npos) << what;
}

TEST(ConfigPrint, ComesBackEqual) {
  Config c;
  c.upstream.url = "https://hub.example/x\\y";
  c.mirror.include = {"a\"b", "c\\d"};
  c.mirror.files_parallel = 17;
  c.retention.superseded_days = 30;
  c.log.format = "json";
  const std::string text = print_config(c);
  const auto back = parse_config(text, "printed");
  ASSERT_TRUE(back) << back.error().what << "\n" << text;
  EXPECT_EQ(print_config(back.value()), text);
  EXPECT_EQ(back.value().mirror.include, c.mirror.include);
}
TEST(ConfigPrint, HidesTheProxysPassword) {
  Config c;
  c.upstream.proxy = "http://user:pa@ss@proxy:3128";
  EXPECT_THAT(print_config(c), HasSubstr("proxy = \"http://***@proxy:3128\""));
  EXPECT_THAT(print_config(c), Not(HasSubstr("ss@")));
}

TEST(ConfigFile, PathsStartAtItsFolder) {
  const std::string folder = testing::TempDir() + "hm_config_file";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/c.toml")
      << "[storage]\ndata_dir = \"data\"\n[upstream]\ntoken_file = \"/abs/token\"\nca_file = \"~/ca.pem\"\n";
  const auto loaded = load_config_file(folder + "/c.toml");
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded.value().storage.data_dir, folder + "/data");
  EXPECT_EQ(loaded.value().upstream.token_file, "/abs/token");
  EXPECT_THAT(loaded.value().upstream.ca_file, StartsWith("/"));
  const auto absent = load_config_file(folder + "/absent.toml");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().what, HasSubstr("absent.toml"));
}

TEST(Suggest, FindsNearWordsOnly) {
  EXPECT_EQ(nearest("mirorr", {"mirror", "show"}), "mirror");
  EXPECT_EQ(nearest("hsow", {"mirror", "show"}), "show");
  EXPECT_EQ(nearest("zzzz", {"mirror", "show"}), "");
  EXPECT_EQ(did_you_mean("zzzz", {"mirror"}), "");
}
}  // namespace
}  // namespace hm::config
