#include "mirror/git/smart_transport.hpp"

#include <git2/sys/repository.h>
#include <git2/sys/transport.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "mirror/git/pkt_line.hpp"
#include "mirror/git/pool_http.hpp"

#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h>  // git_error_set_str, since libgit2 1.8
#endif

namespace hm::mirror {
namespace {
constexpr std::uint64_t kNegotiationBytesMax =
    1U << 20;  // what sideband framing and acknowledgments add to a pack, besides 1/8192 of it

/// What all parts of one fetch share; lives on the stack of fetch_with_smart_transport().
struct Job {
  const SmartFetch& fetch;
  std::string replayed_refs;
  std::optional<Error> failure;  // the first real reason; libgit2's own message is poorer

  int fail(Error error) {
    git_error_set_str(GIT_ERROR_NET, error.what.c_str());
    if (!failure) failure = std::move(error);
    return GIT_EUSER;
  }
};

struct Subtransport {
  git_smart_subtransport base;
  Job* job;
};

struct Stream {
  git_smart_subtransport_stream base{};
  Job* job = nullptr;
  bool replays = false;  // the list of refs, which needs no request
  std::size_t replayed_bytes = 0;
  std::string body;  // written by libgit2 before its first read
  std::unique_ptr<PoolHttp> http;
};

Stream* stream_of(git_smart_subtransport_stream* base) { return reinterpret_cast<Stream*>(base); }

/// The refs as a version 0 server lists them, with its capabilities less those that would bring other objects than the
/// refs'.
std::string replay_of(const Advertisement& advertisement) {
  std::string capabilities;
  for (const std::string_view word : split(advertisement.capabilities, ' ')) {
    if (word.empty() || word == "include-tag" || word.starts_with("symref=")) continue;
    capabilities.append(" ").append(word);
  }
  std::string out;
  append_pkt(out, "# service=git-upload-pack\n");
  out += kFlushPkt;
  for (const auto& [name, oid] : advertisement.refs) {
    std::string line = oid.hex() + " " + name;
    if (!capabilities.empty()) line.append(1, '\0').append(std::exchange(capabilities, {}));
    append_pkt(out, line + "\n");
  }
  out += kFlushPkt;
  return out;
}

Result<> post(Stream& stream) {
  const SmartFetch& fetch = stream.job->fetch;
  net::HttpRequest request("POST", fetch.advertisement.service_url + "/git-upload-pack");
  request.headers.add("Content-Type", "application/x-git-upload-pack-request");
  request.headers.add("Accept", "application/x-git-upload-pack-result");
  request.body = std::move(stream.body);
  request.protocol = net::Protocol::Http1;
  request.body_bytes_max = fetch.limits.pack_bytes_max + fetch.limits.pack_bytes_max / 8192 + kNegotiationBytesMax;
  stream.http = std::make_unique<PoolHttp>(fetch.client, fetch.network, fetch.stop);
  return stream.http->open(std::move(request));
}

int stream_read(git_smart_subtransport_stream* base, char* buffer, std::size_t size, std::size_t* out) {
  Stream& stream = *stream_of(base);
  *out = 0;
  if (stream.replays) {
    const std::string& text = stream.job->replayed_refs;
    *out = std::min(size, text.size() - stream.replayed_bytes);
    std::memcpy(buffer, text.data() + stream.replayed_bytes, *out);
    stream.replayed_bytes += *out;
    return 0;
  }
  if (!stream.http) {
    if (auto opened = post(stream); !opened) return stream.job->fail(std::move(opened).assume_error());
  }
  auto n = stream.http->read({buffer, size});
  if (!n) return stream.job->fail(std::move(n).assume_error());
  *out = n.assume_value();
  return 0;
}

int stream_write(git_smart_subtransport_stream* base, const char* bytes, std::size_t size) {
  stream_of(base)->body.append(bytes, size);  // bounded: one line for each ref, which are bounded
  return 0;
}

void stream_free(git_smart_subtransport_stream* base) { delete stream_of(base); }

int begin_action(git_smart_subtransport_stream** out, git_smart_subtransport* transport, const char*,
                 git_smart_service_t action) {
  Job& job = *reinterpret_cast<Subtransport*>(transport)->job;
  if (action != GIT_SERVICE_UPLOADPACK_LS && action != GIT_SERVICE_UPLOADPACK)
    return job.fail({Errc::Internal, "this transport only reads"});
  auto* stream = new Stream;
  stream->base = {transport, stream_read, stream_write, stream_free};
  stream->job = &job;
  stream->replays = action == GIT_SERVICE_UPLOADPACK_LS;
  *out = &stream->base;
  return 0;
}

int make_subtransport(git_smart_subtransport** out, git_transport*, void* job) {
  auto* transport = new Subtransport{};
  transport->job = static_cast<Job*>(job);
  transport->base.action = begin_action;
  transport->base.close = [](git_smart_subtransport*) { return 0; };
  transport->base.free = [](git_smart_subtransport* t) { delete reinterpret_cast<Subtransport*>(t); };
  *out = &transport->base;
  return 0;
}

int make_transport(git_transport** out, git_remote* owner, void* job) {
  git_smart_subtransport_definition definition{make_subtransport, 1 /* stateless RPC */, job};
  return git_transport_smart(out, owner, &definition);
}

int on_transfer(const git_indexer_progress* progress, void* payload) {
  Job& job = *static_cast<Job*>(payload);
  job.fetch.on_progress(*progress);
  if (auto within_limits = job.fetch.quarantine.check_limits(*progress); !within_limits)
    return job.fail(std::move(within_limits).assume_error());
  return 0;
}

Result<> check(int rc, const char* doing, Job& job) {
  if (rc >= 0) return ok();
  Error error = git_failure(rc, doing, Errc::Corrupt);
  if (job.failure) return std::move(*job.failure);
  return error;
}
}  // namespace

Result<> fetch_with_smart_transport(const SmartFetch& fetch) {
  const AllocationLimit limit(fetch.quarantine.allocation_bytes_max());
  Job job{fetch, replay_of(fetch.advertisement), std::nullopt};
  // The repository's refs with the quarantine's object store: libgit2 negotiates with the former and writes into the
  // latter.
  git_repository* raw_repo = nullptr;
  HM_TRY(check(git_repository_open_bare(&raw_repo, fetch.repository_path.c_str()), "open repository", job));
  const GitRepoHandle repo(raw_repo);
  HM_TRY(check(git_repository_set_odb(raw_repo, fetch.quarantine.odb()), "open quarantine", job));

  git_remote_create_options create = GIT_REMOTE_CREATE_OPTIONS_INIT;
  create.repository = raw_repo;
  create.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
  git_remote* raw_remote = nullptr;
  HM_TRY(check(git_remote_create_with_opts(&raw_remote, fetch.advertisement.service_url.c_str(), &create),
               "describe upstream", job));
  const GitRemoteHandle remote(raw_remote);

  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.callbacks.payload = &job;
  options.callbacks.transport = make_transport;
  options.callbacks.transfer_progress = on_transfer;
  options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  options.proxy_opts.type = GIT_PROXY_NONE;
  HM_TRY(check(git_remote_connect(raw_remote, GIT_DIRECTION_FETCH, &options.callbacks, &options.proxy_opts, nullptr),
               "read refs", job));
  char everything[] = "+refs/*:refs/*";
  char* specs[] = {everything};
  const git_strarray refspecs{specs, 1};
  HM_TRY(check(git_remote_download(raw_remote, &refspecs, &options), "fetch pack", job));
  fetch.quarantine.stats() = *git_remote_stats(raw_remote);
  git_remote_disconnect(raw_remote);
  return ok();
}
}  // namespace hm::mirror
