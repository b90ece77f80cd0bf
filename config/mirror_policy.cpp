#include "config/mirror_policy.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "config/toml_reading.hpp"
#include "config/value.hpp"

namespace hm::config {
namespace {
constexpr std::size_t kListBytesMax = 64 << 20;  // a million lines
constexpr std::size_t kPoliciesMax = 1000;       // of one directory; written by hand
constexpr std::size_t kNameBytesMax = 64;
constexpr std::uint64_t kTopMax = 100'000;  // ranked rows are in memory at once, some 3 KiB each
constexpr std::string_view kSuffix = ".toml";
constexpr std::array<std::string_view, 6> kRanks{"downloads", "likes", "trending", "created", "modified", "parameters"};
constexpr std::array<std::string_view, 6> kOrders{"downloads", "smallest-first", "newest-first"};
constexpr std::array<std::string_view, 6> kKinds{"model", "dataset", "space"};
constexpr std::array<std::string_view, 6> kRelations{"finetune", "adapter", "quantized", "merge"};

/// A policy with what stands as text in its file and becomes something else later.
struct PolicyFile {
  MirrorPolicy policy;
  std::string kind = "model", by, order = "downloads", created_since, changed_since;
  std::vector<std::string> repos, lists, excluded_repos, excluded_lists, excluded_kinds;
  std::uint64_t file_bytes_max = 0;
};

/// Every key of a policy once.
template <class Visit>
void each_key(PolicyFile& f, Visit&& visit) {
  using enum Form;
  constexpr std::uint64_t kDayMs = 86'400'000, kMillion = 1'000'000, kCounts = kMillion * kMillion * kMillion;
  PolicySelect& s = f.policy.select;
  visit("select", "kind", f.kind, Rule{Choice, {}, 0, 0, kKinds});
  visit("select", "repos", f.repos, Rule{Repos});
  visit("select", "lists", f.lists, Rule{});
  visit("select", "names", s.names, Rule{});
  visit("select", "words", s.words, Rule{});
  visit("select", "owners", s.owners, Rule{});
  visit("select", "tags", s.tags, Rule{});
  visit("select", "licences", s.licences, Rule{});
  visit("select", "libraries", s.libraries, Rule{});
  visit("select", "tasks", s.tasks, Rule{});
  visit("select", "downloads_min", s.downloads_min, Rule{Count, "downloads", 0, kCounts});
  visit("select", "likes_min", s.likes_min, Rule{Count, "likes", 0, kCounts});
  visit("select", "parameters_min", s.parameters_min, Rule{Count, "parameters", 1, kCounts});
  visit("select", "parameters_max", s.parameters_max, Rule{Count, "parameters", 1, kCounts});
  visit("select", "size_max", s.size_max, Rule{Bytes, "bytes", 1, kPiB});
  visit("select", "gated", s.gated, Rule{});
  visit("select", "created_since", f.created_since, Rule{Since});
  visit("select", "changed_since", f.changed_since, Rule{Since});
  visit("select", "top", s.top, Rule{Count, "repositories", 1, kTopMax});
  visit("select", "by", f.by, Rule{Choice, {}, 0, 0, kRanks});

  PolicyExclude& e = f.policy.exclude;
  visit("exclude", "kinds", f.excluded_kinds, Rule{Choice, {}, 0, 0, kKinds});
  visit("exclude", "repos", f.excluded_repos, Rule{Repos});
  visit("exclude", "lists", f.excluded_lists, Rule{});
  visit("exclude", "names", e.names, Rule{});
  visit("exclude", "words", e.words, Rule{});
  visit("exclude", "owners", e.owners, Rule{});
  visit("exclude", "tags", e.tags, Rule{});
  visit("exclude", "licences", e.licences, Rule{});
  visit("exclude", "libraries", e.libraries, Rule{});
  visit("exclude", "tasks", e.tasks, Rule{});
  visit("exclude", "gated", e.gated, Rule{});

  PolicyClosure& c = f.policy.closure;
  visit("closure", "bases", c.bases, Rule{Depth, "levels", 0, kClosureDepthMax});
  visit("closure", "derivatives", c.derivatives, Rule{Depth, "levels", 0, kClosureDepthMax});
  visit("closure", "derivatives_max", c.derivatives_max, Rule{Count, "repositories", 1, kMillion});
  visit("closure", "relations", c.relations, Rule{Choice, {}, 0, 0, kRelations});
  visit("closure", "datasets", c.datasets, Rule{});

  visit("files", "include", f.policy.files.include, Rule{});
  visit("files", "exclude", f.policy.files.exclude, Rule{});
  visit("files", "formats", f.policy.files.formats, Rule{Formats});
  visit("files", "file_bytes_max", f.file_bytes_max, Rule{Bytes, "bytes", 0, kPiB});

  visit("revisions", "revision", f.policy.revisions.revision, Rule{});
  visit("revisions", "all_history", f.policy.revisions.all_history, Rule{});
  visit("revisions", "pull_requests", f.policy.revisions.pull_requests, Rule{});

  visit("limits", "repos_max", f.policy.limits.repos_max, Rule{Count, "repositories", 0, kMillion});
  visit("limits", "bytes_max", f.policy.limits.bytes_max, Rule{Bytes, "bytes", 0, 1024 * kPiB});
  visit("limits", "files_max", f.policy.limits.files_max, Rule{Count, "files", 0, kCounts});
  visit("limits", "repo_bytes_max", f.policy.limits.repo_bytes_max, Rule{Bytes, "bytes", 0, 1024 * kPiB});

  visit("schedule", "every", f.policy.schedule.every_ms, Rule{Duration, {}, 60'000, 3650 * kDayMs});
  visit("schedule", "order", f.order, Rule{Choice, {}, 0, 0, kOrders});

  visit("retention", "superseded_days", f.policy.retention.superseded_days, Rule{Plain, "days", -1, kDaysMax});
  visit("retention", "unwanted_days", f.policy.retention.unwanted_days, Rule{Plain, "days", -1, kDaysMax});
}

template <class Enum>
Enum chosen_of(const std::array<std::string_view, 6>& words, std::string_view word) {
  return static_cast<Enum>(std::find(words.begin(), words.end(), word) - words.begin());
}
std::optional<Since> since_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto age = parse_duration(text)) return Since{age.assume_value(), true};
  const auto at = parse_time(text);
  return at ? std::optional(Since{at.assume_value(), false}) : std::nullopt;
}

using ReadList = std::function<Result<std::string>(const std::string&)>;
/// What `repos` and the lists of one section name.
Result<std::vector<ListedRepo>> repos_of(const std::string& section, const std::vector<std::string>& repos,
                                         const std::vector<std::string>& lists, const ReadList& read_list) {
  std::vector<ListedRepo> out;
  for (const std::string& text : repos) {
    HM_TRY(RepoSpec spec, parse_repo_spec(text));
    out.push_back({text, std::move(spec), {}, section + ".repos"});
  }
  for (const std::string& path : lists) {
    HM_TRY(const std::string text, within(read_list(path), [&] { return "reading " + section + ".lists"; }));
    HM_TRY(auto listed, parse_repo_list(text, path));
    std::move(listed.begin(), listed.end(), std::back_inserter(out));
  }
  return out;
}

/// What no single key can get wrong.
Result<> check_policy(const PolicyFile& file) {
  const PolicySelect& select = file.policy.select;
  auto bad = [](const char* what) { return Error{Errc::BadInput, what}; };
  if (!select.has_conditions() && select.top == 0 && file.repos.empty() && file.lists.empty())
    return bad("[select] says nothing; give repos, lists or a condition (names = [\"*\"] is everything)");
  if (select.top == 0 && !file.by.empty()) return bad("select.by ranks for select.top, which is not given");
  if (select.parameters_min && select.parameters_max && *select.parameters_min > *select.parameters_max)
    return bad("select.parameters_min is above select.parameters_max");
  if (file.policy.closure.derivatives == 0 && !file.policy.closure.relations.empty())
    return bad("closure.relations is of closure.derivatives, which is not given");
  for (const ListedRepo& excluded : file.policy.exclude.repos)
    if (excluded.spec.revision)
      return Error{Errc::BadInput, excluded.where + ": \"" + printable(excluded.text) +
                                       "\": whole repositories are excluded; leave the revision out"};
  return within(check_selection(file.policy.files), [] { return "checking [files]"; });
}

Result<> finish(PolicyFile& file, const ReadList& read_list) {
  PolicySelect& select = file.policy.select;
  select.kind = *parse_repo_kind(file.kind);
  if (!file.by.empty()) select.by = chosen_of<RankBy>(kRanks, file.by);
  select.created_since = since_of(file.created_since);
  select.changed_since = since_of(file.changed_since);
  HM_TRY(select.repos, repos_of("select", file.repos, file.lists, read_list));
  HM_TRY(file.policy.exclude.repos, repos_of("exclude", file.excluded_repos, file.excluded_lists, read_list));
  for (const std::string& kind : file.excluded_kinds) file.policy.exclude.kinds.push_back(*parse_repo_kind(kind));
  file.policy.schedule.order = chosen_of<PolicyOrder>(kOrders, file.order);
  if (file.file_bytes_max != 0) file.policy.files.file_bytes_max = file.file_bytes_max;
  return check_policy(file);
}

/// The file's name is the policy's, and that is typed and shown.
Result<std::string> policy_name_of(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
  if (!name.empty() && name.size() <= kNameBytesMax &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos && name[0] != '-')
    return name;
  return Error{Errc::BadInput, printable(path) + ": a policy is named by its file: a-z, 0-9, _ and -, at most " +
                                   std::to_string(kNameBytesMax) + " of them, e.g. our_models.toml"};
}
}  // namespace

bool PolicySelect::has_conditions() const {
  for (const auto* list : {&names, &words, &owners, &tags, &licences, &libraries, &tasks})
    if (!list->empty()) return true;
  return downloads_min != 0 || likes_min != 0 || parameters_min || parameters_max || size_max || gated ||
         created_since || changed_since || top != 0;
}

std::vector<std::string> mirror_policy_keys() {
  std::vector<std::string> keys;
  PolicyFile any;
  each_key(any, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    keys.push_back(std::string(section) + "." + std::string(key));
  });
  return keys;
}

