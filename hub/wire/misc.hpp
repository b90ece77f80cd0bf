// hub/wire/misc.hpp: the small answers of a Hub: refs, commits, a page of a listing, who am I, where a file is. Layer
// 3; values.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "hub/wire/repo_info.hpp"

namespace hm::hub {
struct Ref {
  std::string name;  ///< "main", "1"
  std::string ref;   ///< "refs/heads/main", "refs/pr/1"
  Commit target;
};
struct RefList {
  std::vector<Ref> branches, converts, tags;
  std::vector<Ref> pull_requests;  ///< only when asked for
};
Result<RefList> parse_refs(std::string_view body);

struct CommitInfo {
  Commit id;
  std::string title, message;  ///< first line; the rest
  std::int64_t date_ms = 0;    ///< POSIX milliseconds
  std::vector<std::string> authors;
};
Result<std::vector<CommitInfo>> parse_commits(std::string_view body);

/// One page of a listing.
struct ListPage {
  std::vector<ListItem> items;
  std::vector<Error> bad_items;  ///< of the wrong form: a crawl goes on without them
  std::string next;              ///< absolute URL of the following page, opaque; empty on the last page
};
/// The items; `next` comes from a header.
Result<ListPage> parse_list(std::string_view body);

struct WhoAmI {
  std::string name, type;         ///< type: "user", "org", "app"
  std::string full_name;          ///< or empty
  std::vector<std::string> orgs;  ///< their names
};
Result<WhoAmI> parse_whoami(std::string_view body);

/// Where the bytes of one file are and what they should be: what the headers of the resolve hops said.
struct ResolvedFile {
  std::string url;               ///< absolute; signed and short-lived (about an hour) when `elsewhere`
  bool elsewhere = false;        ///< another server answers `url`: no token, bytes to be verified like any
  std::optional<Commit> commit;  ///< X-Repo-Commit: what the revision stands for
  std::string etag;              ///< X-Linked-Etag, else ETag; without W/ and quotes; empty when neither came
  std::optional<std::uint64_t> size_bytes;  ///< X-Linked-Size, else the length of a final answer
  std::optional<Sha256> sha256;             ///< when the etag is one: an LFS file
  std::optional<GitOid> git_oid;            ///< when the etag is one: a file that git keeps
  std::string xet_hash;                     ///< or empty
};
}  // namespace hm::hub
