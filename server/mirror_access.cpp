#include "server/mirror_access.hpp"

#include <utility>

#include "base/secret.hpp"
#include "server/credentials.hpp"
#include "server/refusal.hpp"

namespace hm::server {
using storage::any_glob_matches;

namespace {
constexpr std::string_view kOpenPath = "/-/health";  // for those who watch the mirror and are given no secret

Judgement judge_token(const storage::TokenRow& token, const RepoId& repo, bool is_private, bool bytes_of_gated) {
  if (is_private) return any_glob_matches(token.private_repos, repo) ? Judgement::Granted : Judgement::Absent;
  const bool granted = any_glob_matches(token.gated, repo);
  const bool sees = token.repos.empty() || granted || any_glob_matches(token.repos, repo) ||
                    any_glob_matches(token.private_repos, repo);
  if (!sees) return Judgement::Absent;
  return bytes_of_gated && !granted ? Judgement::Denied : Judgement::Granted;
}
}  // namespace

Judgement judge(CallerKind kind, const storage::TokenRow* token, const RepoId& repo, std::string_view visibility,
                Want want, bool ask) {
  const bool is_gated = visibility == "gated-auto" || visibility == "gated-manual";
  const bool is_private = !is_gated && visibility != "public";  // a word that is not known opens nothing
  const bool bytes_of_gated = is_gated && want == Want::Bytes;
  if (kind == CallerKind::MirrorToken) return judge_token(*token, repo, is_private, bytes_of_gated);
  if (!is_private && !bytes_of_gated) return Judgement::Granted;
  if (kind == CallerKind::HubToken && ask) return Judgement::AskUpstream;
  if (is_private) return Judgement::Absent;
  return kind == CallerKind::Nobody ? Judgement::LogIn : Judgement::Denied;
}

class MirrorAccess::KnownCaller final : public Caller {
 public:
  KnownCaller() = default;
  explicit KnownCaller(std::shared_ptr<const storage::TokenRow> row)
      : kind_(CallerKind::MirrorToken), name_(row->name), row_(std::move(row)) {}
  KnownCaller(std::string hub_token, std::string name)
      : kind_(CallerKind::HubToken), name_(std::move(name)), hub_token_(std::move(hub_token)) {}

  CallerKind kind() const override { return kind_; }
  const std::string& name() const override { return name_; }
  std::int64_t since_ms() const override { return row_ ? row_->created_ms : 0; }
  bool may_list(const RepoId& repo, std::string_view visibility) const override {
    return judge(kind_, row_.get(), repo, visibility, Want::Facts, false) == Judgement::Granted;
  }
  const storage::TokenRow* row() const { return row_.get(); }
  const std::string& hub_token() const { return hub_token_; }

 private:
  CallerKind kind_ = CallerKind::Nobody;
  std::string name_ = "-";
  std::string hub_token_;
  std::shared_ptr<const storage::TokenRow> row_;
};

MirrorAccess::MirrorAccess(Options options, boost::asio::any_io_executor asks_on, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      memory_(std::move(asks_on), clock, options_.limits),
      tokens_(std::make_shared<Tokens>()) {
  fill_random(key_);
}

void MirrorAccess::set_tokens(std::vector<storage::TokenRow> rows) {
  auto tokens = std::make_shared<Tokens>();
  for (storage::TokenRow& row : rows) {
    const Sha256 hash = row.hash;
    tokens->emplace(hash, std::make_shared<const storage::TokenRow>(std::move(row)));
  }
  const std::lock_guard lock(mutex_);
  tokens_ = std::move(tokens);
}

std::shared_ptr<const storage::TokenRow> MirrorAccess::token_in_force(const std::string& token) const {
  std::shared_ptr<const Tokens> tokens;
  {
    const std::lock_guard lock(mutex_);
    tokens = tokens_;
  }
  const Sha256 hash = sha256(token);
  const auto found = tokens->find(hash);
  if (found == tokens->end() || !same_secret(found->second->hash, hash)) return nullptr;
  return found->second->in_force(clock_.unix_ms()) ? found->second : nullptr;
}

Sha256 MirrorAccess::named(std::string_view text) const { return hmac_sha256(key_, text); }

std::shared_ptr<const Caller> MirrorAccess::caller_of(const Request& request, Response& refusal) {
  if (request.path() == kOpenPath) return std::make_shared<KnownCaller>();
  Credentials credentials = credentials_of(request);
  if (credentials.kind == Credentials::Kind::None) {
    if (!options_.tokens_only) return std::make_shared<KnownCaller>();
    refusal = credentials_wanted(face_of(request));
    return nullptr;
  }
  const bool a_token = credentials.kind == Credentials::Kind::Token;
  if (a_token && storage::is_mirror_token(credentials.token)) {
    if (auto row = token_in_force(credentials.token)) return std::make_shared<KnownCaller>(std::move(row));
  } else if (a_token && !options_.tokens_only) {
    constexpr std::size_t kDigitsShown = 8;  // tells callers apart in one process's log
    std::string name = "hub:" + named("caller\n" + credentials.token).hex().substr(0, kDigitsShown);
    return std::make_shared<KnownCaller>(std::move(credentials.token), std::move(name));
  }
  refusal = credentials_refused(face_of(request));
  return nullptr;
}

awaitable<GateAnswer> MirrorAccess::ask(const KnownCaller& caller, RepoId repo, Rid rid, std::string subject) {
  GateMemory::Question question = [gate = options_.gate, repo = std::move(repo), rid = std::move(rid),
                                   token = caller.hub_token()] { return gate->allowed(repo, rid, token); };
  const Sha256 name = named(subject + "\n" + caller.hub_token());
  co_return co_await memory_.ask(name, std::move(question));
}

awaitable<Verdict> MirrorAccess::may(std::shared_ptr<const Caller> caller, const storage::RepoRow& repo, Want want) {
  const auto& known = static_cast<const KnownCaller&>(*caller);
  const bool check = options_.gate != nullptr;
  switch (judge(known.kind(), known.row(), repo.repo, repo.visibility, want, check)) {
    case Judgement::Granted:
      co_return Verdict::Granted;
    case Judgement::Absent:
      co_return Verdict::Absent;
    case Judgement::LogIn:
      co_return Verdict::LogIn;
    case Judgement::Denied:
      co_return Verdict::Denied;
    case Judgement::AskUpstream:
      break;
  }
  const bool gated = repo.visibility.starts_with("gated");
  const RepoKey key{repo.repo.kind, repo.rid};
  const GateAnswer answer = co_await ask(known, repo.repo, repo.rid, key.text());
  if (answer == GateAnswer::Yes) co_return Verdict::Granted;
  if (!gated) co_return Verdict::Absent;
  co_return answer == GateAnswer::No ? Verdict::Denied : Verdict::Unknown;
}

awaitable<void> MirrorAccess::miss(std::shared_ptr<const Caller> caller, RepoId repo) {
  const auto& known = static_cast<const KnownCaller&>(*caller);
  if (known.kind() != CallerKind::HubToken || options_.gate == nullptr) co_return;
  if (!options_.holds_private || !options_.holds_private()) co_return;
  const std::string subject = "name " + repo.text();
  co_await ask(known, repo, Rid(), subject);
}
}  // namespace hm::server