Result<MirrorPolicy> parse_mirror_policy(std::string_view toml, std::string_view source_name,
                                         const ReadList& read_list) {
  HM_TRY(const TomlFile toml_file, read_toml(toml, source_name));
  PolicyFile file;
  TomlReader reader(file, [](PolicyFile& into, auto&& visit) { each_key(into, visit); });
  for (const TomlKey& key : toml_file.outside) {
    if (key.name != "description") {
      const std::string home = reader.home_of(key.name);
      return Error{Errc::BadInput, key.key_place + "\"" + printable(key.name) + "\" stands outside of any section" +
                                       (home.empty() ? "; only description may" : home)};
    }
    auto read =
        key.raw ? assign(file.policy.description, Rule{}, key.raw.assume_value()) : Result<>(key.raw.assume_error());
    if (!read) return Error{Errc::BadInput, key.value_place + "description " + read.assume_error().what};
  }
  HM_TRY(reader.read(toml_file.sections));
  if (auto finished = finish(file, read_list); !finished) {
    Error error = std::move(finished.assume_error());
    error.what = printable(source_name) + ": " + error.what;
    return error;
  }
  return std::move(file.policy);
}

Result<MirrorPolicy> load_mirror_policy(const std::string& path) {
  HM_TRY(std::string name, policy_name_of(path));
  HM_TRY(const std::string text, within(read_operators_file(path, kTomlBytesMax), [] { return "reading a policy"; }));
  const std::string folder = parent_directory(std::filesystem::absolute(path).lexically_normal().string());
  HM_TRY(MirrorPolicy policy, parse_mirror_policy(text, path, [&](const std::string& list) {
           return read_operators_file(path_beside(folder, list), kListBytesMax);
         }));
  policy.name = std::move(name);
  return policy;
}

