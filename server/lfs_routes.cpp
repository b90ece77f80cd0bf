#include "server/lfs_routes.hpp"

#include <algorithm>
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
#include "server/arriving_body.hpp"
#include "server/http/range.hpp"
#include "server/refusal.hpp"
#include "storage/key_space.hpp"

namespace hm::server {
namespace json = boost::json;
namespace {
constexpr std::string_view kType = "application/vnd.git-lfs+json";
constexpr std::string_view kNoSuchObject = "no such object in what this mirror has of the repository";
constexpr std::size_t kRevisionsLookedAt = 64;  // for the pointer of an object; each may be a walk through a tree

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
/// Fields of an object and, as the request wants it, its range; the body is put in by whoever has the bytes.
struct ObjectAnswer {
  Response response;
  WantedRange range;
  bool body = false;
};
ObjectAnswer begin_object(const Request& request, const std::string& oid, std::uint64_t size) {
  ObjectAnswer out;
  Response& r = out.response;
  r.file = oid;
  r.add("Content-Type", "application/octet-stream").add("Accept-Ranges", "bytes").add("ETag", '"' + oid + '"');
  r.add("Cache-Control", "private, max-age=31536000, immutable");
  const auto range = apply_conditions(request, oid, size, r);
  out.body = range.has_value();
  if (range) out.range = *range;
  if (r.status == 416) {  // in LFS's own words
    r = lfs_error(416, "the object has no such range");
    r.add("Content-Range", "bytes */" + std::to_string(size));
  }
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
  const std::string prefix =
      storage::key::blob_ref(blob, repo, Commit()).substr(0, Sha256::kSize + storage::kRepoKeyBytes);
  bool found = false;
  HM_TRY(published_.index().scan(storage::Family::BlobRefs, prefix, [&found](std::string_view, std::string_view) {
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

/// Looked for in what refs name, upstream's default branch first.
awaitable<Result<std::map<Sha256, LfsRoutes::Pointer>>> LfsRoutes::pointers(RepoView repo, std::set<Sha256> wanted) {
  std::vector<Commit> commits;
  if (const auto head = repo->commit_of("HEAD")) commits.push_back(*head);
  for (const storage::RefRow& ref : repo->refs)
    if (commits.size() < kRevisionsLookedAt && std::find(commits.begin(), commits.end(), ref.commit) == commits.end())
      commits.push_back(ref.commit);
  std::map<Sha256, Pointer> out;
  for (const Commit& commit : commits) {
    if (wanted.empty()) break;
    HM_CO_TRY(const FilesView files, co_await published_.files(repo, commit));
    if (!files) continue;
    for (const storage::ManifestFile& file : files->manifest->files)
      if (file.is_lfs && wanted.erase(file.sha256) != 0) out.emplace(file.sha256, Pointer{commit, file});
  }
  co_return out;
}

/// What is not here and can be had counts as here.
awaitable<Result<>> LfsRoutes::add_fetchable(RepoView repo, const LfsBatch& batch,
                                             std::vector<std::optional<std::uint64_t>>& sizes) {
  std::set<Sha256> wanted;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (batch.objects[i].id && !sizes[i]) wanted.insert(*batch.objects[i].id);
  HM_CO_TRY(const auto found, co_await pointers(std::move(repo), std::move(wanted)));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (!batch.objects[i].id || sizes[i]) continue;
    if (const auto at = found.find(*batch.objects[i].id); at != found.end()) sizes[i] = at->second.file.size_bytes;
  }
  co_return ok();
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
  auto sizes = co_await run_on(published_.pool(), std::move(look));
  if (!sizes) co_return failure(sizes.error());
  if (fetching_.files) {
    const auto added = co_await add_fetchable(repo, asked, sizes.assume_value());
    if (!added) co_return failure(added.error());
  }

  const std::string href = base_url + "/" + repo->row.repo.text() + ".git/info/lfs/objects/";
  const std::string authorization(request.header("Authorization"));
  json::array objects;
  for (std::size_t i = 0; i < asked.objects.size(); ++i) {
    const LfsBatch::Object& object = asked.objects[i];
    if (!object.id) {
      objects.push_back(error_entry(object, 422, "this is no sha256: 64 lowercase hex digits"));
    } else if (const auto& size = sizes.value()[i]; !size) {
      objects.push_back(error_entry(object, 404, kNoSuchObject));
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
  auto file = co_await run_on(published_.pool(), std::move(open_it));
  if (!file) {
    if (file.error().code != Errc::NotFound) co_return failure(file.error());
    if (fetching_.files) co_return co_await fetched_object(request, repo, *id);
    co_return lfs_error(404, kNoSuchObject);
  }
  FileBytes body = std::move(file).value();
  ObjectAnswer answer = begin_object(request, oid, body.length);
  if (!answer.body) co_return std::move(answer.response);
  body.offset = answer.range.first, body.length = answer.range.length;
  answer.response.body = std::move(body);
  co_return std::move(answer.response);
}

/// Its pointer is here, its bytes are not, or not yet in a published revision.
awaitable<Response> LfsRoutes::fetched_object(const Request& request, RepoView repo, Sha256 id) {
  std::set<Sha256> wanted{id};
  const auto found = co_await pointers(repo, std::move(wanted));
  if (!found) co_return failure(found.error());
  if (found.value().empty()) co_return lfs_error(404, kNoSuchObject);
  const Pointer& pointer = found.value().begin()->second;
  ObjectAnswer answer = begin_object(request, id.hex(), pointer.file.size_bytes);
  answer.response.length = answer.body ? std::optional(answer.range.length) : std::nullopt;
  if (!answer.body || request.method == Method::Head) co_return std::move(answer.response);
  auto open = [this, &id]() -> Result<std::unique_ptr<File>> {
    HM_TRY(const std::string path, blobs_.path(id));
    return real_file_system().open_read(path);
  };
  auto opened = co_await run_on(published_.pool(), std::move(open));
  if (opened) {
    answer.response.body = FileBytes{std::move(opened).assume_value(), answer.range.first, answer.range.length};
    co_return std::move(answer.response);
  }
  auto body =
      co_await fetch_body(fetching_, *repo, pointer.commit, pointer.file, answer.range.first, answer.range.length);
  if (!body) co_return not_fetched(body.error(), Face::Lfs);
  answer.response.body = std::move(body).assume_value();
  answer.response.fetched = true;
  co_return std::move(answer.response);
}

Response LfsRoutes::locks() { return lfs_error(404, "this mirror has no locks: it is read-only"); }
}  // namespace hm::server
