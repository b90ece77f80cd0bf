// The command line: what is read from it, what is refused with which words, and the exit codes of run().
#include "app/cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hm::app {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

Result<std::variant<Invocation, HelpText>> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "hubmirror");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}
Invocation accepted(const std::vector<const char*>& arguments) {
  auto parsed = parse(arguments);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.assume_error().what);
  if (!parsed || !std::holds_alternative<Invocation>(parsed.assume_value())) {
    ADD_FAILURE() << "no invocation";
    return {};
  }
  return std::get<Invocation>(parsed.assume_value());
}
std::string refused(const std::vector<const char*>& arguments) {
  auto parsed = parse(arguments);
  EXPECT_FALSE(parsed);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.assume_error().code, Errc::BadInput);
  return parsed.assume_error().what;
}
std::string help(const std::vector<const char*>& arguments) {
  auto parsed = parse(arguments);
  EXPECT_TRUE(parsed);
  if (!parsed || !std::holds_alternative<HelpText>(parsed.assume_value())) return "no help";
  return std::get<HelpText>(parsed.assume_value()).text;
}

TEST(CommandLine, SmallestUse) {
  const Invocation i = accepted({"mirror", "org/name"});
  EXPECT_THAT(std::get<MirrorCommand>(i.command).repos, ElementsAre("org/name"));
  EXPECT_FALSE(i.global.json);
}

TEST(CommandLine, GlobalOptionsBeforeOrAfterTheCommand) {
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{"--data-dir", "/d", "--jobs", "3", "--json", "mirror", "a/b"},
                                             {"mirror", "a/b", "--data-dir", "/d", "--jobs", "3", "--json"},
                                             {"mirror", "--data-dir=/d", "-j3", "--json", "a/b"}}) {
    const Invocation i = accepted(arguments);
    EXPECT_EQ(i.global.data_dir, "/d");
    EXPECT_EQ(i.global.jobs, 3);
    EXPECT_TRUE(i.global.json);
    EXPECT_THAT(std::get<MirrorCommand>(i.command).repos, ElementsAre("a/b"));
  }
}

TEST(CommandLine, GlobalOptionsAfterANestedCommand) {
  const Invocation i = accepted({"index", "rebuild", "--data-dir", "/d", "-q"});
  EXPECT_TRUE(std::holds_alternative<IndexRebuildCommand>(i.command));
  EXPECT_EQ(i.global.data_dir, "/d");
  EXPECT_TRUE(i.global.quiet);
}

TEST(CommandLine, ListOptionsDoNotSwallowTheRepositories) {
  const Invocation i = accepted({"mirror", "--include", "*.json", "org/a", "--exclude", "*.bin", "--exclude=*.pt",
                                 "--formats", "gguf,safetensors", "org/b", "--allow-private", "10.0.0.1", "org/c"});
  const auto& m = std::get<MirrorCommand>(i.command);
  EXPECT_THAT(m.repos, ElementsAre("org/a", "org/b", "org/c"));
  EXPECT_THAT(m.include, ElementsAre("*.json"));
  EXPECT_THAT(m.exclude, ElementsAre("*.bin", "*.pt"));
  EXPECT_THAT(m.formats, ElementsAre("gguf", "safetensors"));
  EXPECT_THAT(i.global.allow_private, ElementsAre("10.0.0.1"));
}

TEST(CommandLine, EveryOptionOfMirror) {
  const Invocation i = accepted({"mirror", "--from", "-", "--unfinished", "--revision", "v1", "--max-file-size", "200M",
                                 "--all-history", "--pull-requests"});
  const auto& m = std::get<MirrorCommand>(i.command);
  EXPECT_EQ(m.from, "-");
  EXPECT_TRUE(m.unfinished);
  EXPECT_EQ(m.revision, "v1");
  EXPECT_EQ(m.file_bytes_max, "200M");
  EXPECT_TRUE(m.all_history);
  EXPECT_TRUE(m.pull_requests);
}

