// git-lfs against the routes; batches of every form; blobs only through a repository that names them.
#include "server/lfs_routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "server/git_routes.hpp"
#include "storage/blob_store_local.hpp"
#include "storage/key_space.hpp"
#include "tests/support/memory_index.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/git/git_fixture.hpp"
#include "tests/unit/server/route_server.hpp"

namespace hm::server {
namespace {
namespace json = boost::json;
using git_test::GitTest;
using git_test::shell;
using route_test::exchange;
using route_test::RouteServer;
using test::FailsWith;
using test::Succeeds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kOid(64, 'a');

TEST(ParseLfsBatch, ReadsWhatClientsSend) {
  const auto batch = parse_lfs_batch(R"({"operation":"download","transfers":["lfs-standalone-file","basic","ssh"],)"
                                     R"("ref":{"name":"refs/heads/main"},"objects":[{"oid":")" +
                                     kOid + R"(","size":123},{"oid":"X","size":0}],"hash_algo":"sha256"})");
  ASSERT_THAT(batch, Succeeds());
  EXPECT_EQ(batch.value().operation, "download");
  EXPECT_TRUE(batch.value().basic);
  ASSERT_EQ(batch.value().objects.size(), 2U);
  EXPECT_EQ(batch.value().objects[0].id->hex(), kOid);
  EXPECT_EQ(batch.value().objects[0].size, 123U);
  EXPECT_FALSE(batch.value().objects[1].id);
  EXPECT_TRUE(parse_lfs_batch(R"({"operation":"download","objects":[]})").value().basic) << "absent means basic";
  EXPECT_FALSE(parse_lfs_batch(R"({"transfers":["xet"],"objects":[]})").value().basic);
  EXPECT_EQ(parse_lfs_batch(R"({"hash_algo":"sha1","objects":[]})").value().hash_algo, "sha1");
}

TEST(ParseLfsBatch, RefusesOtherForms) {
  for (const std::string text : {"", "[]", "{}", R"({"objects":{}})", R"({"objects":[1]})", R"({"objects":[{}]})",
                                 R"({"objects":[{"oid":1,"size":1}]})", R"({"objects":[{"oid":"a","size":-1}]})"})
    EXPECT_THAT(parse_lfs_batch(text), FailsWith(Errc::BadInput, "")) << text;
  std::string many = R"({"objects":[)";
  for (std::size_t i = 0; i <= kLfsObjectsMax; ++i) many += R"({"oid":"a","size":1},)";
  many.back() = ']';
  EXPECT_THAT(parse_lfs_batch(many + "}"), FailsWith(Errc::Refused, "1000"));
}

