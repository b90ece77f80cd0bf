// Bytes of files: resolve and raw. docs/hub_protocol.md
#include <algorithm>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "server/arriving_body.hpp"
#include "server/http/range.hpp"
#include "server/hub_call.hpp"
#include "server/refusal.hpp"

namespace hm::server {
namespace {
/// What a browser would take for a program is text, or nothing it knows: no bytes of a repository may act on its
/// behalf.
constexpr std::string_view kHarmless =
    "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; sandbox\r\n";
constexpr std::size_t kFieldsBytes = 1200;  // what the fields of a file come to, the router's too

std::string disposition_of(std::string_view path, bool download) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  std::string plain;
  for (const char c : name) plain += c < 0x20 || c == 0x7f || c == '"' || c == '\\' ? '_' : (c & 0x80) ? '?' : c;
  return (download ? "attachment; filename*=UTF-8''" : "inline; filename*=UTF-8''") + percent_encode(name) +
         "; filename=\"" + plain + "\";";
}

/// Whoever asked for a commit asked for what never changes; a gate may close all the same.
std::string_view cache_control(const RepoCall& call, std::string_view revision) {
  if (!is_commit_hex(revision)) return "no-cache";
  return call.repo->row.visibility == "public" ? "public, max-age=31536000, immutable"
                                               : "private, max-age=31536000, immutable";
}

Response entry_not_found(const Commit& commit, const RevisionFiles& files) {
  Response out = hub_error(404, "EntryNotFound", "Entry not found", /*as_text=*/true);
  out.add("X-Repo-Commit", commit.hex());
  if (files.snapshot.partial())
    out.add("X-Hubmirror-Partial", std::to_string(files.snapshot.left_out_files) + " files left out");
  return out;
}

/// Fields of a file and, as the request wants it, its range; the body is put in by whoever has the bytes.
struct FileAnswer {
  Response response;
  WantedRange range;
  bool body = false;
};
FileAnswer begin_file(const HubParts& parts, const RepoCall& call, std::string_view revision, const FoundRevision& at,
                      const storage::ManifestFile& file, std::uint64_t size, std::string_view type) {
  FileAnswer out;
  Response& r = out.response;
  r.fields.reserve(kFieldsBytes);
  const std::string etag = file.is_lfs ? file.sha256.hex() : file.git_oid.hex();
  const std::string quoted = "\"" + etag + "\"";
  r.add("X-Repo-Commit", at.commit.hex()).add("ETag", quoted).add("X-Linked-Etag", quoted);
  r.add("X-Linked-Size", std::to_string(size)).add("Accept-Ranges", "bytes").add("Content-Type", type);
  const auto query = parse_form(call.request.query());
  r.add("Content-Disposition", disposition_of(file.path, is_true(query, "download")));
  r.add("Cache-Control", cache_control(call, revision));
  r.fields.append(kHarmless);
  add_mirror_fields(r, parts, *call.repo, nullptr);
  r.repo = call.repo->row.repo.text();
  r.revision = at.commit.hex();
  r.file = file.path;
  const auto range = apply_conditions(call.request, etag, size, r);
  out.body = range.has_value();
  if (range) out.range = *range;
  return out;
}

Response git_file_answer(const HubParts& parts, const RepoCall& call, std::string_view revision,
                         const FoundRevision& at, const storage::ManifestFile& file, const GitFileView& found) {
  FileAnswer answer = begin_file(parts, call, revision, at, file, found->bytes.size(),
                                 found->is_text ? "text/plain; charset=utf-8" : "application/octet-stream");
  if (answer.body)
    answer.response.body =
        SharedBytes{std::shared_ptr<const std::string>(found, &found->bytes), answer.range.first, answer.range.length};
  return std::move(answer.response);
}

/// Begins to fetch a large file that is not here, or joins those who wait for it.
awaitable<Response> fetched_file_answer(const HubParts& parts, const RepoCall& call, const FoundRevision& at,
                                        const storage::ManifestFile& file, FileAnswer answer) {
  if (!parts.fetching.files)
    co_return hub_error(404, "EntryNotFound",
                        "This large file is not in this mirror, which fetches none on demand ([serve] on_demand).",
                        /*as_text=*/true);
  auto body = co_await fetch_body(parts.fetching, *call.repo, at.commit, file, answer.range.first, answer.range.length);
  if (!body) co_return not_fetched(body.error(), Face::File);
  answer.response.body = std::move(body).assume_value();
  answer.response.length = answer.range.length;
  answer.response.fetched = true;
  co_return std::move(answer.response);
}

awaitable<Response> large_file_answer(const HubParts& parts, const RepoCall& call, std::string_view revision,
                                      const FoundRevision& at, const storage::ManifestFile& file) {
  FileAnswer answer = begin_file(parts, call, revision, at, file, file.size_bytes, "application/octet-stream");
  if (!answer.body) co_return std::move(answer.response);
  const bool head = call.request.method == Method::Head;
  // What can be fetched is answered as if it were here.
  if (head && (parts.fetching.on_demand == nullptr || parts.fetching.files)) {
    answer.response.length = answer.range.length;
    co_return std::move(answer.response);
  }
  auto open = [&parts, &file]() -> Result<std::unique_ptr<File>> {
    HM_TRY(const std::string path, parts.blobs.path(file.sha256));
    HM_TRY(auto opened, real_file_system().open_read(path));
    HM_TRY(const std::uint64_t size, opened->size());
    if (size == file.size_bytes) return opened;
    return Error{Errc::Corrupt, "blob " + file.sha256.hex() + " has " + std::to_string(size) + " bytes instead of " +
                                    std::to_string(file.size_bytes) + "; run: hubmirror verify --repair"};
  };
  auto opened = co_await run_on(parts.published.pool(), std::move(open));
  if (!opened && opened.error().code == Errc::NotFound && parts.fetching.on_demand != nullptr)
    co_return co_await fetched_file_answer(parts, call, at, file, std::move(answer));
  if (!opened) co_return failed(opened.error(), "opening a large file");
  std::shared_ptr<const File> shared = std::move(opened).assume_value();
  answer.response.body = FileBytes{std::move(shared), answer.range.first, answer.range.length};
  co_return std::move(answer.response);
}
}  // namespace

