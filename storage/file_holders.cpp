#include "storage/file_holders.hpp"

#include <cstring>

#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::size_t kSizeBytes = 8;
Error corrupt() { return {Errc::Corrupt, "the index holds a malformed row of a file; run: hubmirror index rebuild"}; }

/// @param rest of the key, behind the digest
std::optional<FileHolder> published_holder(std::string_view rest, std::string_view value) {
  const auto repo = key::parse_repo(rest);
  const auto size = key::parse_u64(value);
  if (!repo || !size) return std::nullopt;
  Commit commit;
  rest.remove_prefix(key::repo(*repo).size());
  if (rest.size() != commit.bytes.size()) return std::nullopt;
  std::memcpy(commit.bytes.data(), rest.data(), rest.size());
  return FileHolder{*repo, *size, true, commit, {}, {}};
}
std::optional<FileHolder> told_holder(std::string_view rest, std::string_view value) {
  const auto repo = key::parse_repo(rest);
  const auto size = key::parse_u64(value.substr(0, kSizeBytes));
  if (!repo || !size) return std::nullopt;
  return FileHolder{*repo,
                    *size,
                    false,
                    std::nullopt,
                    std::string(value.substr(kSizeBytes)),
                    std::string(rest.substr(key::repo(*repo).size()))};
}
}  // namespace

Result<> each_holder(const Index& index, const Sha256& file, const std::function<bool(const FileHolder&)>& visit) {
  bool goes_on = true, whole = true;
  for (const auto& [family, read] :
       {std::pair{Family::BlobRefs, &published_holder}, {Family::SurveyFiles, &told_holder}}) {
    if (!goes_on) break;
    HM_TRY(index.scan(family, file.view(), [&](std::string_view k, std::string_view value) {
      const auto holder = read(k.substr(file.view().size()), value);
      whole = holder.has_value();
      return goes_on = whole && visit(*holder);
    }));
    if (!whole) return corrupt();
  }
  return ok();
}
}  // namespace hm::storage
