#include "server/git_routes.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "mirror/git/pkt_line.hpp"
#include "server/gunzip.hpp"

namespace hm::server {
namespace {
constexpr std::string_view kUploadPack = "git-upload-pack", kReceivePack = "git-receive-pack";
constexpr std::string_view kServiceLine = "001e# service=git-upload-pack\n0000";
constexpr std::string_view kVersion = "version=", kVersion2 = "version=2";
constexpr std::size_t kFieldBytesMax = 256, kCapabilitiesBytesMax = 64U << 10;
constexpr std::string_view kRetryAfterSeconds = "10";

Response git_response(std::string_view type) {
  Response out;
  out.add("Content-Type", type);
  out.add("Expires", "Fri, 01 Jan 1980 00:00:00 GMT").add("Pragma", "no-cache");
  out.add("Cache-Control", "no-cache, max-age=0, must-revalidate");
  return out;
}

/// git shows people what comes as text/plain.
Response refusal(int status, std::string_view message) { return hub_error(status, "", message, /*as_text=*/true); }

Response failure(const Error& error) {
  if (error.code == Errc::Busy) {
    Response out = refusal(503, "this mirror serves as many clones as it may at once: try again in a few seconds");
    out.add("Retry-After", kRetryAfterSeconds);
    return out;
  }
  if (error.code == Errc::NotFound)
    return refusal(500, "git is not installed on this mirror: its operator has to install it");
  return refusal(500, "git could not read this repository: the log of the mirror says why");
}

/// Bytes at hand, then another body.
class Prefixed final : public BodySource {
 public:
  Prefixed(std::string_view prefix, std::unique_ptr<BodySource> rest) : prefix_(prefix), rest_(std::move(rest)) {}
  awaitable<Result<std::span<const std::byte>>> next() override {
    if (!prefix_.empty()) co_return as_bytes(std::exchange(prefix_, {}));
    co_return co_await rest_->next();
  }