awaitable<Response> answer_resolve(const HubParts& parts, const RepoCall& call) {
  const RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  FoundRevision at = co_await find_revision(parts, call, asked.revision, /*as_text=*/true);
  if (at.refusal) co_return std::move(*at.refusal);
  const auto path = repo_path(asked.path, 0);
  const storage::ManifestFile* file = path ? at.files->find(*path) : nullptr;
  if (file == nullptr) co_return entry_not_found(at.commit, *at.files);
  if (file->is_lfs) co_return co_await large_file_answer(parts, call, asked.revision, at, *file);
  auto bytes = parts.published.git_file_now(file->git_oid);
  if (!bytes) {
    auto read = co_await parts.published.git_file(call.repo, file->git_oid);
    if (!read) co_return failed(read.error(), "reading a file from git");
    bytes = std::move(read).assume_value();
  }
  co_return git_file_answer(parts, call, asked.revision, at, *file, bytes);
}

awaitable<Response> answer_raw(const HubParts& parts, const RepoCall& call) {
  const RevisionAndPath asked = split_revision(*call.repo, call.path.rest);
  FoundRevision at = co_await find_revision(parts, call, asked.revision, /*as_text=*/true);
  if (at.refusal) co_return std::move(*at.refusal);
  const auto path = repo_path(asked.path, 0);
  const storage::ManifestFile* file = path ? at.files->find(*path) : nullptr;
  if (file == nullptr) co_return entry_not_found(at.commit, *at.files);
  auto bytes = co_await parts.published.git_file(call.repo, file->git_oid);  // of a large file: its pointer
  if (!bytes) co_return failed(bytes.error(), "reading a file from git");
  Response out;
  out.add("X-Repo-Commit", at.commit.hex()).add("Content-Type", "text/plain; charset=utf-8");
  out.add("Cache-Control", cache_control(call, asked.revision));
  out.fields.append(kHarmless);
  const GitFileView& found = bytes.assume_value();
  out.body = SharedBytes{std::shared_ptr<const std::string>(found, &found->bytes), 0, found->bytes.size()};
  out.repo = call.repo->row.repo.text(), out.revision = at.commit.hex(), out.file = *path;
  co_return out;
}
}  // namespace hm::server
