#include "server/hub_call.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::server {
std::vector<std::string> values_of(const std::vector<Parameter>& parameters, std::string_view name) {
  std::vector<std::string> out;
  for (const Parameter& p : parameters) {
    std::string_view given = p.name;
    if (given.ends_with("[]")) given.remove_suffix(2);
    if (given == name) out.push_back(p.value);
  }
  return out;
}

std::optional<std::string> value_of(const std::vector<Parameter>& parameters, std::string_view name) {
  auto all = values_of(parameters, name);
  if (all.empty()) return std::nullopt;
  return std::move(all.back());
}

bool is_true(const std::vector<Parameter>& parameters, std::string_view name) {
  const auto value = value_of(parameters, name);
  return value && (ascii_equal_fold(*value, "true") || *value == "1");
}

RevisionAndPath split_revision(const PublishedRepo& repo, std::string_view rest) {
  std::vector<std::string> parts = decoded_parts(rest);
  if (!parts.empty() && parts.back().empty()) parts.pop_back();
  auto cut = [&](std::size_t count) {
    RevisionAndPath out;
    for (std::size_t i = 0; i < count; ++i) out.revision += (i == 0 ? "" : "/") + parts[i];
    out.path.assign(parts.begin() + static_cast<std::ptrdiff_t>(count), parts.end());
    return out;
  };
  // What is a ref by itself needs no longer match: git keeps no branch "a/b" beside a branch "a".
  if (parts.size() < 2 || repo.commit_of(parts[0])) return cut(std::min<std::size_t>(parts.size(), 1));
  constexpr std::size_t kPartsOfRefMax = 8;
  for (std::size_t count = std::min(parts.size(), kPartsOfRefMax); count > 1; --count) {
    RevisionAndPath tried = cut(count);
    for (const std::string_view prefix : {"", "refs/heads/", "refs/tags/"})
      if (repo.ref(prefix, tried.revision) != nullptr) return tried;
  }
  return cut(std::min<std::size_t>(parts.size(), 1));
}

awaitable<FoundRevision> find_revision(const HubParts& parts, const RepoCall& call, std::string revision,
                                       bool as_text) {
  FoundRevision out;
  auto absent = [&] { return hub_error(404, "RevisionNotFound", "Invalid rev id: " + printable(revision), as_text); };
  auto commit = co_await parts.published.commit_of(call.repo, revision);
  if (!commit) {
    out.refusal = failed(commit.error(), "looking for a revision");
    co_return out;
  }
  if (!commit.assume_value()) {
    out.refusal = absent();
    co_return out;
  }
  out.commit = *commit.assume_value();
  out.files = parts.published.files_now(*call.repo, out.commit);
  if (out.files) co_return out;
  auto files = co_await parts.published.files(call.repo, out.commit);
  if (!files)
    out.refusal = failed(files.error(), "reading the files of a revision");
  else if (!files.assume_value())
    out.refusal = absent();
  else
    out.files = files.assume_value();
  co_return out;
}

void add_mirror_fields(Response& response, const HubParts& parts, const PublishedRepo& repo,
                       const RevisionFiles* files) {
  if (repo.visited_ms) {
    const std::int64_t age_ms = std::max<std::int64_t>(0, parts.clock.unix_ms() - *repo.visited_ms);
    response.add("X-Hubmirror-Age", std::to_string(age_ms / 1000));
  }
  if (files != nullptr && files->snapshot.partial())
    response.add("X-Hubmirror-Partial", std::to_string(files->snapshot.left_out_files) + " files, " +
                                            std::to_string(files->snapshot.left_out_bytes) + " bytes left out");
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    utf8proc_int32_t rune = -1;
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                    static_cast<utf8proc_ssize_t>(text.size()), &rune);
    const std::size_t taken = n > 0 ? static_cast<std::size_t>(n) : 1;
    out.append(n > 0 ? text.substr(0, taken) : "\xef\xbf\xbd");
    text.remove_prefix(taken);
  }
  return out;
}

std::uint64_t pointer_size(std::uint64_t size_bytes) {
  constexpr std::uint64_t kWithoutDigits =
      std::string_view("version https://git-lfs.github.com/spec/v1\noid sha256:\nsize \n").size() + 2 * Sha256::kSize;
  return kWithoutDigits + std::to_string(size_bytes).size();
}

std::string next_url(const Request& request, const std::string& base_url, std::string_view cursor) {
  std::string query;
  for (const std::string_view pair : split(request.query(), '&'))
    if (!pair.empty() && !pair.starts_with("cursor=")) query.append(pair).append("&");
  return base_url + std::string(request.path()) + "?" + query + "cursor=" + percent_encode(cursor);
}

void add_next_link(Response& response, const RepoCall& call, std::string_view cursor) {
  if (!cursor.empty()) response.add("Link", "<" + next_url(call.request, call.base_url(), cursor) + ">; rel=\"next\"");
}

Response failed(const Error& error, std::string_view what) {
  log(LogLevel::Error, "a request failed here", {{"while", std::string(what)}, {"why", error.what}});
  return hub_error(500, "", "This mirror could not answer (" + std::string(what) + "); its log says why.");
}
}  // namespace hm::server
