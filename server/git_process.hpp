// server/git_process.hpp: `git upload-pack` for one request: started, limited, its output a body, its end certain.
// Layer 5. docs/decisions/0012-git-program.md. Threads: GitProcesses is safe; what it returns lives on the loop of the
// coroutine that asked. Nothing blocks but the start of the program, about a millisecond.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "server/http/response.hpp"
#include "server/turns.hpp"

namespace hm::server {
struct UploadPackCall {
  std::string repository;  ///< path of a bare repository
  std::string protocol;    ///< GIT_PROTOCOL: "" or "version=N"
  std::string request;     ///< what the client sent; empty when advertising
  /// Full names, and "HEAD" where it names one of them; no others are listed.
  std::vector<std::string> refs;
  bool advertise = false;  ///< capabilities and refs (info/refs)
  bool brief = false;      ///< lists refs and packs nothing: does not wait behind clones
};

class GitProcesses {
 public:
  struct Limits {
    int at_once = 16;
    std::int64_t seconds_max = 3'600;   ///< of one process
    std::int64_t wait_ms_max = 50'000;  ///< for a turn; a proxy in front gives up after 60 s, by default
  };
  explicit GitProcesses(Limits limits);

  /// Waits for a turn, starts git and returns its output once there is some. Destroying that early kills git and all it
  /// started.
  /// @returns Busy: no turn; NotFound: no git on this machine; Internal: it ended without a word of output (logged).
  boost::asio::awaitable<Result<std::unique_ptr<BodySource>>> upload_pack(UploadPackCall call);
  std::size_t running() const { return packs_.taken() + briefs_.taken(); }
  std::size_t waiting() const { return packs_.waiting() + briefs_.waiting(); }

 private:
  const Limits limits_;
  Turns packs_, briefs_;
};
}  // namespace hm::server
