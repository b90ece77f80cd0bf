// provenance/audit/subjects.hpp: which repositories an audit is about, and how all of them are visited. Layer 4.
// Threads: safe; calls block on the index.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/words.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
struct Subjects {
  std::vector<RepoKey> keys;      ///< in ascending order, each once; empty with `all`
  bool all = false;               ///< everything that a listing or a visit told of
  std::string words;              ///< "everything that is mirrored"
  std::vector<report::Gap> gaps;  ///< chosen, and not to be found here
};
/// The listed ones first, in key order, then what was only visited. Ends with the first error of `visit`.
Result<> each_subject(const storage::Index& index, const Subjects& subjects,
                      const std::function<Result<>(const RepoKey&)>& visit);
/// Everything of which a revision is published, in key order. Ends with the first error of `visit`.
Result<> each_mirrored(const storage::Index& index, const std::function<Result<>(const RepoKey&)>& visit);
}  // namespace hm::provenance::audit
