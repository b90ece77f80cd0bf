// The downloader with all its real parts: libcurl, the store on disk, and a fake Hub in a process of its own, on
// 127.0.0.1.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstdio>

#include "base/canonical_json.hpp"
#include "net/curl_http_client.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/lfs/fake_host.hpp"

namespace hm::test {
namespace {
namespace asio = boost::asio;

/// hub_for_download.py; ends with this object.
class HubProcess {
 public:
  HubProcess(const std::string& root, const std::string& faults, const std::string& options,
             const std::vector<std::string>& files) {
    std::vector<std::string> words{"python3", HM_HUB_SCRIPT, root, faults, options};
    words.insert(words.end(), files.begin(), files.end());
    std::array<int, 2> to{}, from{};
    if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      std::vector<char*> argv;
      for (auto& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = ::fdopen(to[1], "w");
    out_ = ::fdopen(from[0], "r");
    facts = read_line();
  }
  ~HubProcess() {
    std::fclose(in_);
    std::fclose(out_);
    ::waitpid(pid_, nullptr, 0);
  }
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  struct Request {
    std::string path, range;  ///< range empty when there was none
    std::int64_t status = 0, bytes = 0;
  };
  /// Downloads so far, all of them ended.
  std::vector<Request> log() {
    std::fputs("log\n", in_);
    std::fflush(in_);
    std::vector<Request> requests;
    const json::value lines = read_line();
    for (const auto& line : lines.as_array()) {
      Request& r = requests.emplace_back();
      r.path = line.at(0).as_string();
      if (line.at(1).is_string()) r.range = line.at(1).as_string();
      r.status = line.at(2).is_null() ? 0 : line.at(2).to_number<std::int64_t>();
      r.bytes = line.at(3).to_number<std::int64_t>();
    }
    return requests;
  }
  json::value facts;

 private:
  json::value read_line() {
    std::string line;
    for (int c = 0; (c = std::fgetc(out_)) != EOF && c != '\n';) line += static_cast<char>(c);
    auto parsed = parse_json(line);
    if (!parsed) std::abort();  // the script says why on standard error
    return std::move(parsed).assume_value();
  }
  pid_t pid_ = -1;
  FILE* in_ = nullptr;
  FILE* out_ = nullptr;
};

class DownloadProcessTest : public testing::Test, public DownloadFixture {
 protected:
  DownloadProcessTest() : DownloadFixture(256 << 10) {}
  ~DownloadProcessTest() override { downloader.reset(); }

