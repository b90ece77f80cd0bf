// server/refusal.hpp: how a caller is told no, in the words that clients of the Hub, git and git-lfs go by. Layer 5;
// pure. docs/operations.md "Who may read". Nothing here depends on whether a repository is there, but what it is told.
#pragma once
#include <cstdint>

#include "server/access.hpp"
#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "storage/rows.hpp"

namespace hm::server {
/// Who is spoken to: decides on the body's form, and on how credentials are asked for.
enum class Face : std::uint8_t {
  Api,   ///< JSON
  File,  ///< text: resolve, raw
  Git,   ///< text; a 401 makes git ask for credentials
  Lfs,   ///< git-lfs's JSON, the same
};
/// By the path alone.
Face face_of(const Request& request);

/// There is no such repository, or none that this caller may know of: the one answer to both. git and git-lfs without
/// credentials are asked for some first, as the Hub does.
Response absent(const Caller& caller, Face face);
/// @param row is looked at for gated repositories only
/// @pre verdict is not Granted
Response refusal(Verdict verdict, const storage::RepoRow& row, const Caller& caller, Face face);

/// No credentials where the mirror asks everybody for some.
Response credentials_wanted(Face face);
/// Credentials that are malformed, unknown, expired or taken back. The text is the one that clients do not take for
/// "no such repository".
Response credentials_refused(Face face);

/// What is not here could not be fetched. `why` is the upstream's, or the mirror's own trouble; an unknown repository
/// is not told of here, but by absent().
Response not_fetched(const Error& why, Face face);

/// GET /api/whoami-v2.
Response whoami(const Caller& caller);
}  // namespace hm::server