TEST(CommandLine, EveryOtherCommand) {
  EXPECT_TRUE(std::holds_alternative<InitCommand>(accepted({"init"}).command));
  EXPECT_TRUE(std::get<LsCommand>(accepted({"ls", "--long"}).command).long_form);
  EXPECT_EQ(std::get<LsCommand>(accepted({"ls", "qwen*"}).command).target, "qwen*");
  EXPECT_TRUE(std::get<ShowCommand>(accepted({"show", "a/b", "--files"}).command).files);
  const auto verify =
      std::get<VerifyCommand>(accepted({"verify", "a/b", "c/d", "--deep", "--repair", "--rate", "10M"}).command);
  EXPECT_TRUE(verify.deep && verify.repair);
  EXPECT_EQ(verify.rate, "10M");
  EXPECT_THAT(verify.repos, ElementsAre("a/b", "c/d"));
  EXPECT_EQ(std::get<PinCommand>(accepted({"pin", "a/b@v1", "--reason", "cited"}).command).reason, "cited");
  EXPECT_EQ(std::get<UnpinCommand>(accepted({"unpin", "a/b"}).command).repo, "a/b");
  EXPECT_TRUE(std::get<RmCommand>(accepted({"rm", "-y", "a/b"}).command).yes);
  EXPECT_TRUE(std::get<GcCommand>(accepted({"gc", "-n"}).command).dry_run);
  const auto path = std::get<PathCommand>(accepted({"path", "a/b", "f.bin", "--revision", "v1", "--git"}).command);
  EXPECT_EQ(path.file, "f.bin");
  EXPECT_EQ(path.revision, "v1");
  EXPECT_TRUE(path.git);
  EXPECT_EQ(std::get<ConfigCheckCommand>(accepted({"config", "check", "x.toml"}).command).file, "x.toml");
  EXPECT_TRUE(std::holds_alternative<ConfigPrintCommand>(accepted({"config", "print"}).command));
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(accepted({"version"}).command));
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(accepted({"--version"}).command));
}

TEST(CommandLine, NamesThatLookLikeCommandsOrOptions) {
  EXPECT_THAT(std::get<MirrorCommand>(accepted({"mirror", "gc", "show"}).command).repos, ElementsAre("gc", "show"));
  EXPECT_EQ(std::get<PathCommand>(accepted({"path", "a/b", "--", "-dash.bin"}).command).file, "-dash.bin");
  EXPECT_EQ(std::get<PathCommand>(accepted({"path", "a/b", "--", "--help.bin"}).command).file, "--help.bin");
  EXPECT_EQ(std::get<PathCommand>(accepted({"path", "a/b", "--", "new\nline"}).command).file, "new\nline");
  EXPECT_EQ(std::get<PathCommand>(accepted({"path", "--json", "a/b", "--", "--json"}).command).file, "--json");
}

TEST(CommandLineErrors, NameTheLikelyWord) {
  EXPECT_EQ(refused({"mirorr", "org/name"}),
            "unknown command \"mirorr\"; did you mean \"mirror\"?; see `hubmirror --help`");
  EXPECT_THAT(refused({"mirror", "--inclde=x", "org/name"}),
              HasSubstr("unknown option \"--inclde=x\"; did you mean \"--include\"?"));
  EXPECT_THAT(refused({"mirror", "--dat-dir", "x", "org/name"}), HasSubstr("did you mean \"--data-dir\"?"));
  EXPECT_THAT(refused({"config", "chek"}), HasSubstr("did you mean \"check\"?"));
}
TEST(CommandLineErrors, MissingAndSuperfluousParts) {
  EXPECT_THAT(refused({}), HasSubstr("no command given"));
  EXPECT_THAT(refused({"show"}), HasSubstr("REPO"));
  EXPECT_THAT(refused({"index"}), HasSubstr("see `hubmirror index --help`"));
  EXPECT_THAT(refused({"config"}), HasSubstr("see `hubmirror config --help`"));
  EXPECT_THAT(refused({"ls", "a", "b"}), HasSubstr("unexpected argument \"b\""));
  EXPECT_THAT(refused({"version", "extra"}), HasSubstr("unexpected argument \"extra\""));
  EXPECT_THAT(refused({"mirror", "--max-file-size"}), HasSubstr("--max-file-size"));
  EXPECT_THAT(refused({"--jobs", "0", "ls"}), HasSubstr("--jobs"));
  EXPECT_THAT(refused({"--jobs", "many", "ls"}), HasSubstr("--jobs"));
}
TEST(CommandLineErrors, StayOnOneLineAndHarmless) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{
           {"\x1b]0;owned\x07"}, {"ls", "a", "b\nhubmirror: error: forged"}, {"--jobs", "\x1b[2J", "ls"}}) {
    EXPECT_EQ(refused(arguments).find_first_of("\x1b\x07\n\r"), std::string::npos);
  }
}

