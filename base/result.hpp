// base/result.hpp: how a call reports failure. Layer 0. Operating errors travel in Result; broken invariants abort
// (base/check.hpp).
#pragma once
#include <boost/outcome/basic_result.hpp>  // not result.hpp, which costs a second more per file
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hm {
/// A code exists only where some caller acts on it differently; everything else is said in `what`.
enum class Errc : std::uint8_t {
  NotFound,     ///< it is not there (repo, revision, file, blob); asking again will not help
  Gated,        ///< it is there, this identity may not read it (401/403)
  RateLimited,  ///< asked to wait, and waiting was not possible within the retry budget
  Unreachable,  ///< network, DNS, TLS, 5xx: transient; a later run may succeed
  Corrupt,      ///< bytes differ from their name
  NoSpace,      ///< free space would fall under the reserve, or the disk is full
  Cancelled,    ///< the caller asked to stop
  Busy,         ///< somebody else holds the lock or the lease
  Refused,      ///< a rule of ours forbids it: limit, private address, hostile name
  BadInput,     ///< what the caller or the peer said has the wrong form
  Io,           ///< the local medium failed
  Internal,     ///< anything else
};
std::string_view name_of(Errc code);

struct Error {
  Errc code = Errc::Internal;
  std::string what;     ///< innermost cause first: "sha256 differs; while storing gpt2@607a30d:model.safetensors"
  int http_status = 0;  ///< of the answer that it tells of; 0: no answer, or none is behind it
  int os_error = 0;     ///< errno behind it; 0: none
  Error() = default;
  Error(Errc c, std::string w) : code(c), what(std::move(w)) {}
};

/// A T or an Error. Ignoring one is a warning; reading the side that is absent aborts.
template <class T = void>
class [[nodiscard]] Result : public boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate> {
 public:
  using Base = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;
  using Base::Base;
  Result()
      : Result(Error{Errc::Internal, "result never set"}) {
  }  // co_spawn default-constructs the value beside an exception
};
inline auto ok() { return boost::outcome_v2::success(); }

/// Says what was being done; `action()` runs only on failure, so success pays for no formatting.
template <class T, class F>
Result<T> within(Result<T> r, F&& action) {
  if (!r) r.assume_error().what += "; while " + std::string(std::forward<F>(action)());
  return r;
}

/// Error from errno, with the path: "open /x/y: Permission denied".
Error errno_error(std::string_view operation, std::string_view path, int error_number);
}  // namespace hm
#define HM_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)        // HM_TRY(auto blob, store.open(id));
#define HM_CO_TRY(...) BOOST_OUTCOME_CO_TRY(__VA_ARGS__)  // the same inside a coroutine
