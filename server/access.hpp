// server/access.hpp: who asks, and what that caller may have. Layer 5. docs/operations.md "Who may read".
// Threads: safe; coroutines run on the caller's loop. The one implementation is server/mirror_access.hpp.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "storage/rows.hpp"

namespace hm::server {
using boost::asio::awaitable;

/// What is wanted of a repository: that it is there and what it is (info, tree, refs), or bytes of its files.
enum class Want : std::uint8_t { Facts, Bytes };

enum class Verdict : std::uint8_t {
  Granted,
  Absent,   ///< to be answered exactly as if there were no such repository
  LogIn,    ///< gated, and the caller is nobody
  Denied,   ///< gated, and this caller was not let in
  Unknown,  ///< gated, and the upstream could not be asked: refused, but worth another try later
};

enum class CallerKind : std::uint8_t {
  Nobody,
  MirrorToken,  ///< has one of ours
  HubToken,     ///< sent some other token: the caller's own, which only the upstream can judge
};

/// Who sent a request. Made once per request; knows its rights from then on.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual CallerKind kind() const { return CallerKind::Nobody; }
  virtual const std::string& name() const = 0;         ///< for the access log; never a token
  virtual std::int64_t since_ms() const { return 0; }  ///< when a token of ours was made
  /// Whether a repository may be named in a listing.
  virtual bool may_list(const RepoId& repo, std::string_view visibility) const = 0;
};

class Access {
 public:
  virtual ~Access() = default;
  /// The caller, or null with the answer to give in `refusal` (bad credentials, or none where the mirror asks for
  /// some).
  virtual std::shared_ptr<const Caller> caller_of(const Request& request, Response& refusal) = 0;
  virtual awaitable<Verdict> may(std::shared_ptr<const Caller> caller, const storage::RepoRow& repo, Want want) = 0;
  /// To be awaited before a name that means no repository is answered with absent(): takes as long as may() takes for
  /// a private repository of that name, so that time does not tell one from the other.
  virtual awaitable<void> miss(std::shared_ptr<const Caller> caller, RepoId repo) = 0;
};

/// Asks the upstream. app/ has the implementation, since server/ knows no Hub.
class GateCheck {
 public:
  virtual ~GateCheck() = default;
  /// Whether the holder of `token` may read files of the repository there. The token goes to the upstream's origin and
  /// nowhere else. @param rid what has to bear that name there: another repository under it says nothing about ours
  /// @returns an error when the upstream gave no answer to the question.
  virtual awaitable<Result<bool>> allowed(RepoId repo, Rid rid, std::string token) = 0;
};
}  // namespace hm::server
