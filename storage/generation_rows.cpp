#include "storage/generation_rows.hpp"

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr char kGenerationTag = 'g', kTargetTag = 't', kSkippedTag = 's';

std::string canonical(const json::object& row) {
  auto text = canonical_json(row);
  HM_CHECK(text.has_value());  // printable text and integers only
  return std::move(text).assume_value();
}
Result<json::value> parsed_object(std::string_view bytes) {
  auto value = parse_json(bytes);
  if (value && value.assume_value().is_object()) return value;
  return Error{Errc::Corrupt, "a row of a generation is stored in a form that nobody writes"};
}
json::array words(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& word : list) out.emplace_back(printable(word));
  return out;
}
std::vector<std::string> words_of(const json::object& object, const char* field) {
  std::vector<std::string> out;
  const json::value* v = object.if_contains(field);
  if (v == nullptr || !v->is_array()) return out;
  for (const json::value& word : v->get_array())
    if (word.is_string()) out.emplace_back(word.get_string());
  return out;
}
std::uint64_t count_of(const json::object& object, const char* field) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number_of(object, field), 0));
}
std::string tagged(char tag, std::uint32_t number) { return std::string(1, tag) + key::u32(number); }
}  // namespace

std::string_view name_of(TargetState state) {
  switch (state) {
    case TargetState::Pending:
      return "pending";
    case TargetState::Published:
      return "published";
    case TargetState::Failed:
      break;
  }
  return "failed";
}

std::string pack_generation(const GenerationRow& row) {
  return canonical({{"api_calls", row.api_calls},
                    {"api_calls_done", row.api_calls_done},
                    {"began", row.began_ms},
                    {"bytes", row.bytes},
                    {"bytes_fetched", row.bytes_fetched},
                    {"bytes_to_fetch", row.bytes_to_fetch},
                    {"ended", row.ended_ms},
                    {"fetching_ms", row.fetching_ms},
                    {"files", row.files},
                    {"git_bytes", row.git_bytes},
                    {"number", row.number},
                    {"other_calls", row.other_calls},
                    {"other_calls_done", row.other_calls_done},
                    {"policies", words(row.policies)},
                    {"skipped", row.skipped},
                    {"src", row.src},
                    {"targets", row.targets}});
}

Result<GenerationRow> unpack_generation(std::string_view bytes) {
  HM_TRY(const json::value value, parsed_object(bytes));
  const json::object& object = value.get_object();
  GenerationRow row;
  row.number = static_cast<std::uint32_t>(number_of(object, "number"));
  row.src = text_of(object, "src");
  row.policies = words_of(object, "policies");
  row.began_ms = number_of(object, "began");
  row.ended_ms = number_of(object, "ended");
  row.targets = count_of(object, "targets");
  row.skipped = count_of(object, "skipped");
  row.files = count_of(object, "files");
  row.bytes = count_of(object, "bytes");
  row.bytes_to_fetch = count_of(object, "bytes_to_fetch");
  row.api_calls = count_of(object, "api_calls");
  row.other_calls = count_of(object, "other_calls");
  row.bytes_fetched = count_of(object, "bytes_fetched");
  row.git_bytes = count_of(object, "git_bytes");
  row.api_calls_done = count_of(object, "api_calls_done");
  row.other_calls_done = count_of(object, "other_calls_done");
  row.fetching_ms = number_of(object, "fetching_ms");
  return row;
}

std::string pack_target(const TargetRow& row) {
  json::object object{{"all_history", row.all_history},
                      {"bytes", row.bytes},
                      {"bytes_to_fetch", row.bytes_to_fetch},
                      {"commit", row.commit.hex()},
                      {"files", row.files},
                      {"policies", words(row.policies)},
                      {"place", row.place},
                      {"pull_requests", row.pull_requests},
                      {"repo", row.repo.text()},
                      {"revision", printable(row.revision)},
                      {"rid", row.key.rid.text()},
                      {"selection", row.selection},
                      {"state", std::string(name_of(row.state))}};
  if (row.state != TargetState::Pending) object["settled"] = row.settled_ms;
  if (row.bytes_fetched != 0) object["bytes_fetched"] = row.bytes_fetched;
  if (row.git_bytes != 0) object["git_bytes"] = row.git_bytes;
  if (row.state == TargetState::Failed) {
    object["failure"] = printable(row.failure);
    object["reason"] = printable(row.reason);
  }
  return canonical(object);
}

