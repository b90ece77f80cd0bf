#include "server/lfs_routes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/file.hpp"
#include "base/json_fields.hpp"
#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "server/http/range.hpp"
#include "storage/key_space.hpp"

namespace hm::server {
namespace json = boost::json;
namespace {
constexpr std::string_view kType = "application/vnd.git-lfs+json";
constexpr std::size_t kRepoKeyBytes = 13;

Response lfs_response(int status, const json::object& body) {
  Response out;
  out.status = status;
  out.add("Content-Type", kType);
  out.body = json::serialize(body);
  return out;
}
Response lfs_error(int status, std::string_view message) {
  json::object body;
  body["message"] = message;
  Response out = lfs_response(status, body);
  out.add("X-Error-Message", message);
  return out;
}
Response failure(const Error& error) {
  log(LogLevel::Error, "large files could not be looked up", {{"why", error.what}});
  return lfs_error(500, "the mirror could not read its store: its log says why");
}

Result<LfsBatch::Object> parse_object(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return Error{Errc::BadInput, "an entry of \"objects\" is no object"};
  LfsBatch::Object out;
  out.oid = text_of(*object, "oid");
  const std::int64_t size = number_of(*object, "size");
  if (out.oid.empty() || size < 0) return Error{Errc::BadInput, "an entry of \"objects\" has no oid or size"};
  out.size = static_cast<std::uint64_t>(size);
  out.id = Sha256::parse(out.oid);
  return out;
}

json::object error_entry(const LfsBatch::Object& object, int code, std::string_view message) {
  json::object error, out;
  error["code"] = code;
  error["message"] = message;
  out["oid"] = printable(object.oid.substr(0, 2 * Sha256::kSize));
  out["size"] = object.size;
  out["error"] = std::move(error);
  return out;
}
}  // namespace

Result<LfsBatch> parse_lfs_batch(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  const auto* root = value.if_object();
  if (error || root == nullptr) return Error{Errc::BadInput, "the request is no JSON object"};
  LfsBatch out;
  out.operation = text_of(*root, "operation");
  if (const auto* algorithm = root->if_contains("hash_algo"); algorithm != nullptr) {
    out.hash_algo = text_of(*root, "hash_algo");
  }
  if (const auto* transfers = root->if_contains("transfers"); transfers != nullptr && transfers->is_array()) {
    out.basic = transfers->get_array().empty();
    for (const json::value& transfer : transfers->get_array())
      if (transfer.is_string() && transfer.get_string() == "basic") out.basic = true;
  }
  const auto* objects = root->if_contains("objects");
  if (objects == nullptr || !objects->is_array()) return Error{Errc::BadInput, "\"objects\" is missing or no array"};
  if (objects->get_array().size() > kLfsObjectsMax)
    return Error{Errc::Refused, "more than " + std::to_string(kLfsObjectsMax) + " objects in one request"};
  for (const json::value& object : objects->get_array()) {
    HM_TRY(auto parsed, parse_object(object));
    out.objects.push_back(std::move(parsed));
  }
  return out;
}

Result<bool> LfsRoutes::is_of(const RepoKey& repo, const Sha256& blob) const {
  const std::string prefix = storage::key::blob_ref(blob, repo, Commit()).substr(0, Sha256::kSize + kRepoKeyBytes);
  bool found = false;
  HM_TRY(index_.scan(storage::Family::BlobRefs, prefix, [&found](std::string_view, std::string_view) {
    found = true;
    return false;
  }));
  return found;
}

/// Sizes of the objects that are of this repository and here.
Result<std::vector<std::optional<std::uint64_t>>> LfsRoutes::sizes(const RepoKey& repo, const LfsBatch& batch) const {
  std::vector<std::optional<std::uint64_t>> out(batch.objects.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& id = batch.objects[i].id;
    if (!id) continue;
    HM_TRY(const bool ours, is_of(repo, *id));
    if (!ours) continue;
    HM_TRY(out[i], blobs_.find(*id));
  }
  return out;
}

awaitable<Response> LfsRoutes::batch(const Request& request, RepoView repo, std::string base_url) {
  const auto parsed = parse_lfs_batch(request.body);
  if (!parsed) co_return lfs_error(parsed.error().code == Errc::Refused ? 413 : 422, parsed.error().what);
  const LfsBatch& asked = parsed.value();
  if (asked.operation == "upload") co_return lfs_error(403, "this mirror is read-only: push to the upstream it copies");
  if (asked.operation != "download") co_return lfs_error(422, "\"operation\" is neither download nor upload");
  if (asked.hash_algo != "sha256") co_return lfs_error(409, "objects are known by sha256 only");
  if (!asked.basic) co_return lfs_error(422, "this mirror has the transfer adapter \"basic\" only");
  auto look = [this, &repo, &asked] { return sizes(repo->key, asked); };
  const auto sizes = co_await run_on(pool_, std::move(look));
  if (!sizes) co_return failure(sizes.error());

  const std::string href = base_url + "/" + repo->row.repo.text() + ".git/info/lfs/objects/";
  const std::string authorization(request.header("Authorization"));
  json::array objects;
  for (std::size_t i = 0; i < asked.objects.size(); ++i) {
    const LfsBatch::Object& object = asked.objects[i];
    if (!object.id) {
      objects.push_back(error_entry(object, 422, "this is no sha256: 64 lowercase hex digits"));
    } else if (const auto& size = sizes.value()[i]; !size) {
      objects.push_back(error_entry(object, 404, "no such object in what this mirror has of the repository"));
    } else {
      json::object download, actions, entry;
      download["href"] = href + object.oid;
      if (!authorization.empty()) {
        json::object header;
        header["Authorization"] = authorization;
        download["header"] = std::move(header);
      }
      actions["download"] = std::move(download);
      entry["oid"] = object.oid;
      entry["size"] = *size;
      entry["authenticated"] = true;
      entry["actions"] = std::move(actions);
      objects.push_back(std::move(entry));
    }
  }
  json::object answer;
  answer["transfer"] = "basic";
  answer["objects"] = std::move(objects);
  answer["hash_algo"] = "sha256";
  co_return lfs_response(200, answer);
}

/// NotFound when the blob is not here, or not of this repository.
Result<FileBytes> LfsRoutes::open(const RepoKey& repo, const Sha256& blob) const {
  HM_TRY(const bool ours, is_of(repo, blob));
  if (!ours) return Error{Errc::NotFound, "not of this repository"};
  HM_TRY(const std::string path, blobs_.path(blob));
  FileBytes out;
  HM_TRY(out.file, real_file_system().open_read(path));
  HM_TRY(out.length, out.file->size());
  return out;
}

awaitable<Response> LfsRoutes::object(const Request& request, RepoView repo, std::string oid) {
  const auto id = Sha256::parse(oid);
  if (!id) co_return lfs_error(422, "this is no sha256: 64 lowercase hex digits");
  auto open_it = [this, &repo, &id] { return open(repo->key, *id); };
  auto file = co_await run_on(pool_, std::move(open_it));
  if (!file) {
    if (file.error().code != Errc::NotFound) co_return failure(file.error());
    co_return lfs_error(404, "no such object in what this mirror has of the repository");
  }
  FileBytes body = std::move(file).value();
  const std::uint64_t size = body.length;
  Response out;
  out.file = oid;
  out.add("Content-Type", "application/octet-stream").add("Accept-Ranges", "bytes").add("ETag", '"' + oid + '"');
  out.add("Cache-Control", "private, max-age=31536000, immutable");
  if (matches_etag(request.header("If-None-Match"), oid)) {
    out.status = 304;
    co_return out;
  }
  const WantedRange range = wanted_range(request, oid, size);
  if (range.outcome == RangeOutcome::Unsatisfiable) {
    Response refused = lfs_error(416, "the object has no such range");
    refused.add("Content-Range", "bytes */" + std::to_string(size));
    co_return refused;
  }
  if (range.outcome == RangeOutcome::Part) {
    out.status = 206;
    body.offset = range.first, body.length = range.length;
    out.add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                 std::to_string(range.first + range.length - 1) + "/" + std::to_string(size));
  }
  out.body = std::move(body);
  co_return out;
}

Response LfsRoutes::locks() { return lfs_error(404, "this mirror has no locks: it is read-only"); }
}  // namespace hm::server