class LfsRoutesTest : public GitTest {
 protected:
  LfsRoutesTest()
      : origin_(path("r.git")),
        index_(test::open_memory_index(test::make_memory_disk())),
        blobs_(storage::make_local_blob_store(real_file_system(), dir())),
        git_(processes_, pool_),
        lfs_(published_, *blobs_, Fetching()),
        server_([this](const Request& request) { return answer(request); }) {
    for (std::size_t i = 0; i < large_.size(); ++i) large_[i] = static_cast<char>(i * i >> 5);
    id_ = sha256(large_);
    keep(id_, large_);
    refer(id_, key_of('1'));
  }
  storage::DataDir dir() const {
    storage::DataDir out(path("data"));
    EXPECT_THAT(storage::create_data_dir(real_file_system(), out), Succeeds());
    return out;
  }
  static RepoKey key_of(char digit) { return {RepoKind::Dataset, *Rid::parse(std::string(24, digit))}; }
  void keep(const Sha256& id, const std::string& bytes) { EXPECT_THAT(blobs_->put(id, as_bytes(bytes)), Succeeds()); }
  void refer(const Sha256& id, const RepoKey& repo) {
    storage::Batch batch;
    batch.put(storage::Family::BlobRefs, storage::key::blob_ref(id, repo, Commit()), "");
    EXPECT_THAT(index_->commit(batch), Succeeds());
  }
  /// /datasets/ns/r.git is the repository 1, /datasets/ns/other.git is 2.
  boost::asio::awaitable<Response> answer(const Request& request) {
    const std::string target(request.path());
    const std::size_t end = target.find(".git");
    auto repo = std::make_shared<PublishedRepo>();
    repo->row.repo = {RepoKind::Dataset, target.substr(10, end - 10)};
    repo->key = key_of(repo->row.repo.name == "ns/r" ? '1' : '2');
    repo->git_path = origin_.path();
    route_test::publish_refs(*repo);
    const std::string rest = target.substr(end + 4);
    const std::string objects = "/info/lfs/objects/";
    if (rest == "/info/refs") co_return co_await git_.info_refs(request, std::move(repo));
    if (rest == "/git-upload-pack") co_return co_await git_.upload_pack(request, std::move(repo));
    if (rest == objects + "batch") {
      std::string base = "http://" + std::string(request.header("Host"));
      co_return co_await lfs_.batch(request, std::move(repo), std::move(base));
    }
    if (rest.starts_with(objects)) co_return co_await lfs_.object(request, repo, rest.substr(objects.size()));
    co_return LfsRoutes::locks();
  }
  std::string batch(const std::string& body, const std::string& repo = "ns/r", const std::string& fields = "") const {
    return exchange(server_.url(), "POST /datasets/" + repo + ".git/info/lfs/objects/batch",
                    "Content-Type: application/vnd.git-lfs+json\r\n" + fields, body);
  }
  static std::string asking_for(const std::string& oid) {
    return R"({"operation":"download","objects":[{"oid":")" + oid + R"(","size":100000}]})";
  }
  static json::value body_of(const std::string& answer) {
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }
  std::string get(const std::string& fields = "", const std::string& method = "GET",
                  const std::string& repo = "ns/r") const {
    return exchange(server_.url(), method + " /datasets/" + repo + ".git/info/lfs/objects/" + id_.hex(), fields);
  }

  std::string large_ = std::string(100'000, 0);
  Sha256 id_;
  const git_test::Origin origin_;
  std::unique_ptr<storage::Index> index_;
  std::unique_ptr<storage::BlobStore> blobs_;
  boost::asio::thread_pool pool_{1};
  GitProcesses processes_{GitProcesses::Limits()};
  GitRoutes git_;
  const mirror::Catalog catalog_{*index_, *blobs_, storage::DataDir(path("data"))};
  Published published_{*index_, catalog_, pool_, 1U << 20};
  LfsRoutes lfs_;
  RouteServer server_;
};

TEST_F(LfsRoutesTest, GivesGitLfsWhatItAsksFor) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + id_.hex() + "\nsize " +
                              std::to_string(large_.size()) + "\n";
  origin_.set_ref("refs/heads/main",
                  origin_.commit(origin_.tree({{"100644", ".gitattributes", origin_.blob("*.bin filter=lfs -text\n")},
                                               {"100644", "large.bin", origin_.blob(pointer)}})));
  shell(directory_, "export HOME=$PWD; git clone -q " + server_.url() + "/datasets/ns/r.git work && cd work && " +
                        "git lfs install --local >/dev/null && git lfs pull 2>&1");
  EXPECT_EQ(git_test::read_file(path("work/large.bin")), large_);
  EXPECT_EQ(shell(path("work"), "git status --short -uno"), "");
}

TEST_F(LfsRoutesTest, TellsWhereAnObjectIs) {
  const std::string answer = batch(asking_for(id_.hex()), "ns/r", "Authorization: Bearer hf_x\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/vnd.git-lfs+json\r\n"));
  EXPECT_EQ(body_of(answer),
            json::parse(R"({"transfer":"basic","hash_algo":"sha256","objects":[{"oid":")" + id_.hex() +
                        R"(","size":100000,"authenticated":true,"actions":{"download":{"href":"http://)" +
                        "mirror/datasets/ns/r.git/info/lfs/objects/" + id_.hex() +
                        R"(","header":{"Authorization":"Bearer hf_x"}}}}]})"));
  EXPECT_THAT(batch(asking_for(id_.hex())), Not(HasSubstr("header\":")));
}

