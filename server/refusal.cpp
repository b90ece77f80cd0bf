#include "server/refusal.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <string>
#include <string_view>

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/text.hpp"

namespace hm::server {
namespace {
constexpr std::string_view kBearer = R"(Bearer realm="Authentication required", charset="UTF-8")";
constexpr std::string_view kBasic = R"(Basic realm="hubmirror: any user name, a token as password", charset="UTF-8")";
constexpr std::string_view kLfsJson = "application/vnd.git-lfs+json";
constexpr std::string_view kRetryAfterSeconds = "10";  // a failed question is not asked again for half of it

/// Every refusal: what one caller was told must not be what a cache tells another.
Response refused(int status, std::string_view code, std::string_view message, Face face) {
  Response response = hub_error(status, code, message, face != Face::Api);
  if (face == Face::Lfs) {
    response.fields.clear();
    response.body = json::serialize(json::object{{"message", json::string_view(message.data(), message.size())}});
    response.add("Content-Type", kLfsJson).add("X-Error-Message", message);
    if (!code.empty()) response.add("X-Error-Code", code);
  }
  response.add("Cache-Control", "no-store");
  if (status != 401) return response;
  const bool of_git = face == Face::Git || face == Face::Lfs;
  response.add("WWW-Authenticate", of_git ? kBasic : kBearer);
  if (face == Face::Lfs) response.add("LFS-Authenticate", kBasic);
  return response;
}

std::string restricted(const storage::RepoRow& row) {
  return "Access to " + std::string(name_of(row.repo.kind)) + " " + row.repo.name + " is restricted";
}

json::string json_of(std::string_view text) { return json::string(text.data(), text.size()); }
}  // namespace

Face face_of(const Request& request) {
  const std::string_view path = request.path();
  if (path.find(".git/info/lfs/") != std::string_view::npos || path.find("/info/lfs/") != std::string_view::npos)
    return Face::Lfs;
  if (path.ends_with("/info/refs") || path.ends_with("/git-upload-pack") || path.ends_with("/git-receive-pack"))
    return Face::Git;
  return path.starts_with("/api/") && !path.starts_with("/api/resolve-cache/") ? Face::Api
         : path.starts_with("/-/")                                             ? Face::Api
                                                                               : Face::File;
}

Response absent(const Caller& caller, Face face) {
  const bool of_git = face == Face::Git || face == Face::Lfs;
  if (of_git && caller.kind() == CallerKind::Nobody) return credentials_wanted(face);
  return refused(404, "RepoNotFound", "Repository not found", face);
}

Response refusal(Verdict verdict, const storage::RepoRow& row, const Caller& caller, Face face) {
  switch (verdict) {
    case Verdict::LogIn:
      return refused(401, "GatedRepo",
                     restricted(row) + ". You must have access to it and be authenticated to access it. Please log in.",
                     face);
    case Verdict::Denied:
      return refused(403, "GatedRepo",
                     restricted(row) + " and you are not in the authorized list. Visit https://" + row.src + "/" +
                         row.repo.text() + " to ask for access.",
                     face);
    case Verdict::Unknown: {
      Response response = refused(
          503, "",
          restricted(row) + ", and " + row.src + " could not be asked whether you have access. Try again later.", face);
      response.add("Retry-After", kRetryAfterSeconds);
      return response;
    }
    case Verdict::Granted:
    case Verdict::Absent:
      break;
  }
  HM_CHECK(verdict == Verdict::Absent);
  return absent(caller, face);
}

Response credentials_wanted(Face face) { return refused(401, "", "Invalid username or password.", face); }
Response credentials_refused(Face face) {
  return refused(401, "", "Invalid credentials in Authorization header", face);
}

Response not_fetched(const Error& why, Face face) {
  const std::string text = "This mirror could not fetch it from upstream: " + printable(why.what);
  switch (why.code) {
    case Errc::NotFound:
      return refused(404, "EntryNotFound", text, face);
    case Errc::Gated:
      return refused(403, "GatedRepo", text, face);
    case Errc::NoSpace:
      return refused(507, "", text, face);
    case Errc::Unreachable:
    case Errc::RateLimited:
    case Errc::Busy:
    case Errc::Cancelled: {
      Response response = refused(503, "", text, face);
      response.add("Retry-After", kRetryAfterSeconds);
      return response;
    }
    default:
      return refused(502, "", text, face);
  }
}

Response whoami(const Caller& caller) {
  if (caller.kind() == CallerKind::Nobody) return credentials_wanted(Face::Api);
  const bool ours = caller.kind() == CallerKind::MirrorToken;
  const std::string_view name = ours ? std::string_view(caller.name()) : "hub-user";
  json::object token{{"displayName", json_of(name)}, {"role", "read"}};
  if (ours) token["createdAt"] = iso8601(caller.since_ms());
  json::object auth{{"type", "access_token"}, {"accessToken", std::move(token)}};
  // Whose Hub token it is only the upstream knows, and it is not asked: its answers to this are few.
  json::object user{{"type", "user"},        {"id", std::string(24, '0')},
                    {"name", json_of(name)}, {"fullname", json_of(ours ? name : "holder of a Hub token")},
                    {"email", nullptr},      {"emailVerified", false},
                    {"isPro", false},        {"canPay", false},
                    {"periodEnd", nullptr},  {"avatarUrl", ""},
                    {"orgs", json::array()}, {"auth", std::move(auth)}};
  Response response = json_response(json::serialize(user));
  response.add("Cache-Control", "no-store");
  return response;
}
}  // namespace hm::server