TEST(CommandLineHelp, OfTheProgramOfACommandOfAll) {
  EXPECT_THAT(help({"--help"}), HasSubstr("mirror"));
  EXPECT_THAT(help({"mirror", "--help"}), HasSubstr("--unfinished"));
  EXPECT_THAT(help({"mirror", "--help"}), HasSubstr("Usage: hubmirror mirror [OPTIONS]"));
  EXPECT_THAT(help({"mirror", "--help"}), HasSubstr("Exit codes: 0 done"));
  EXPECT_THAT(help({"config", "print", "-h"}), HasSubstr("without secrets"));
  const std::string all = help({"--help-all"});
  for (const char* word : {"--unfinished", "--dry-run", "--repair", "rebuild", "--allow-private"})
    EXPECT_THAT(all, HasSubstr(word));
}

/// run() with a home of its own and nothing in the environment.
class Run : public testing::Test {
 protected:
  void SetUp() override {
    home_ = testing::TempDir() + "hm_cli_" + std::to_string(::getpid());
    std::filesystem::remove_all(home_);
    std::filesystem::create_directories(home_);
    ::setenv("HOME", home_.c_str(), 1);
    for (const char* name : {"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUBMIRROR_CONFIG",
                             "HUBMIRROR_DATA_DIR", "HUBMIRROR_STORAGE_DATA_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"})
      ::unsetenv(name);
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  Exit run_with(std::vector<const char*> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), "hubmirror");
    in_.clear();
    in_.str(input);
    out_.str("");
    err_.str("");
    return run(static_cast<int>(arguments.size()), arguments.data(), Streams{in_, out_, err_, false, false});
  }
  std::string home_;
  std::istringstream in_;
  std::ostringstream out_, err_;
};

