// What the files of a published revision say: read once, kept as a document, and followed by lineage.
#include "provenance/file_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/result_matchers.hpp"

namespace hm::provenance {
namespace {
using formats::ByteSource;
using formats::MemorySource;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;

const std::string kMit =
    "MIT License\n\nCopyright (c) 2024 Somebody\n\nPermission is hereby granted, free of charge, to any person "
    "obtaining "
    "a copy of this software and associated documentation files (the \"Software\"), to deal in the Software without "
    "restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, "
    "sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, "
    "subject to the following conditions:\n\nThe above copyright notice and this permission notice shall be included "
    "in all copies or substantial portions of the Software.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF "
    "ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A "
    "PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY "
    "CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR "
    "IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.\n";

/// Files of one revision, in memory.
class Revision {
 public:
  void add(const std::string& path, const std::string& bytes) {
    files_[path] = bytes;
    storage::ManifestFile file;
    file.path = path;
    file.size_bytes = bytes.size();
    file.sha256 = sha256(bytes);
    manifest_.files.push_back(std::move(file));
  }
  storage::Manifest& manifest() { return manifest_; }
  Result<FileFacts> read(FileReader& reader) {
    return reader.read(manifest_, [&](const storage::ManifestFile& file) -> Result<std::unique_ptr<ByteSource>> {
      ++opened;
      const auto at = files_.find(file.path);
      if (at == files_.end()) return std::unique_ptr<ByteSource>();
      return std::unique_ptr<ByteSource>(new MemorySource(at->second));
    });
  }
  int opened = 0;

 private:
  storage::Manifest manifest_;
  std::map<std::string, std::string> files_;
};

TEST(FileFacts, OfAnAdapterWithALicence) {
  Revision revision;
  revision.add("LICENSE", kMit);
  revision.add("NOTICE.txt", "by somebody");
  revision.add("README.md", "words");
  revision.add("adapter_config.json", R"({"base_model_name_or_path": "org/base", "peft_type": "LORA"})");
  revision.add("license_check.py", "print('MIT')");
  FileReader reader;
  const auto facts = revision.read(reader);
  ASSERT_THAT(facts, Succeeds());
  ASSERT_EQ(facts.value().licences.size(), 1U);
  EXPECT_EQ(facts.value().licences[0].file, "LICENSE");
  EXPECT_EQ(facts.value().licences[0].recognised.id, "MIT");
  EXPECT_THAT(facts.value().notices, ElementsAre("NOTICE.txt"));
  ASSERT_EQ(facts.value().files.size(), 1U);
  EXPECT_EQ(facts.value().files[0].claims[0].text, "org/base");
  EXPECT_EQ(facts.value().unread, 0U);

  const std::string stored = render_file_facts(facts.value());
  const auto again = parse_file_facts(stored);
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(render_file_facts(again.value()), stored);
  EXPECT_EQ(again.value().files, facts.value().files);
  EXPECT_EQ(again.value().licences[0].recognised.id, "MIT");
  EXPECT_EQ(again.value().licences[0].recognised.method, facts.value().licences[0].recognised.method);
}

TEST(FileFacts, ABrokenFileIsAFindingAndAMissingOneIsUnread) {
  Revision revision;
  revision.add("config.json", "{\"architectures\": [");
  revision.add("model.safetensors", "not a header");
  storage::ManifestFile gone;
  gone.path = "other.gguf";
  gone.size_bytes = 10;
  revision.manifest().files.push_back(gone);
  FileReader reader;
  const auto facts = revision.read(reader);
  ASSERT_THAT(facts, Succeeds());
  ASSERT_EQ(facts.value().files.size(), 2U);
  for (const auto& file : facts.value().files) {
    EXPECT_FALSE(file.complete) << file.file;
    EXPECT_THAT(file.findings, testing::SizeIs(1)) << file.file;
  }
  EXPECT_EQ(facts.value().unread, 1U);
  EXPECT_THAT(parse_file_facts(render_file_facts(facts.value())), Succeeds());
}

TEST(FileFacts, AFileThatRevisionsShareIsReadOnce) {
  Revision revision;
  revision.add("LICENSE", kMit);
  revision.add("config.json", R"({"model_type": "llama"})");
  FileReader reader;
  const auto first = revision.read(reader);
  EXPECT_EQ(revision.opened, 2);
  const auto second = revision.read(reader);
  EXPECT_EQ(revision.opened, 2);
  EXPECT_EQ(render_file_facts(first.value()), render_file_facts(second.value()));
}

TEST(FileFacts, WhatARevisionMaySayIsBoundedWhateverWasReadBefore) {
  Revision many;
  for (std::size_t i = 0; i < kFilesReadMax + 10; ++i)
    many.add(std::to_string(10'000 + i) + "/config.json", R"({"model_type": "m)" + std::to_string(i) + "\"}");
  FileReader reader;
  EXPECT_EQ(many.read(reader).value().unread, 10U);
  EXPECT_EQ(many.read(reader).value().unread, 10U) << "what is remembered counts too";

  Revision large;
  for (int i = 0; i < 200; ++i) {
    std::string classes;
    for (int j = 0; j < 250; ++j)
      classes += (j == 0 ? "\"" : ",\"") + std::to_string(1'000 * i + j) + std::string(1'000, 'x') + "\"";
    large.add(std::to_string(1'000 + i) + "/config.json", R"({"architectures": [)" + classes + "]}");
  }
  const auto facts = large.read(reader).value();
  EXPECT_GT(facts.unread, 100U);
  EXPECT_EQ(facts.files.size() + facts.unread, 200U);
  EXPECT_LT(large.opened, 100);
  EXPECT_EQ(render_file_facts(large.read(reader).value()), render_file_facts(facts));
}

TEST(FileFacts, NothingSaidIsEmpty) {
  Revision revision;
  revision.add("README.md", "words");
  revision.add("data.csv", "1,2");
  FileReader reader;
  EXPECT_TRUE(revision.read(reader).value().empty());
  EXPECT_EQ(revision.opened, 0);
}

TEST(FileFacts, NamesOfLicences) {
  for (const char* path : {"LICENSE", "licence.md", "sub/COPYING", "LICENSE-MIT", "Use_Policy.md", "LICENSE.txt"})
    EXPECT_TRUE(is_licence_file(path)) << path;
  for (const char* path : {"licensed.txt", "license.py", "my-license", "copyingx"})
    EXPECT_FALSE(is_licence_file(path)) << path;
}

TEST(FileFacts, WhatNobodyWritesIsCorrupt) {
  for (const char* bad : {"[]", "{}", R"({"files":[],"licences":[{"method":"guess"}],"notices":[],"unread":0})",
                          R"({"files":[{}],"licences":[],"notices":[],"unread":0})",
                          R"({"files":[],"licences":[],"notices":[1],"unread":0})"})
    EXPECT_THAT(parse_file_facts(bad), FailsWith(Errc::Corrupt, "malformed")) << bad;
}
}  // namespace
}  // namespace hm::provenance