 private:
  std::string_view prefix_;  // a constant
  std::unique_ptr<BodySource> rest_;
};

/// What a mirror may have of upstream's refs before their revisions are complete is not listed: nobody could check it
/// out.
std::vector<std::string> listed_refs(const PublishedRepo& repo) {
  std::vector<std::string> out;
  for (const storage::RefRow& ref : repo.refs) out.push_back(ref.ref);
  // Of an empty repository it tells the name of the branch to begin with.
  if (repo.refs.empty() || repo.ref("", repo.row.head) != nullptr) out.emplace_back("HEAD");
  return out;
}

std::string service_of(const Request& request) {
  for (const Parameter& parameter : parse_form(request.query()))
    if (parameter.name == "service") return parameter.value;
  return {};
}

bool is_gzip(std::string_view encoding) {
  return ascii_equal_fold(encoding, "gzip") || ascii_equal_fold(encoding, "x-gzip");
}
/// What a request says, inflated. Only what is packets from end to end is worth a process of git, which would die of
/// anything else as it does of a damaged repository. @returns BadInput; Refused for what inflates to too much.
Result<std::string> packets_of(std::string_view body, bool zipped) {
  std::string inflated;
  if (zipped) {
    HM_TRY(inflated, gunzip(body, GitRoutes::kInflatedBytesMax));
  } else {
    inflated = body;
  }
  mirror::PktLineReader reader;
  HM_TRY(reader.feed(inflated, [](const mirror::Pkt&) { return Result<>(ok()); }));
  if (inflated.empty() || !reader.at_boundary()) return Error{Errc::BadInput, "the request is no whole git packets"};
  return inflated;
}
bool is_plain(std::string_view encoding) { return encoding.empty() || ascii_equal_fold(encoding, "identity"); }
}  // namespace

std::string git_protocol_of(std::string_view field) {
  if (field.size() > kFieldBytesMax) return {};
  char highest = 0;
  for (const std::string_view part : split(field, ':')) {
    if (part.size() != kVersion.size() + 1 || !part.starts_with(kVersion)) continue;
    if (part.back() >= '0' && part.back() <= '2') highest = std::max(highest, part.back());
  }
  return highest == 0 ? std::string() : std::string(kVersion) + highest;
}

bool lists_refs(std::string_view request_body) {
  constexpr std::size_t kLengthDigits = 4;
  return request_body.size() > kLengthDigits && request_body.substr(kLengthDigits).starts_with("command=ls-refs");
}

std::uint64_t GitRoutes::body_bytes_max(const Request& head) {
  const auto announced = parse_u64(head.header("Content-Length"));
  return std::min(announced.value_or(kRequestBytesMax), kRequestBytesMax);
}

Response GitRoutes::refuse_push() { return refusal(403, "this mirror is read-only: push to the upstream it copies"); }

awaitable<Response> GitRoutes::info_refs(const Request& request, RepoView repo) {
  const std::string service = service_of(request);
  if (service == kReceivePack) co_return refuse_push();
  if (service.empty())
    co_return refusal(403, "this mirror speaks git's smart HTTP protocol only: use git 1.6.6 or a newer one");
  if (service != kUploadPack) co_return refusal(403, "no such service: " + printable(service));
  UploadPackCall call;
  call.repository = repo->git_path;
  call.protocol = git_protocol_of(request.header("Git-Protocol"));
  call.advertise = true;
  call.refs = listed_refs(*repo);
  Response out = git_response("application/x-git-upload-pack-advertisement");
  if (call.protocol == kVersion2) {  // names no ref, so it is the same for all repositories
    auto text = co_await capabilities(std::move(call));
    if (!text) co_return failure(text.error());
    const std::uint64_t size = text.value()->size();
    out.body = SharedBytes{std::move(text).value(), 0, size};
    co_return out;
  }
  auto output = co_await processes_.upload_pack(std::move(call));
  if (!output) co_return failure(output.error());
  out.body = std::make_unique<Prefixed>(kServiceLine, std::move(output).value());
  co_return out;
}

awaitable<Result<std::shared_ptr<const std::string>>> GitRoutes::capabilities(UploadPackCall call) {
  {
    const std::lock_guard guard(mutex_);
    if (capabilities_) co_return capabilities_;
  }
  HM_CO_TRY(const auto output, co_await processes_.upload_pack(std::move(call)));
  auto text = std::make_shared<std::string>();
  for (;;) {
    HM_CO_TRY(const auto piece, co_await output->next());
    if (piece.empty()) break;
    text->append(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (text->size() > kCapabilitiesBytesMax) co_return Error(Errc::Internal, "git has very many capabilities");
  }
  if (!text->ends_with("0000")) co_return Error(Errc::Internal, "git did not say its capabilities");
  const std::lock_guard guard(mutex_);
  capabilities_ = text;
  co_return capabilities_;
}

awaitable<Response> GitRoutes::upload_pack(const Request& request, RepoView repo) {
  if (request.header("Content-Type") != "application/x-git-upload-pack-request")
    co_return refusal(415, "git-upload-pack takes application/x-git-upload-pack-request");
  UploadPackCall call;
  call.repository = repo->git_path;
  call.protocol = git_protocol_of(request.header("Git-Protocol"));
  const std::string_view encoding = request.header("Content-Encoding");
  if (!is_gzip(encoding) && !is_plain(encoding)) co_return refusal(415, "git-upload-pack takes no encoding but gzip");
  auto read = [&request, zipped = is_gzip(encoding)] { return packets_of(request.body, zipped); };
  auto packets = co_await run_on(pool_, std::move(read));
  if (!packets) co_return refusal(packets.error().code == Errc::Refused ? 413 : 400, packets.error().what);
  call.request = std::move(packets).value();
  call.refs = listed_refs(*repo);
  call.brief = lists_refs(call.request);
  auto output = co_await processes_.upload_pack(std::move(call));
  if (!output) co_return failure(output.error());
  Response out = git_response("application/x-git-upload-pack-result");
  out.body = std::move(output).value();
  co_return out;
}
}  // namespace hm::server
