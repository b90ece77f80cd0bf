// hubmirror token create, ls, revoke: who holds a token of this mirror, and what it lets them read.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/facts.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "storage/access_rows.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kNameBytesMax = 64, kGlobBytesMax = 256, kGlobsMax = 1000;
constexpr std::int64_t kMinuteMs = 60'000, kExpiresMsMax = 36'500LL * 86'400'000;
constexpr std::size_t kIdDigits = 12;

bool is_id(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<> check_name(const std::string& name) {
  static constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
  if (!name.empty() && name.size() <= kNameBytesMax && name.find_first_not_of(kAllowed) == std::string::npos &&
      name[0] != '-' && !is_id(name))
    return ok();
  return Error{Errc::BadInput, "\"" + printable(name) +
                                   "\" cannot be the name of a token: letters, digits and ._@-, at most " +
                                   std::to_string(kNameBytesMax) + ", and not like an id; write e.g. ci-cluster"};
}

/// Globs as they are kept: over names as `hubmirror ls` prints them.
Result<std::vector<std::string>> checked_globs(const char* option, const std::vector<std::string>& globs) {
  if (globs.size() > kGlobsMax)
    return Error{Errc::BadInput, std::string(option) + ": more than " + std::to_string(kGlobsMax) + " patterns"};
  std::vector<std::string> out;
  for (const std::string& glob : globs) {
    if (glob.size() > kGlobBytesMax || printable(glob) != glob || glob.find_first_of("@: ") != std::string::npos)
      return Error{Errc::BadInput, std::string(option) + ": \"" + printable(glob) +
                                       "\" is no pattern over names; write e.g. org/name, org/* or datasets/org/*"};
    constexpr std::string_view kModels = "models/";
    out.push_back(glob.starts_with(kModels) ? glob.substr(kModels.size()) : glob);
  }
  return out;
}

/// For the journal: of this process, which is the daemon when that runs the command.
std::string user_name() {
  std::array<char, 4096> texts{};
  struct passwd entry{};
  struct passwd* user = nullptr;
  (void)::getpwuid_r(::getuid(), &entry, texts.data(), texts.size(), &user);
  const std::string name = user != nullptr ? user->pw_name : "uid " + std::to_string(::getuid());
  const char* sudo = std::getenv("SUDO_USER");
  return ::getuid() == 0 && sudo != nullptr && *sudo != '\0' ? std::string(sudo) + " as " + name : name;
}

std::string state_of(const storage::TokenRow& row, std::int64_t now_ms) {
  return row.revoked() ? "revoked" : row.in_force(now_ms) ? "in force" : "expired";
}
json::object token_json(const storage::TokenRow& row, std::int64_t now_ms) {
  auto time = [](std::int64_t ms) { return ms == 0 ? json::value(nullptr) : json::value(iso8601(ms)); };
  return {{"id", row.id()},
          {"name", row.name},
          {"state", state_of(row, now_ms)},
          {"created", time(row.created_ms)},
          {"expires", time(row.expires_ms)},
          {"revoked", time(row.revoked_ms)},
          {"repos", texts_json(row.repos)},
          {"gated", texts_json(row.gated)},
          {"private", texts_json(row.private_repos)}};
}
}  // namespace

Result<Exit> run_command(Context& context, const TokenCreateCommand& command) {
  storage::TokenRow row;
  row.name = command.name;
  HM_TRY(check_name(row.name));
  HM_TRY(row.repos, checked_globs("--repos", command.repos));
  HM_TRY(row.gated, checked_globs("--gated", command.gated));
  HM_TRY(row.private_repos, checked_globs("--private", command.private_repos));
  const std::int64_t now_ms = system_clock().unix_ms();
  if (!command.expires.empty()) {
    HM_TRY(const std::int64_t age_ms, within(parse_duration(command.expires), [] { return "reading --expires"; }));
    if (age_ms < kMinuteMs || age_ms > kExpiresMsMax)
      return Error{Errc::BadInput, "--expires: allowed are 1min to 36500d"};
    row.expires_ms = now_ms + age_ms;
  }
  HM_TRY(const auto store, context.stores.open(context, {"token create"}));
  HM_TRY(const auto known, storage::list_tokens(*store->index));
  for (const storage::TokenRow& other : known)
    if (other.name == row.name && other.in_force(now_ms))
      return Error{Errc::BadInput, row.name + " has a token already (" + other.id() +
                                       "); take another name, or first run: hubmirror token revoke " + other.id()};
  const std::string token = storage::make_token();
  row.hash = sha256(token);
  HM_TRY(row, store->recorder.grant(std::move(row), user_name()));
  if (context.options.json) {
    json::object out = token_json(row, now_ms);
    out["token"] = token;
    print_json(context.io.out, std::move(out));
    return Exit::Done;
  }
  context.io.out << token << "\n";
  if (!context.options.quiet)
    context.io.err << "hubmirror: token " << row.id() << " of " << row.name
                   << "; it is kept as a hash only, and not shown again\n";
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const TokenLsCommand&) {
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(auto rows, storage::list_tokens(*services->index));
  std::sort(rows.begin(), rows.end(), [](const storage::TokenRow& a, const storage::TokenRow& b) {
    return std::pair(a.created_ms, a.hash) < std::pair(b.created_ms, b.hash);
  });
  const std::int64_t now_ms = system_clock().unix_ms();
  if (context.options.json) {
    json::array list;
    for (const storage::TokenRow& row : rows) list.emplace_back(token_json(row, now_ms));
    print_json(context.io.out, std::move(list));
    return Exit::Done;
  }
  Table table({{"ID"}, {"NAME"}, {"STATE"}, {"CREATED"}, {"EXPIRES"}, {"REPOS"}, {"GATED"}, {"PRIVATE"}});
  for (const storage::TokenRow& row : rows)
    table.add({row.id(), row.name, state_of(row, now_ms), time_text(row.created_ms), time_text(row.expires_ms),
               row.repos.empty() ? "all" : joined(row.repos, ","), row.gated.empty() ? "-" : joined(row.gated, ","),
               row.private_repos.empty() ? "-" : joined(row.private_repos, ",")});
  if (!table.empty())
    context.io.out << table.render();
  else if (!context.options.quiet)
    context.io.err << "hubmirror: no token was ever given; hubmirror token create NAME gives one\n";
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const TokenRevokeCommand& command) {
  HM_TRY(const auto store, context.stores.open(context, {"token revoke"}));
  HM_TRY(const auto rows, storage::list_tokens(*store->index));
  const std::int64_t now_ms = system_clock().unix_ms();
  const storage::TokenRow* found = nullptr;
  for (const storage::TokenRow& row : rows) {
    const bool meant = !row.revoked() && (row.id() == command.which || row.name == command.which);
    if (meant && (found == nullptr || row.in_force(now_ms))) found = &row;  // a name may have expired tokens too
  }
  if (found == nullptr)
    return Error{Errc::NotFound, "no token that was not revoked already has the name or id \"" +
                                     printable(command.which) + "\"; hubmirror token ls lists them"};
  HM_TRY(const auto row, store->recorder.revoke(*found, user_name()));
  if (context.options.json) print_json(context.io.out, token_json(row, row.revoked_ms));
  if (!context.options.json && !context.options.quiet)
    context.io.out << "revoked " << row.id() << " of " << printable(row.name) << "\n";
  return Exit::Done;
}
}  // namespace hm::app
