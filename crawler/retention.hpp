// crawler/retention.hpp: who wants a mirrored repository, how long its superseded revisions stay, and whether it goes
// because no policy wants it any more. Layer 5. judge() is the rule, a pure function; Retention reads what it judges
// by. Threads: calls block on the index. docs/policies.md has the rule in words.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"
#include "crawler/exclusion.hpp"
#include "mirror/catalog.hpp"
#include "storage/generation_rows.hpp"
#include "storage/index.hpp"
#include "storage/rows.hpp"

namespace hm::crawler {
/// What is in force.
struct RetentionRules {
  std::map<std::string, config::PolicyRetention> policies;  ///< those of the present files, by name
  std::map<std::string, std::string> holds;                 ///< of them, those that let nothing go now, and why
  std::int64_t superseded_days = -1;                        ///< of the configuration
};
/// A generation that has a repository among its targets, and what it has of it.
struct Mention {
  std::uint32_t number = 0;
  std::int64_t began_ms = 0;
  bool ended = true;
  std::vector<std::string> newest_of;      ///< policies of whose complete generations it is the newest
  std::vector<std::string> wanted_by;      ///< policies
  std::vector<std::string> published_for;  ///< of them, those that it was brought for
  bool gone = false;                       ///< it was to be brought, and upstream did not have it
};
/// All that is known of one repository.
struct Evidence {
  std::vector<Mention> mentions;        ///< newest first
  std::vector<std::string> claimed_by;  ///< present policies that want it although none of their generations says so
  bool pinned = false, leased = false;
  bool gone = false;     ///< upstream does not show it any more, or under its name another one
  bool by_hand = false;  ///< `mirror` was asked for it
  bool is_protected() const { return pinned || leased || gone || by_hand; }
};

/// Of a repository that no present policy wants.
struct Unwanted {
  std::vector<std::string> brought_by;  ///< policies
  std::uint32_t generation = 0;         ///< the newest one that had it as a target; 0: none, or not looked for
  std::int64_t since_ms = 0;            ///< when that began
  bool goes = false;
  std::string why;  ///< why it goes, or what keeps it
};
struct Fate {
  std::vector<std::string> wanted_by;  ///< present policies, in order of their names
  bool at_work = false;                ///< a generation that is not complete is to bring it: nothing of it goes
  std::int64_t superseded_days = -1;
  std::optional<Unwanted> unwanted;  ///< when no policy wants it and no generation is at work on it
};
/// Never lets go of anything for want of knowledge.
Fate judge(const RetentionRules& rules, const Evidence& evidence, std::int64_t now_ms);

class Retention {
 public:
  /// @param policies of the present files. `index` and `catalog` outlive it.
  static Result<Retention> read(const storage::Index& index, const mirror::Catalog& catalog,
                                std::vector<config::MirrorPolicy> policies, std::int64_t superseded_days);
  /// Some lookups; for a repository that nothing else protects, one for each generation.
  Result<Fate> fate_of(const storage::RepoRow& row, std::int64_t now_ms) const;

 private:
  Retention(const storage::Index& index, const mirror::Catalog& catalog, std::vector<config::MirrorPolicy> policies)
      : index_(index), catalog_(catalog), policies_(std::move(policies)) {}
  Result<> read_generations();
  Result<> read_targets(const Mention& generation, std::set<std::string>& choosing) const;
  Result<> read_skipped(const Mention& generation);
  void claim(const std::string& name, const std::string& policy) { claims_[name].insert(policy); }
  Result<std::vector<Mention>> mentions_of(const RepoKey& key, const std::vector<Mention>& generations) const;
  Result<std::vector<std::string>> claims_on(const storage::RepoRow& row) const;
  Result<> look_for_protection(const storage::RepoRow& row, Evidence& evidence) const;

  const storage::Index& index_;
  const mirror::Catalog& catalog_;
  std::vector<config::MirrorPolicy> policies_;
  RetentionRules rules_;
  std::vector<Mention> all_, current_;  ///< generations, newest first; current: not complete, or newest of a policy
  /// Name in lower case, or id → policies that name it, or left it out of their newest complete generation.
  std::map<std::string, std::set<std::string>> claims_;
};
}  // namespace hm::crawler
