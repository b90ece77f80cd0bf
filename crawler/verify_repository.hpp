// crawler/verify_repository.hpp: one repository's manifests and, when asked to go deep, its git objects and trees.
// Layer 5; part of verify.
#pragma once
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "crawler/verify.hpp"

namespace hm::mirror {
class Repository;
}

namespace hm::crawler {
class RepositoryCheck {
 public:
  RepositoryCheck(const VerifyParts& parts, bool deep, std::stop_token stop, VerifyReport& report)
      : p_(parts), catalog_(parts.catalog), deep_(deep), stop_(std::move(stop)), report_(report) {}
  /// Adds findings to the report. @param blobs when set, every large file of the repository is added to it.
  Result<> run(const storage::RepoRow& row, std::vector<storage::BlobInfo>* blobs);

 private:
  Result<> check_form(const storage::RepoRow& row, const mirror::Repository& repository);
  Result<std::vector<std::string>> wrong_refs(const storage::RepoRow& row, const mirror::Repository& repository) const;
  Result<> check_git(const storage::RepoRow& row, const mirror::Repository& repository,
                     const std::vector<mirror::RevisionView>& revisions);
  Result<> check_reached(const storage::RepoRow& row, const mirror::Repository& repository,
                         const std::vector<mirror::RevisionView>& revisions);
  Result<> compare_tree(const mirror::Repository& repository, const storage::RepoRow& row,
                        const storage::SnapshotRow& snapshot);
  void add(FindingKind kind, const storage::RepoRow& row, std::string detail);
  bool is_told(const std::string& detail) const;
  const VerifyParts& p_;
  const mirror::Catalog& catalog_;
  const bool deep_;
  const std::stop_token stop_;
  VerifyReport& report_;
  std::set<std::string> damaged_;  ///< ids of git objects of the repository at hand that a finding names
};
}  // namespace hm::crawler
