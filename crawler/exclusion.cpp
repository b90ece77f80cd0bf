#include "crawler/exclusion.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm::crawler {
namespace {
std::string quoted(std::string_view text) { return "\"" + printable(text) + "\""; }
}  // namespace

Exclusion::Exclusion(const config::PolicyExclude& exclude) : exclude_(exclude) {
  for (const auto& listed : exclude.repos)
    repos_.emplace(listed.spec.rid ? RepoKey{listed.spec.repo.kind, *listed.spec.rid}.text()
                                   : ascii_lower(listed.spec.repo.text()),
                   listed.where);
}

std::string Exclusion::reason(const RepoId& repo, const provenance::Found* found) const {
  std::string by_name = reason_by_name(repo);
  return by_name.empty() && found != nullptr ? reason_by_facts(*found) : by_name;
}

std::string Exclusion::reason_by_name(const RepoId& repo) const {
  if (std::find(exclude_.kinds.begin(), exclude_.kinds.end(), repo.kind) != exclude_.kinds.end())
    return "excluded: kind " + std::string(name_of(repo.kind));
  if (const auto it = repos_.find(ascii_lower(repo.text())); it != repos_.end()) return "excluded by " + it->second;
  const std::string lower = ascii_lower(repo.name);
  for (const std::string& glob : exclude_.names)
    if (glob_match(ascii_lower(glob), lower)) return "excluded: name " + quoted(glob);
  for (const std::string& word : exclude_.words)
    if (lower.find(ascii_lower(word)) != std::string::npos) return "excluded: word " + quoted(word);
  const std::string owner = repo.name.substr(0, repo.name.find('/'));
  return provenance::contains_fold(exclude_.owners, owner) ? "excluded: owner " + quoted(owner) : std::string();
}

std::string Exclusion::reason_by_facts(const provenance::Found& found) const {
  const auto& facts = found.facts;
  if (const auto it = repos_.find(found.key.text()); it != repos_.end()) return "excluded by " + it->second;
  for (const std::string& tag : exclude_.tags)
    if (provenance::contains_fold(facts.tags, tag)) return "excluded: tag " + quoted(tag);
  for (const std::string& licence : exclude_.licences)
    if (provenance::contains_fold(facts.licences, licence)) return "excluded: licence " + quoted(licence);
  if (!facts.library.empty() && provenance::contains_fold(exclude_.libraries, facts.library))
    return "excluded: library " + quoted(facts.library);
  if (!facts.task.empty() && provenance::contains_fold(exclude_.tasks, facts.task))
    return "excluded: task " + quoted(facts.task);
  if (exclude_.gated && facts.visibility.starts_with("gated") == *exclude_.gated)
    return *exclude_.gated ? "excluded: gated" : "excluded: not gated";
  return {};
}
}  // namespace hm::crawler