  void start(const std::string& rules, const std::vector<std::string>& files = {"1:5000000", "4:30000"},
             const std::string& hub_options = "{}") {
    hub.emplace(directory + "/hub", R"({"seed":1,"rules":[)" + rules + "]}", hub_options, files);
    for (const auto& file : hub->facts.at("files").as_array()) {
      mirror::WantedBlob& blob = wanted.emplace_back();
      blob.path = file.at(0).as_string();
      blob.id = Sha256::parse(std::string_view(file.at(1).as_string())).value();
      blob.size_bytes = file.at(2).to_number<std::uint64_t>();
      blob.revision = hub->facts.at("revision").as_string();
    }
    connect();
  }
  void connect() {
    downloader.reset();
    api.reset();
    net::CurlOptions curl;
    curl.upstream_url = std::string(hub->facts.at("endpoint").as_string());
    net::HostPort cdn;
    cdn.host = "127.0.0.1";
    curl.allowed_private.push_back(cdn);
    client = net::make_curl_http_client(context.get_executor(), curl).value();
    hub::RetryPolicy retry;
    retry.sleep = clock.sleeper();
    retry.clock = &clock;
    store = storage::make_local_blob_store(fs, storage::DataDir(directory + "/data"), store_options);
    api = std::make_unique<hub::Api>(*client, net::parse_url(curl.upstream_url).value(), budget, retry);
    downloader = std::make_unique<mirror::Downloader>(*api, *client, *store, *disk, options);
  }
  void expect_all_stored(const Result<std::vector<mirror::BlobOutcome>>& outcomes) {
    ASSERT_THAT(outcomes, Succeeds());
    for (const auto& outcome : outcomes.assume_value()) EXPECT_THAT(outcome.result, Succeeds());
    for (const auto& blob : wanted) EXPECT_EQ(sha256(stored(blob)), blob.id) << blob.path;
  }
  std::unique_ptr<net::HttpClient> client;
  std::optional<HubProcess> hub;
  std::vector<mirror::WantedBlob> wanted;
};

TEST_F(DownloadProcessTest, FetchesEveryFileOnce) {
  start("");
  expect_all_stored(fetch(wanted));
  std::int64_t bytes = 0;
  for (const auto& request : hub->log()) bytes += request.bytes;
  EXPECT_EQ(bytes, 5'000'000 + 4 * 30'000);
  EXPECT_EQ(hub->log().size(), wanted.size());
}

TEST_F(DownloadProcessTest, WithoutABatchApi) {
  start("", {"1:5000000", "4:30000"}, R"({"lfs_batch":false})");
  expect_all_stored(fetch(wanted));
}

class SurvivesTest : public DownloadProcessTest, public testing::WithParamInterface<const char*> {};
TEST_P(SurvivesTest, WithTheRightBytes) {
  start(GetParam());
  expect_all_stored(fetch(wanted));
}
INSTANTIATE_TEST_SUITE_P(
    Faults, SurvivesTest,
    testing::Values(
        R"({"do":"reset","after_bytes":0.5,"match":{"port":"cdn"},"when":{"first":1,"per":"path"}})",
        R"({"do":"reset","match":{"port":"cdn"},"when":{"every":2}})",
        R"({"do":"close","after_bytes":0.3,"match":{"port":"cdn"},"when":{"first":2,"per":"path"}})",
        R"({"do":"expired","match":{"port":"cdn"},"when":{"first":1,"per":"path"}})",
        R"({"do":"expire_urls","match":{"port":"cdn"},"when":{"nth":3}})",
        R"({"do":"ignore_range","match":{"port":"cdn"}})",
        R"({"do":"reset","after_bytes":0.5,"match":{"port":"cdn"},"when":{"first":1,"per":"path"}},{"do":"ignore_range","match":{"port":"cdn"}})",
        R"({"do":"content_range","shift":7,"match":{"port":"cdn"},"when":{"first":2}})",
        R"({"do":"content_range","drop":true,"match":{"port":"cdn"},"when":{"first":1}})",
        R"({"do":"reset","after_bytes":0.5,"match":{"port":"cdn","range":true},"when":{"first":1}},)"
        R"({"do":"etag_change","match":{"port":"cdn"},"when":{"nth":2}})",
        R"({"do":"flip_byte","match":{"port":"cdn"},"when":{"first":1,"per":"path"}})",
        R"({"do":"length","delta":-10,"match":{"port":"cdn","range":true},"when":{"first":1}})",
        R"({"do":"status","status":503,"retry_after":1,"match":{"port":"cdn"},"when":{"first":3}})",
        R"({"do":"status","status":500,"match":{"path":"objects/batch"}})",
        R"({"do":"json","variant":"truncated","match":{"path":"objects/batch"}})"));

class GivesUpTest : public DownloadProcessTest, public testing::WithParamInterface<std::pair<const char*, Errc>> {};
TEST_P(GivesUpTest, WithOneErrorAndNothingStored) {
  start(GetParam().first);
  const auto outcomes = fetch(wanted);
  ASSERT_THAT(outcomes, Succeeds());
  for (const auto& outcome : outcomes.assume_value())
    EXPECT_THAT(outcome.result, FailsWith(GetParam().second, "while fetching org/name:file-"));
  for (const auto& blob : wanted) EXPECT_EQ(stored(blob), "(none)");
}
INSTANTIATE_TEST_SUITE_P(
    Faults, GivesUpTest,
    testing::Values(std::pair(R"({"do":"flip_byte","match":{"port":"cdn"}})", Errc::Corrupt),
                    std::pair(R"({"do":"expired","match":{"port":"cdn"}})", Errc::Gated),
                    std::pair(R"({"do":"reset","match":{"port":"cdn"}})", Errc::Unreachable),
                    std::pair(R"({"do":"gzip_bomb","size":100000000,"match":{"port":"cdn"}})", Errc::Refused),
                    std::pair(R"({"do":"redirect","location":"http://10.0.0.1/","match":{"port":"cdn"}})",
                              Errc::Refused),
                    std::pair(R"({"do":"status","status":404,"match":{"port":"cdn"}})", Errc::NotFound)));

TEST_F(DownloadProcessTest, ChaosIsSurvivedOrToldTruly) {
  start(
      R"({"do":"reset","after_bytes":0.5,"match":{"port":"cdn"},"when":{"probability":0.2}},{"do":"expired","match":{"port":"cdn"},"when":{"probability":0.2}},
           {"do":"ignore_range","match":{"port":"cdn"},"when":{"probability":0.2}},{"do":"flip_byte","match":{"port":"cdn"},"when":{"probability":0.1}},
           {"do":"status","status":503,"match":{"port":"cdn"},"when":{"probability":0.2}})",
      {"3:3000000", "40:20000"});
  const auto outcomes = fetch(wanted);
  ASSERT_THAT(outcomes, Succeeds());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool arrived = outcomes.assume_value()[i].result.has_value();
    EXPECT_EQ(arrived, stored(wanted[i]) != "(none)");
    if (arrived) {
      EXPECT_EQ(sha256(stored(wanted[i])), wanted[i].id);
    }
  }
}

// Stopped in the middle, with everything in memory lost: the next run asks for the missing segments and nothing else.
TEST_F(DownloadProcessTest, ANewProcessFetchesOnlyWhatIsMissing) {
  start(R"({"do":"stall","after_bytes":3000000,"match":{"port":"cdn","range":true},"when":{"first":1}})",
        {"1:5000000"});
  asio::cancellation_signal signal;
  std::uint64_t seen = 0;
  events.on_bytes = [&](const mirror::WantedBlob&, std::uint64_t more) {
    seen += more;
    if (seen >= 2'900'000) asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
  };
  std::optional<Result<std::vector<mirror::BlobOutcome>>> result;
  auto ended = [&](std::exception_ptr, Result<std::vector<mirror::BlobOutcome>> r) { result = std::move(r); };
  asio::co_spawn(context, downloader->fetch(kRepo, wanted, events), asio::bind_cancellation_slot(signal.slot(), ended));
  context.run();
  ASSERT_TRUE(result);
  EXPECT_THAT(*result, FailsWith(Errc::Cancelled, ""));
  events.on_bytes = nullptr;
  connect();
  const std::uint64_t missing = missing_segments(wanted[0]);
  const auto before = hub->log().size();
  expect_all_stored(fetch(wanted));
  const auto requests = hub->log();
  ASSERT_EQ(requests.size(), before + 1);
  EXPECT_EQ(requests.back().range, "bytes=" + std::to_string((20 - missing) * (256 << 10)) + "-4999999");
  EXPECT_GE((20 - missing) * (256 << 10), 2'600'000u);
}
}  // namespace
}  // namespace hm::test
