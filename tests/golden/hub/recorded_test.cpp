// Answers that the real Hub once gave. They are not part of this repository: HUBMIRROR_CORPUS names the folder that has
// them.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "hub/exchange.hpp"
#include "hub/wire/headers.hpp"
#include "tests/golden/hub/render.hpp"

namespace hm::hub {
namespace {
struct Recorded : testing::Test {
  std::string corpus;
  void SetUp() override {
    const char* folder = std::getenv("HUBMIRROR_CORPUS");
    if (!folder || !*folder) GTEST_SKIP() << "skipped: no corpus";
    corpus = folder;
  }
  std::string read(const std::string& name) const { return read_small_file(real_file_system(), corpus + name).value(); }
  /// zstd is a program here, not a library: no product code needs it.
  std::string unzstd(const std::string& name) const {
    const std::string path = corpus + name;
    EXPECT_EQ(path.find('\''), std::string::npos);
    std::FILE* pipe = ::popen(("zstd -dcq '" + path + "'").c_str(), "r");
    std::string text, buffer(1 << 16, '\0');
    for (std::size_t n = 0; pipe && (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      text.append(buffer, 0, n);
    EXPECT_TRUE(pipe && ::pclose(pipe) == 0) << "zstd -dc " << path;
    return text;
  }
  std::vector<json::object> exchanges() const {
    std::vector<json::object> all;
    const std::string text = unzstd("/hub-api/recorded-exchanges.jsonl.zst");
    for (std::string_view line : split(text, '\n'))
      if (!line.empty()) all.push_back(parse_json(line).value().as_object());
    return all;
  }
};

std::string text_at(const json::object& o, const char* key) {
  const json::value& v = o.at(key);
  return v.is_string() ? std::string(std::string_view(v.get_string())) : std::string();
}
net::Headers headers_of(const json::object& exchange) {
  net::Headers headers;
  for (const auto& field : exchange.at("response_headers").as_object())
    for (const json::value& value : field.value().as_array())
      headers.add(std::string(field.key()), std::string(std::string_view(value.as_string())));
  return headers;
}

TEST_F(Recorded, ReadsEveryModelInfo) {
  std::size_t infos = 0, siblings = 0, manual = 0, projections = 0;
  std::set<std::string> models;
  for (const json::object& exchange : exchanges()) {
    const std::string uri = text_at(exchange, "uri"), body = text_at(exchange, "body");
    if (text_at(exchange, "method") != "GET" || exchange.at("status").as_int64() != 200 ||
        uri.find("/api/models/") == std::string::npos)
      continue;
    const auto read = parse_repo_info(body);
    ASSERT_TRUE(read) << uri << ": " << read.error().what;
    const RepoInfo& info = read.value();
    const json::object plain = parse_json(body).value().as_object();
    EXPECT_EQ(info.raw, body);
    EXPECT_EQ(info.id, text_at(plain, "id"));
    EXPECT_EQ(info.rid.value().text(), text_at(plain, "_id"));
    if (!info.siblings_given) {
      ++projections;
      continue;
    }
    ++infos;
    models.insert(info.id);
    siblings += info.siblings.size();
    manual += info.gated == Gated::Manual;
    EXPECT_EQ(info.sha.value().hex(), text_at(plain, "sha"));
    EXPECT_EQ(iso8601(info.created_ms.value()), text_at(plain, "createdAt"));
    EXPECT_EQ(iso8601(info.last_modified_ms.value()), text_at(plain, "lastModified"));
    EXPECT_EQ(info.siblings.size(), plain.at("siblings").as_array().size());
    EXPECT_EQ(info.tags.size(), plain.at("tags").as_array().size());
    EXPECT_EQ(info.card_data.has_value(), plain.contains("cardData"));
    if (info.card_data) {
      EXPECT_EQ(json::value(*info.card_data), plain.at("cardData"));
    }
  }
  EXPECT_EQ(infos, 33u);
  EXPECT_EQ(models.size(), 25u);
  EXPECT_EQ(siblings, 719u);
  EXPECT_EQ(manual, 4u);
  EXPECT_GT(projections, 5u) << "answers to expand= name only what was asked for";
}

TEST_F(Recorded, ReadsTheSpaceInfos) {
  std::size_t read_count = 0;
  for (const json::object& exchange : exchanges()) {
    if (text_at(exchange, "uri").find("/revision/main?expand=xetEnabled") == std::string::npos) continue;
    const auto info = parse_repo_info(text_at(exchange, "body"));
    ASSERT_TRUE(info) << info.error().what;
    EXPECT_TRUE(info.value().rid);
    EXPECT_FALSE(info.value().sha);
    ++read_count;
  }
  EXPECT_EQ(read_count, 5u);
}

TEST_F(Recorded, ReadsTheHeaders) {
  std::size_t weak = 0, redirects = 0;
  for (const json::object& exchange : exchanges()) {
    const net::Headers headers = headers_of(exchange);
    if (const auto etag = headers.get("ETag"); etag && etag->starts_with("W/\"")) {
      ++weak;
      EXPECT_EQ(normalized_etag(*etag).find('"'), std::string::npos) << *etag;
      EXPECT_EQ("W/\"" + normalized_etag(*etag) + "\"", *etag);
    }
    EXPECT_EQ(next_link(headers), "");
    if (exchange.at("status").as_int64() != 307) continue;
    ++redirects;
    const auto from = net::parse_url(text_at(exchange, "uri")).value();
    EXPECT_EQ(net::resolve_reference(from, headers.get("Location").value()).value().text(),
              "https://huggingface.co/api/models/google-bert/bert-base-uncased");
  }
  EXPECT_GT(weak, 40u);
  EXPECT_EQ(redirects, 1u);
}

TEST_F(Recorded, UnderstandsTheAnswerForARepositoryThatIsNotThere) {
  const json::object recorded = parse_json(read("/hub-api/nonexistent-model.anonymous.json")).value().as_object();
  net::Headers headers;
  for (const auto& field : recorded.at("headers").as_object())
    headers.add(std::string(field.key()), std::string(std::string_view(field.value().as_string())));
  const Error e = failure_of(static_cast<int>(recorded.at("status").as_int64()), headers,
                             canonical_json(recorded.at("body")).value(), true);
  EXPECT_EQ(e.code, Errc::NotFound);
  EXPECT_EQ(e.what, "it does not exist, or is private (set HF_TOKEN) (401: Invalid username or password.)");
}

TEST_F(Recorded, ReadsTheTreesAndTheirPointersFollow) {
  std::size_t files = 0, lfs = 0;
  for (const char* name :
       {"/hub-api/google-bert__bert-base-uncased@dd4bc8b2.tree.json", "/hub-api/unsloth__Qwen3.5-9B-GGUF.tree.json"}) {
    const auto entries = parse_tree(read(name));
    ASSERT_TRUE(entries) << entries.error().what;
    for (const TreeEntry& entry : entries.value()) {
      ++files;
      EXPECT_EQ(entry.type, EntryType::File);
      if (!entry.lfs) continue;
      ++lfs;
      const std::string pointer = render_lfs_pointer({entry.lfs->oid, entry.lfs->size_bytes});
      EXPECT_EQ(git_object_id("blob", as_bytes(pointer)), entry.oid) << entry.path;
      EXPECT_EQ(pointer.size(), entry.lfs->pointer_size_bytes) << entry.path;
      EXPECT_EQ(entry.size_bytes, entry.lfs->size_bytes) << entry.path;
      EXPECT_EQ(entry.xet_hash.size(), 64u) << entry.path;
    }
  }
  EXPECT_EQ(lfs, 19u);
  EXPECT_GT(files, lfs);
  const auto info = parse_repo_info(read("/hub-api/unsloth__Qwen3.5-9B-GGUF.model.json")).value();
  EXPECT_FALSE(info.siblings_given);
  EXPECT_EQ(info.used_storage_bytes, 289812206528u);
}

TEST_F(Recorded, RendersTheBytesOfRealPointers) {
  std::size_t rows = 0;
  const std::string text = unzstd("/lfs-pointers/onnx-models.tsv.zst");
  for (std::string_view line : split(text, '\n')) {
    const auto columns = split(line, '\t');
    if (columns.size() != 6 || columns[0] == "path") continue;
    ++rows;
    const LfsPointer pointer{Sha256::parse(columns[3]).value(), parse_u64(columns[4]).value()};
    const std::string rendered = render_lfs_pointer(pointer);
    EXPECT_EQ(git_object_id("blob", as_bytes(rendered)).hex(), columns[1]) << columns[0];
    EXPECT_EQ(rendered.size(), parse_u64(columns[2]).value()) << columns[0];
    EXPECT_EQ(parse_lfs_pointer(rendered), pointer) << columns[0];
  }
  EXPECT_EQ(rows, 1726u);
}
}  // namespace
}  // namespace hm::hub