Result<TargetRow> unpack_target(std::string_view bytes) {
  HM_TRY(const json::value value, parsed_object(bytes));
  const json::object& object = value.get_object();
  TargetRow row;
  const auto spec = parse_repo_spec(text_of(object, "repo"));
  const auto commit = Commit::parse(text_of(object, "commit"));
  const auto rid = Rid::parse(text_of(object, "rid"));
  bool known = false;
  for (const TargetState state : {TargetState::Pending, TargetState::Published, TargetState::Failed})
    if (text_of(object, "state") == name_of(state)) row.state = state, known = true;
  if (!spec || !commit || !rid || !known)
    return Error{Errc::Corrupt, "a target of a generation is stored in a form that nobody writes"};
  row.repo = spec.assume_value().repo;
  row.key = {row.repo.kind, *rid};
  row.commit = *commit;
  row.revision = text_of(object, "revision");
  row.selection = text_of(object, "selection");
  row.all_history = flag_of(object, "all_history");
  row.pull_requests = flag_of(object, "pull_requests");
  row.policies = words_of(object, "policies");
  row.files = count_of(object, "files");
  row.bytes = count_of(object, "bytes");
  row.bytes_to_fetch = count_of(object, "bytes_to_fetch");
  row.place = static_cast<std::uint32_t>(count_of(object, "place"));
  row.bytes_fetched = count_of(object, "bytes_fetched");
  row.git_bytes = count_of(object, "git_bytes");
  row.failure = text_of(object, "failure");
  row.reason = text_of(object, "reason");
  row.settled_ms = number_of(object, "settled");
  return row;
}

std::string pack_skipped(const SkippedRow& row) {
  json::object out{{"policy", printable(row.policy)}, {"repo", row.repo.text()}, {"why", printable(row.why)}};
  if (row.unanswered) out["unanswered"] = true;
  return canonical(std::move(out));
}

std::string generation_key(std::uint32_t number) { return tagged(kGenerationTag, number); }
std::string target_key(std::uint32_t number, const RepoKey& repo, const Commit& commit) {
  return tagged(kTargetTag, number).append(key::repo(repo)).append(commit.view());
}
std::string skipped_key(std::uint32_t number, const SkippedRow& row) {
  return tagged(kSkippedTag, number).append(row.policy).append(1, '\0').append(row.repo.text());
}

Result<std::optional<GenerationRow>> find_generation(const Index& index, std::uint32_t number) {
  HM_TRY(const auto bytes, index.get(Family::Generations, generation_key(number)));
  if (!bytes) return std::optional<GenerationRow>();
  HM_TRY(GenerationRow row, unpack_generation(*bytes));
  return std::optional(std::move(row));
}

Result<> each_generation(const Index& index, const std::function<bool(const GenerationRow&)>& visit) {
  HM_TRY(const auto last, index.last(Family::Generations, std::string(1, kGenerationTag)));
  if (!last) return ok();
  HM_TRY(const GenerationRow newest, unpack_generation(last->second));
  for (std::uint32_t number = newest.number; number > 0; --number) {
    HM_TRY(const auto row, find_generation(index, number));
    if (row && !visit(*row)) break;
  }
  return ok();
}

namespace {
Result<> each_target_under(const Index& index, const std::string& prefix,
                           const std::function<bool(const TargetRow&)>& visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Generations, prefix, [&](std::string_view, std::string_view bytes) {
    const auto row = unpack_target(bytes);
    if (!row) outcome = row.error();
    return row && visit(row.assume_value());
  }));
  return outcome;
}
}  // namespace

Result<> each_target(const Index& index, std::uint32_t number, const std::function<bool(const TargetRow&)>& visit) {
  return each_target_under(index, tagged(kTargetTag, number), visit);
}

Result<std::vector<TargetRow>> targets_of_repo(const Index& index, std::uint32_t number, const RepoKey& repo) {
  std::vector<TargetRow> out;
  HM_TRY(each_target_under(index, tagged(kTargetTag, number).append(key::repo(repo)), [&](const TargetRow& row) {
    out.push_back(row);
    return true;
  }));
  return out;
}

Result<std::optional<TargetRow>> find_target(const Index& index, std::uint32_t number, const RepoKey& repo,
                                             const Commit& commit) {
  HM_TRY(const auto bytes, index.get(Family::Generations, target_key(number, repo, commit)));
  if (!bytes) return std::optional<TargetRow>();
  HM_TRY(TargetRow row, unpack_target(*bytes));
  return std::optional(std::move(row));
}

Result<> each_skipped(const Index& index, std::uint32_t number, const std::function<bool(const SkippedRow&)>& visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Generations, tagged(kSkippedTag, number), [&](std::string_view, std::string_view bytes) {
    const auto value = parsed_object(bytes);
    if (!value) outcome = value.error();
    if (!value) return false;
    const json::object& object = value.assume_value().get_object();
    const auto spec = parse_repo_spec(text_of(object, "repo"));
    if (!spec) outcome = Error{Errc::Corrupt, "a generation names a repository that cannot be"};
    return spec && visit({spec.assume_value().repo, text_of(object, "policy"), text_of(object, "why"),
                          object.contains("unanswered")});
  }));
  return outcome;
}
}  // namespace hm::storage
