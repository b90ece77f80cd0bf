// config/mirror_policy.hpp: which repositories of a Hub are mirrored, and how: one TOML file each. Layer 1; values.
// Every key is explained in docs/policies.md. Which files of a revision are wanted is config/policy.hpp.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "config/policy.hpp"

namespace hm::config {
inline constexpr int kClosureDepthMax = 16;  ///< `bases = true`: longer chains of base models are not known

enum class RankBy : std::uint8_t { Downloads, Likes, Trending, Created, Modified, Parameters };
/// What is mirrored first, and so what stays within the limits. What has no such fact comes last.
enum class PolicyOrder : std::uint8_t { Downloads, SmallestFirst, NewestFirst };

/// A time, or an age: so long before whenever it is asked for.
struct Since {
  std::int64_t ms = 0;  ///< POSIX, or the age
  bool is_age = false;
  std::int64_t at(std::int64_t now_ms) const { return is_age ? now_ms - ms : ms; }
  bool operator==(const Since&) const = default;
};

/// A repository that a policy names.
struct ListedRepo {
  std::string text;  ///< as written: a URL may be of another host than the upstream
  RepoSpec spec;
  std::string licence;  ///< what the operator believes it to be under; "" = not said
  std::string where;    ///< "select.repos", or file and line of a list: "our_models.tsv:12"
};

/// All that is given has to hold; of a list, one, but for `words` and `tags`: all. Words compare without case.
struct PolicySelect {
  RepoKind kind = RepoKind::Model;
  std::vector<ListedRepo> repos;   ///< chosen besides what the conditions choose: of `repos`, then of `lists`
  std::vector<std::string> names;  ///< globs over the whole name
  std::vector<std::string> words;  ///< each is somewhere in the name
  std::vector<std::string> owners, tags, licences, libraries, tasks;
  std::uint64_t downloads_min = 0, likes_min = 0;
  std::optional<std::uint64_t> parameters_min, parameters_max;
  std::optional<std::uint64_t> size_max;  ///< bytes of all revisions, as the Hub counts them
  std::optional<bool> gated;
  std::optional<Since> created_since, changed_since;
  std::uint64_t top = 0;  ///< only so many, the first by `by`; 0: all
  RankBy by = RankBy::Downloads;
  /// False: nothing but `repos` is chosen.
  bool has_conditions() const;
};

/// One match is enough, and it wins over everything, named repositories and closures too.
struct PolicyExclude {
  std::vector<RepoKind> kinds;
  std::vector<ListedRepo> repos;
  std::vector<std::string> names, words, owners, tags, licences, libraries, tasks;
  std::optional<bool> gated;
};

/// What comes along with what is selected.
struct PolicyClosure {
  int bases = 0;                         ///< levels of base models upwards, also of derivatives; 0: none
  int derivatives = 0;                   ///< levels downwards, from what is selected
  std::uint64_t derivatives_max = 1000;  ///< of all of them, the most downloaded: one family has a hundred thousand
  std::vector<std::string> relations;    ///< of derivatives: finetune, adapter, quantized, merge; empty: all
  bool datasets = false;                 ///< the training data that is declared
};

/// What MirrorRequest can be told.
struct PolicyRevisions {
  std::string revision;  ///< of repositories that are named without one; "": all heads
  bool all_history = false, pull_requests = false;
};

/// 0: no limit. What does not fit any more is left out and told of.
struct PolicyLimits {
  std::uint64_t repos_max = 0;       ///< held by crawler::choose()
  std::uint64_t bytes_max = 0;       ///< large files of all of them together
  std::uint64_t files_max = 0;       ///< of one repository
  std::uint64_t repo_bytes_max = 0;  ///< large files of one repository
};

struct PolicySchedule {
  std::int64_t every_ms = 86'400'000;  ///< how long after it was last taken up it is due again
  PolicyOrder order = PolicyOrder::Downloads;
};

/// When `gc` may let go of what the policy brought. docs/policies.md says how several policies agree.
struct PolicyRetention {
  /// Revisions that no ref names any more go after so many days; -1: never. Absent: as the configuration says.
  std::optional<std::int64_t> superseded_days;
  std::int64_t unwanted_days = -1;  ///< repositories that no policy wants any more go after so many days; -1: never
};

struct MirrorPolicy {
  std::string name;  ///< the file's name less ".toml"
  std::string description;
  PolicySelect select;
  PolicyExclude exclude;
  PolicyClosure closure;
  Selection files;
  PolicyRevisions revisions;
  PolicyLimits limits;
  PolicySchedule schedule;
  PolicyRetention retention;
};

/// Reads a policy and the lists that it names; these start at the folder of the policy.
/// @returns BadInput `file:line:column: unknown key "x" in [select]; did you mean "y"?`, with bounds and unit for
/// values out of range; of a list `file:line: …`; NotFound, Io.
Result<MirrorPolicy> load_mirror_policy(const std::string& path);
/// All `*.toml` of a directory, sorted by name. @returns NotFound, BadInput: no directory, no policy in it; else as
/// load_mirror_policy().
Result<std::vector<MirrorPolicy>> load_mirror_policies(const std::string& directory);
/// The text of a policy; `read_list(path)` gives the text of a list that it names.
Result<MirrorPolicy> parse_mirror_policy(std::string_view toml, std::string_view source_name,
                                         const std::function<Result<std::string>(const std::string&)>& read_list);
/// Of a list: `repo<TAB>revision<TAB>licence` a line, the last two may be absent. `#` begins a comment, the first line
/// may name the columns, byte order marks and CRLF are tolerated. @returns BadInput `file:line: …`.
Result<std::vector<ListedRepo>> parse_repo_list(std::string_view text, std::string_view source_name);
/// "section.key" of all, for whoever describes them.
std::vector<std::string> mirror_policy_keys();
/// sync.policies; else the folder `policies` beside the configuration file, if it is there; "" when there is none.
std::string policies_directory(const Config& config, const std::string& config_file);
}  // namespace hm::config
