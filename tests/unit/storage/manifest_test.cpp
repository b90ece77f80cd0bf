#include "storage/manifest.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;
const std::string kNul(1, '\0');
const std::string kOid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
const std::string kSha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string line(const std::string& path, const std::string& mode = "100644", const std::string& size = "0") {
  return mode + " " + kOid + " " + kSha + " " + size + " " + path + kNul;
}
ManifestFile file(std::string path, bool lfs = false) {
  ManifestFile f;
  f.git_oid = *GitOid::parse(kOid);
  f.sha256 = *Sha256::parse(kSha);
  f.path = std::move(path);
  f.is_lfs = lfs;
  return f;
}

TEST(ManifestText, IsOneLinePerFile) {
  Manifest m;
  m.files = {file("README.md"), file("run me.sh"), file("weights/model.safetensors", true)};
  m.files[1].mode = FileMode::Executable;
  m.files[2].size_bytes = (1ULL << 63) - 1;
  const std::string text = render_manifest(m);
  EXPECT_EQ(text, line("README.md") + line("run me.sh", "100755") +
                      line("weights/model.safetensors", "100644", "9223372036854775807"));
  const auto back = parse_manifest(text);
  ASSERT_THAT(back, Succeeds());
  m.files[2].is_lfs = false;  // not part of the text
  EXPECT_EQ(back.value().files, m.files);
  EXPECT_EQ(back.value().total_bytes(), (1ULL << 63) - 1);
}

TEST(ManifestText, MayBeEmpty) {
  EXPECT_EQ(render_manifest({}), "");
  EXPECT_TRUE(parse_manifest("").value().files.empty());
  EXPECT_EQ(manifest_id("").hex(), kSha);
}

TEST(ManifestText, IsRefusedWhenItIsNotExactlyTheCanonicalForm) {
  const std::string good = line("a");
  EXPECT_THAT(parse_manifest(good), Succeeds());
  const std::pair<std::string, const char*> bad[] = {
      {good.substr(0, good.size() - 1), "does not end in NUL"},
      {line("a") + line("a"), "twice"},
      {line("b") + line("a"), "not sorted"},
      {line("a/b") + line("a.b"), "not sorted"},  // by bytes: '.' is before '/'
      {line("a", "100664"), "mode"},
      {line("a", "160000"), "mode"},
      {line("a", "040000"), "mode"},
      {line("a", "100644", "01"), "size"},
      {line("a", "100644", "-1"), "size"},
      {line("a", "100644", "+1"), "size"},
      {line("a", "100644", ""), "size"},
      {line("a", "100644", "9223372036854775808"), "size"},
      {line("a", "100644", "99999999999999999999999"), "size"},
      {line(""), "path"},
      {line("../a"), "path"},
      {line("/a"), "path"},
      {line("a//b"), "path"},
      {line(".git/config"), "path"},
      {line("a/.GIT/config"), "path"},
      {line(std::string(5000, 'x')), "path"},
      {"100644  " + good.substr(7), ""},
      {good.substr(0, 7) + "E" + good.substr(8), "object id"},
      {good.substr(0, 48) + "E" + good.substr(49), "SHA-256"},
      {good.substr(0, 20) + kNul, "too short"},
      {kNul, "too short"},
  };
  for (const auto& [text, why] : bad) EXPECT_THAT(parse_manifest(text), FailsWith(Errc::BadInput, why)) << text;
  EXPECT_THAT(parse_manifest(line("a") + line("b", "bad")),
              FailsWith(Errc::BadInput, "at byte " + std::to_string(line("a").size())));
}

TEST(ManifestText, AcceptsNamesThatOnlyLookOdd) {
  for (const char* path :
       {" lead", "-rf", "a b", "%2e%2e", "#", "日本語.txt", "a\nb", "...", ".gitattributes", "x.git"})
    EXPECT_THAT(parse_manifest(line(path)), Succeeds()) << path;
}

TEST(PackedManifest, KeepsWhichFilesAreLarge) {
  Manifest m;
  for (int i = 10; i < 29; ++i) m.files.push_back(file("f" + std::to_string(i), i % 3 == 0));
  const Sha256 id = manifest_id(render_manifest(m));
  EXPECT_EQ(unpack_manifest(pack_manifest(m), id).value().files, m.files);
}

TEST(PackedManifest, IsCheckedAgainstItsKey) {
  Manifest m;
  m.files = {file("a"), file("b", true)};
  const std::string packed = pack_manifest(m);
  const Sha256 id = manifest_id(render_manifest(m));
  std::string flipped = packed;
  flipped[20] = flipped[20] == '0' ? '1' : '0';
  EXPECT_THAT(unpack_manifest(flipped, id), FailsWith(Errc::Corrupt, id.hex()));
  EXPECT_THAT(unpack_manifest(packed.substr(0, 7), id), FailsWith(Errc::Corrupt, "truncated"));
  EXPECT_THAT(unpack_manifest(packed.substr(0, packed.size() - 1), id), FailsWith(Errc::Corrupt, "flags"));
  EXPECT_THAT(unpack_manifest(packed + "x", id), FailsWith(Errc::Corrupt, "flags"));
  std::string long_length = packed;
  long_length[0] = '\x7f';
  EXPECT_THAT(unpack_manifest(long_length, id), FailsWith(Errc::Corrupt, "truncated"));
}

TEST(PackedManifest, HoldsAHundredThousandFiles) {
  Manifest m;
  for (int i = 100'000; i < 200'000; ++i)
    m.files.push_back(file("data/part-" + std::to_string(i) + ".parquet", i % 2 == 0));
  const Sha256 id = manifest_id(render_manifest(m));
  const auto back = unpack_manifest(pack_manifest(m), id);
  ASSERT_THAT(back, Succeeds());
  EXPECT_EQ(back.value().files, m.files);
}
}  // namespace
}  // namespace hm::storage
