// server/access.hpp: who asks, and what that caller may have. Layer 5. docs/operations.md "Who may read".
// Threads: safe; coroutines run on the caller's loop.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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

/// Who sent a request. Made once per request; knows its rights from then on.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual const std::string& name() const = 0;  ///< for the access log; never a token
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
};
}  // namespace hm::server
