// server/mirror_access.hpp: the rules of docs/operations.md "Who may read", put to work: tokens of this mirror, and for
// gated and private repositories the upstream's word. Layer 5. Threads: safe.
#pragma once
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "server/access.hpp"
#include "server/gate_memory.hpp"
#include "storage/access_rows.hpp"

namespace hm::server {
enum class Judgement : std::uint8_t { Granted, Absent, LogIn, Denied, AskUpstream };
/// Every rule once. @param token of a caller of kind MirrorToken, else unused
/// @param ask serve.gated = "check"
Judgement judge(CallerKind kind, const storage::TokenRow* token, const RepoId& repo, std::string_view visibility,
                Want want, bool ask);

class MirrorAccess final : public Access {
 public:
  struct Options {
    bool tokens_only = false;             ///< serve.access = "tokens"
    GateCheck* gate = nullptr;            ///< none: serve.gated = "granted"; outlives the executor's context
    std::function<bool()> holds_private;  ///< whether there is a private repository here; cheap; none: no
    GateLimits limits;
  };
  /// @param asks_on where the gate is asked: the network thread's executor
  MirrorAccess(Options options, boost::asio::any_io_executor asks_on, const Clock& clock);

  /// The tokens as the index has them now: call it when the index was refreshed. Requests under way keep the old ones.
  void set_tokens(std::vector<storage::TokenRow> rows);

  std::shared_ptr<const Caller> caller_of(const Request& request, Response& refusal) override;
  awaitable<Verdict> may(std::shared_ptr<const Caller> caller, const storage::RepoRow& repo, Want want) override;
  awaitable<void> miss(std::shared_ptr<const Caller> caller, RepoId repo) override;

 private:
  using Tokens = std::unordered_map<Sha256, std::shared_ptr<const storage::TokenRow>>;
  class KnownCaller;
  std::shared_ptr<const storage::TokenRow> token_in_force(const std::string& token) const;
  Sha256 named(std::string_view text) const;
  awaitable<GateAnswer> ask(const KnownCaller& caller, RepoId repo, Rid rid, std::string subject);

  const Options options_;
  const Clock& clock_;
  std::array<std::uint8_t, 32> key_{};  ///< of this process: what it names means nothing in another
  GateMemory memory_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Tokens> tokens_;
};
}  // namespace hm::server
