#include "provenance/audit/subjects.hpp"

#include "provenance/lineage/standing.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance::audit {
using storage::Family;

namespace {
Result<> each_key(const storage::Index& index, Family family,
                  const std::function<Result<>(std::string_view, const RepoKey&)>& visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(family, {}, [&](std::string_view k, std::string_view) {
    if (const auto repo = storage::key::parse_repo(k))
      outcome = visit(k, *repo);
    else
      outcome =
          Error{Errc::Corrupt, "the index holds a repository under a malformed key; run: hubmirror index rebuild"};
    return outcome.has_value();
  }));
  return outcome;
}
}  // namespace

Result<> each_subject(const storage::Index& index, const Subjects& subjects,
                      const std::function<Result<>(const RepoKey&)>& visit) {
  if (!subjects.all) {
    for (const RepoKey& repo : subjects.keys) {
      HM_TRY(visit(repo));
    }
    return ok();
  }
  HM_TRY(each_key(index, Family::Listings, [&](std::string_view, const RepoKey& repo) { return visit(repo); }));
  return each_key(index, Family::Repos, [&](std::string_view k, const RepoKey& repo) -> Result<> {
    HM_TRY(const auto listed, index.get(Family::Listings, k));
    return listed ? Result<>(ok()) : visit(repo);
  });
}

Result<> each_mirrored(const storage::Index& index, const std::function<Result<>(const RepoKey&)>& visit) {
  return each_key(index, Family::Repos, [&](std::string_view k, const RepoKey& repo) -> Result<> {
    HM_TRY(const bool mirrored, lineage::is_mirrored(index, k));
    return mirrored ? visit(repo) : Result<>(ok());
  });
}
}  // namespace hm::provenance::audit