TEST_F(LfsRoutesTest, SaysForEachObjectWhatIsWrongWithIt) {
  const auto code = [&](const std::string& oid, const std::string& repo) {
    const json::value body = body_of(batch(asking_for(oid), repo));
    return body.at("objects").at(0).at("error").at("code").as_int64();
  };
  EXPECT_EQ(code(kOid, "ns/r"), 404) << "of no repository";
  EXPECT_EQ(code(id_.hex(), "ns/other"), 404) << "of another repository";
  refer(*Sha256::parse(kOid), key_of('1'));
  EXPECT_EQ(code(kOid, "ns/r"), 404) << "not here yet";
  EXPECT_EQ(code("xyz", "ns/r"), 422);
  EXPECT_EQ(code(std::string(64, 'A'), "ns/r"), 422);
}

TEST_F(LfsRoutesTest, RefusesWholeRequestsInWords) {
  const auto expect = [&](const std::string& body, const std::string& status) {
    const std::string answer = batch(body);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + status)) << body;
    EXPECT_NE(body_of(answer).at("message").as_string().size(), 0U);
  };
  expect(R"({"operation":"upload","objects":[]})", "403");
  expect(R"({"operation":"verify","objects":[]})", "422");
  expect(R"({"operation":"download","hash_algo":"sha1","objects":[]})", "409");
  expect(R"({"operation":"download","transfers":["xet"],"objects":[]})", "422");
  expect("no json", "422");
  std::string many = R"({"operation":"download","objects":[)";
  for (std::size_t i = 0; i <= kLfsObjectsMax; ++i) many += R"({"oid":"a","size":1},)";
  many.back() = ']';
  expect(many + "}", "413");
  EXPECT_THAT(exchange(server_.url(), "GET /datasets/ns/r.git/info/lfs/locks"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(exchange(server_.url(), "POST /datasets/ns/r.git/info/lfs/locks/verify", "", "{}"),
              StartsWith("HTTP/1.1 404"));
}

TEST_F(LfsRoutesTest, ServesObjectsWholeAndInRanges) {
  const std::string whole = get();
  EXPECT_THAT(whole, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(whole, HasSubstr("Accept-Ranges: bytes\r\n"));
  EXPECT_THAT(whole, HasSubstr("ETag: \"" + id_.hex() + "\"\r\n"));
  EXPECT_THAT(whole, HasSubstr("Content-Length: 100000\r\n"));
  EXPECT_TRUE(whole.ends_with("\r\n\r\n" + large_));
  const std::string head = get("", "HEAD");
  EXPECT_THAT(head, HasSubstr("Content-Length: 100000\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  const std::string part = get("Range: bytes=99990-\r\n");
  EXPECT_THAT(part, StartsWith("HTTP/1.1 206 "));
  EXPECT_THAT(part, HasSubstr("Content-Range: bytes 99990-99999/100000\r\n"));
  EXPECT_TRUE(part.ends_with("\r\n\r\n" + large_.substr(99'990)));
  EXPECT_THAT(get("Range: bytes=100000-\r\n"), StartsWith("HTTP/1.1 416 "));
  EXPECT_THAT(get("Range: bytes=100000-\r\n"), HasSubstr("Content-Range: bytes */100000\r\n"));
  EXPECT_THAT(get("If-None-Match: \"" + id_.hex() + "\"\r\n"), StartsWith("HTTP/1.1 304 "));
}

TEST_F(LfsRoutesTest, GivesABlobOnlyThroughARepositoryThatNamesIt) {
  EXPECT_THAT(get("", "GET", "ns/other"), StartsWith("HTTP/1.1 404 "));
  refer(id_, key_of('2'));
  EXPECT_THAT(get("", "GET", "ns/other"), StartsWith("HTTP/1.1 200 "));
}
}  // namespace
}  // namespace hm::server