Result<std::vector<MirrorPolicy>> load_mirror_policies(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<std::string> paths;
  fs::directory_iterator entries(directory, failed);
  for (; !failed && entries != fs::directory_iterator(); entries.increment(failed)) {
    const std::string file = entries->path().filename().string();
    if (file.ends_with(kSuffix) && !file.starts_with('.')) paths.push_back(entries->path().string());
  }
  if (failed) {
    Error error = errno_error("open the folder of policies", printable(directory), failed.value());
    if (failed == std::errc::not_a_directory)
      error = {Errc::BadInput, printable(directory) + " is no folder; policies are one TOML file each in a folder"};
    return error;
  }
  if (paths.empty())
    return Error{Errc::BadInput, printable(directory) + " holds no policy; write one, e.g. our_models.toml"};
  if (paths.size() > kPoliciesMax)
    return Error{Errc::BadInput,
                 printable(directory) + " holds more than " + std::to_string(kPoliciesMax) + " policies"};
  std::sort(paths.begin(), paths.end());
  std::vector<MirrorPolicy> policies;
  for (const std::string& path : paths) {
    HM_TRY(MirrorPolicy policy, load_mirror_policy(path));
    policies.push_back(std::move(policy));
  }
  return policies;
}

std::string policies_directory(const Config& config, const std::string& config_file) {
  return named_or_beside(config.sync.policies, config_file, "policies");
}
}  // namespace hm::config