TEST_F(Run, WrongUsageIsTwoAndOneLine) {
  EXPECT_EQ(run_with({"mirorr"}), Exit::Usage);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(),
            "hubmirror: error: unknown command \"mirorr\"; did you mean \"mirror\"?; see `hubmirror --help`\n");
}
TEST_F(Run, WrongValuesAreTwo) {
  EXPECT_EQ(run_with({"--log-level", "loud", "ls"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("debug, info, warning, error, off"));
  EXPECT_EQ(run_with({"--upstream", "ftp://x", "mirror", "a/b"}), Exit::Usage);
  EXPECT_EQ(run_with({"--allow-private", "a b", "mirror", "a/b"}), Exit::Usage);
  EXPECT_EQ(run_with({"mirror", "no such/name"}), Exit::Usage);
  EXPECT_EQ(run_with({"mirror", "a/b", "--formats", "gguff"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean \"gguf\"?"));
  EXPECT_EQ(run_with({"mirror", "a/b", "--max-file-size", "lots"}), Exit::Usage);
  EXPECT_EQ(run_with({"mirror", "a/b@v1", "--revision", "v2"}), Exit::Usage);
  EXPECT_EQ(run_with({"verify", "--rate", "fast"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("--rate"));
  EXPECT_EQ(run_with({"rm", "a/b"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("--yes"));
  EXPECT_FALSE(std::filesystem::exists(home_ + "/.local")) << "nothing was done";
}
TEST_F(Run, ADataDirectoryIsNeverGuessed) {
  EXPECT_EQ(run_with({"--data-dir", "", "init"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("--data-dir is empty"));
  for (const char* name : {"HUBMIRROR_DATA_DIR", "HUBMIRROR_STORAGE_DATA_DIR"}) {
    ::setenv(name, "", 1);
    EXPECT_EQ(run_with({"init"}), Exit::Usage);
    EXPECT_THAT(err_.str(), HasSubstr(std::string(name) + " is set and empty"));
    ::setenv(name, "~/x", 1);
    EXPECT_EQ(run_with({"init"}), Exit::Usage);
    EXPECT_THAT(err_.str(), HasSubstr("~ is expanded by the shell, not here"));
    ::unsetenv(name);
  }
  for (const char* path : {"~/x", "~"}) {
    EXPECT_EQ(run_with({"--data-dir", path, "init"}), Exit::Usage);
    EXPECT_THAT(err_.str(), HasSubstr("~ is expanded by the shell, not here; write the full path"));
    EXPECT_EQ(run_with({"--config", path, "ls"}), Exit::Usage);
    EXPECT_THAT(err_.str(), HasSubstr("~ is expanded by the shell"));
  }
  std::ofstream(home_ + "/file") << "x";
  EXPECT_EQ(run_with({"--data-dir", (home_ + "/file").c_str(), "init"}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("is a file, not a directory"));
  EXPECT_EQ(run_with({"--data-dir", (home_ + "/absent").c_str(), "ls"}), Exit::Usage);
  EXPECT_FALSE(std::filesystem::exists(home_ + "/.local")) << "nothing was done";
}
TEST_F(Run, ListsAreReadWithTheirLines) {
  EXPECT_EQ(run_with({"mirror", "--from", "-"}, "# nothing\n\n"), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("names no repository"));
  EXPECT_EQ(run_with({"mirror", "--from", "-"}, "org/a\nno such thing!\n"), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("standard input:2"));
  EXPECT_EQ(run_with({"mirror", "--from", (home_ + "/absent").c_str()}), Exit::Usage);
  EXPECT_EQ(run_with({"mirror", "--from", home_.c_str()}), Exit::Usage);
  EXPECT_THAT(err_.str(), HasSubstr("is a directory"));
  EXPECT_EQ(run_with({"mirror"}), Exit::Usage);
}
TEST_F(Run, ConfigurationErrorsNameThePlace) {
  const std::string path = home_ + "/bad.toml";
  std::ofstream(path) << "[mirror]\nfiles_paralel = 3\n";
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{"--config", path.c_str(), "ls"}, {"config", "check", path.c_str()}}) {
    EXPECT_EQ(run_with(arguments), Exit::Usage);
    EXPECT_THAT(err_.str(),
                HasSubstr(path + ":2:1: unknown key \"files_paralel\" in [mirror]; did you mean \"files_parallel\"?"));
  }
}
TEST_F(Run, ConfigPrintAndVersion) {
  EXPECT_EQ(run_with({"config", "print", "--jobs", "7"}), Exit::Done);
  EXPECT_THAT(out_.str(), HasSubstr("repos_parallel = 7"));
  EXPECT_EQ(run_with({"--json", "config", "print"}), Exit::Done);
  EXPECT_THAT(out_.str(), HasSubstr("\"repos_parallel\": 2"));
  EXPECT_EQ(run_with({"version"}), Exit::Done);
  EXPECT_THAT(out_.str(), testing::StartsWith("hubmirror "));
  EXPECT_THAT(out_.str(), HasSubstr("libgit2 1."));
}
TEST_F(Run, LookingWithoutADataDirectorySaysWhatToRun) {
  EXPECT_NE(run_with({"ls"}), Exit::Done);
  EXPECT_THAT(err_.str(), testing::ContainsRegex("init|mirror"));
  EXPECT_FALSE(std::filesystem::exists(home_ + "/.local"));
}
TEST_F(Run, AnEmptyMirrorCanBeLookedAt) {
  EXPECT_EQ(run_with({"init"}), Exit::Done);
  EXPECT_EQ(run_with({"--json", "ls"}), Exit::Done);
  EXPECT_EQ(out_.str(), "{\n  \"repos\": []\n}\n");
  EXPECT_EQ(run_with({"show", "org/name"}), Exit::Incomplete);
  EXPECT_THAT(err_.str(), HasSubstr("hubmirror mirror org/name"));
  EXPECT_EQ(run_with({"index", "rebuild"}), Exit::Done);
  EXPECT_EQ(run_with({"verify"}), Exit::Done);
  EXPECT_EQ(run_with({"gc"}), Exit::Done);
  EXPECT_EQ(run_with({"rm", "--yes", "org/name"}), Exit::Incomplete);
}

TEST(ExitCodes, FollowTheErrors) {
  EXPECT_EQ(exit_of({Errc::BadInput, ""}), Exit::Usage);
  EXPECT_EQ(exit_of({Errc::NotFound, ""}), Exit::Incomplete);
  EXPECT_EQ(exit_of({Errc::Gated, ""}), Exit::Incomplete);
  for (const Errc code :
       {Errc::Busy, Errc::NoSpace, Errc::Unreachable, Errc::Io, Errc::Cancelled, Errc::Corrupt, Errc::Refused})
    EXPECT_EQ(exit_of({code, ""}), Exit::CannotContinue);
}
}  // namespace
}  // namespace hm::app
