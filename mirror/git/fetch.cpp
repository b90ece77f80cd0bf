#include "mirror/git/fetch.hpp"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <unordered_set>

#include "base/crash_point.hpp"
#include "base/text.hpp"
#include "mirror/git/git2_handles.hpp"
#include "mirror/git/pack_feeder.hpp"
#include "mirror/git/packed_refs.hpp"
#include "mirror/git/pool_http.hpp"
#include "mirror/git/pool_work.hpp"
#include "mirror/git/protocol_v2.hpp"
#include "mirror/git/quarantine.hpp"
#include "mirror/git/smart_transport.hpp"
#include "net/redirect.hpp"

namespace hm::mirror {
namespace asio = boost::asio;
namespace {
constexpr std::string_view kDiscovery = "/info/refs?service=git-upload-pack";
constexpr std::uint64_t kRefLineBytes = 256;  // of an answer that lists refs, on average; ten times what names have
constexpr std::uint64_t kAnswerBytesMin = 1U << 20;
constexpr std::uint64_t kSidebandShare = 8192;  // 5 bytes of framing for at most 65515 of pack
constexpr std::int64_t kServerThinksMs =
    60'000;  // git sends keep-alives every 5 s once it packs; before that it walks history

/// Object ids to ask for, and what to build upon.
struct Plan {
  std::vector<GitOid> wants, haves;
};

Result<Plan> make_plan(const std::string& repository_path, const Advertisement& advertisement) {
  git_odb* raw = nullptr;
  const std::string objects = repository_path + "/objects";
  if (const int rc = git_odb_open(&raw, objects.c_str()); rc < 0) return git_failure(rc, "open " + objects);
  const GitOdbHandle odb(raw);
  HM_TRY(const RefFiles files, read_ref_files(real_file_system(), repository_path));
  RefMap here;
  for (const auto& [name, ref] : files.packed) here.emplace_hint(here.end(), name, ref.oid);
  for (const auto& [name, oid] : files.loose) here[name] = oid;

  Plan plan;
  std::unordered_set<GitOid> wanted, had;
  // A ref whose object was lost is no "have": upstream would leave out what we lack.
  const auto add_have = [&](const GitOid& oid) {
    const git_oid id = to_git(oid);
    if (plan.haves.size() >= kHavesMax || git_odb_exists_ext(raw, &id, GIT_ODB_LOOKUP_NO_REFRESH) != 1) return;
    if (had.insert(oid).second) plan.haves.push_back(oid);
  };
  for (const auto& [name, oid] : advertisement.refs) {
    const git_oid id = to_git(oid);
    if (git_odb_exists_ext(raw, &id, GIT_ODB_LOOKUP_NO_REFRESH) == 1) continue;
    if (wanted.insert(oid).second) plan.wants.push_back(oid);
    if (const auto old = here.find(name); old != here.end())
      add_have(old->second);  // most useful first: what the ref was
  }
  if (plan.wants.empty()) return plan;
  for (const auto& [name, oid] : here) add_have(oid);
  return plan;
}
}  // namespace

struct GitRemote::Impl {
  Impl(net::HttpClient& c, asio::thread_pool& p, std::string u, GitLimits l)
      : client(c), pool(p), url(std::move(u)), limits(l) {}
  net::HttpClient& client;
  asio::thread_pool& pool;
  const std::string url;
  const GitLimits limits;

  /// One fetch: what the network thread and the pool share. Outlives the coroutine if the pool is still busy with it.
  struct Job {
    std::shared_ptr<Stop> stop = std::make_shared<Stop>();
    std::string repository_path;
    Plan plan;
    FetchResponseReader response;
    std::string pack_bytes;  // payload of one batch, gathered so that the indexer gets large pieces
    std::unique_ptr<Quarantine> quarantine;
    FetchOutcome outcome;
    std::atomic<std::uint64_t> received_objects{0}, total_objects{0}, received_bytes{0};

    Result<> begin(const Advertisement& advertisement, const GitLimits& limits);
    Result<> consume(std::string_view answer_bytes);
    Result<> finish(bool with_indexer);
    void seen(const git_indexer_progress& stats) {
      received_objects = stats.received_objects, total_objects = stats.total_objects,
      received_bytes = stats.received_bytes;
    }
    FetchProgress progress() const {
      FetchProgress p;
      p.received_objects = received_objects, p.total_objects = total_objects, p.received_bytes = received_bytes;
      return p;
    }
  };
  using Progress = std::function<void(const FetchProgress&)>;

  awaitable<Result<Advertisement>> list_refs(std::vector<std::string> prefixes);
  awaitable<Result<>> list_refs_v2(const std::vector<std::string>& prefixes, Advertisement& into);
  awaitable<Result<FetchOutcome>> guarded_fetch(std::shared_ptr<Job> job, const Advertisement& advertisement,
                                                const Progress& progress);
  awaitable<Result<>> steps(Job& job, PackFeeder& feeder, const Advertisement& advertisement, const Progress& progress);
  awaitable<Result<>> stream_pack(Job& job, PackFeeder& feeder, const Advertisement& advertisement,
                                  const Progress& progress);
  awaitable<Result<>> smart_fetch(Job& job, const Advertisement& advertisement);
  std::uint64_t ref_answer_bytes_max() const { return kAnswerBytesMin + limits.refs_max * kRefLineBytes; }
};

GitRemote::GitRemote(net::HttpClient& client, asio::thread_pool& git_pool, std::string url, GitLimits limits)
    : impl_(std::make_unique<Impl>(client, git_pool, std::move(url), limits)) {}
GitRemote::~GitRemote() = default;

awaitable<Result<Advertisement>> GitRemote::list_refs(std::vector<std::string> prefixes) {
  auto listed = co_await impl_->list_refs(std::move(prefixes));
  co_return within(std::move(listed), [&] { return "listing refs of " + impl_->url; });
}

awaitable<Result<Advertisement>> GitRemote::Impl::list_refs(std::vector<std::string> prefixes) {
  for (const std::string& prefix : prefixes) {
    if (!prefix.starts_with("refs/") || prefix.size() > kRefNameBytesMax)
      co_return Error(Errc::BadInput, "ref prefix must begin with refs/: " + printable(prefix));
  }
  net::HttpRequest request(url + std::string(kDiscovery));
  request.headers.add("Git-Protocol", "version=2");
  request.body_bytes_max = ref_answer_bytes_max();
  HM_CO_TRY(const net::HttpResponse response, co_await net::send_following(client, std::move(request)));
  HM_CO_TRY(check_git_status(response));
  Advertisement out;
  if (!response.url.ends_with(kDiscovery))
    co_return Error(Errc::Refused, "redirected to " + printable(response.url) + ", which is no git repository");
  out.service_url = response.url.substr(0, response.url.size() - kDiscovery.size());
  AdvertisementReader reader(prefixes, limits.refs_max);
  for (;;) {
    HM_CO_TRY(const std::span<const std::byte> bytes, co_await response.body->next());
    if (bytes.empty()) break;
    HM_CO_TRY(reader.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  HM_CO_TRY(reader.finish());
  out.protocol_v2 = reader.protocol_v2();
  if (!out.protocol_v2) {
    out.refs = std::move(reader.refs());
    out.head = reader.head();
    out.capabilities = reader.capabilities();
    co_return out;
  }
  if (!reader.has_capability("ls-refs") || !reader.has_capability("fetch"))
    co_return Error(Errc::BadInput, "git server offers neither ls-refs nor fetch");
  HM_CO_TRY(co_await list_refs_v2(prefixes, out));
  co_return out;
}

awaitable<Result<>> GitRemote::Impl::list_refs_v2(const std::vector<std::string>& prefixes, Advertisement& into) {
  net::HttpRequest request("POST", into.service_url + "/git-upload-pack");
  request.headers.add("Git-Protocol", "version=2");
  request.headers.add("Content-Type", "application/x-git-upload-pack-request");
  request.headers.add("Accept", "application/x-git-upload-pack-result");
  request.body = ls_refs_request(prefixes);
  request.body_bytes_max = ref_answer_bytes_max();
  HM_CO_TRY(const net::HttpResponse response, co_await net::send_following(client, std::move(request)));
  HM_CO_TRY(check_git_status(response));
  LsRefsReader reader(prefixes, limits.refs_max);
  for (;;) {
    HM_CO_TRY(const std::span<const std::byte> bytes, co_await response.body->next());
    if (bytes.empty()) break;
    HM_CO_TRY(reader.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  HM_CO_TRY(reader.finish());
  into.refs = std::move(reader.refs());
  into.head = reader.head();
  co_return ok();
}

awaitable<Result<FetchOutcome>> GitRemote::fetch(std::string repository_path, const Advertisement& advertisement,
                                                 std::function<void(const FetchProgress&)> progress) {
  // A coroutine of its own, with a cancellation state of its own: after a cancellation it still has to wait for the
  // pool and clean up.
  const auto executor = co_await asio::this_coro::executor;
  auto job = std::make_shared<Impl::Job>();
  job->repository_path = std::move(repository_path);
  auto operation = impl_->guarded_fetch(std::move(job), advertisement, progress);
  Result<FetchOutcome> outcome = Error{Errc::Cancelled, "fetch cancelled"};
  try {
    outcome = co_await asio::co_spawn(executor, std::move(operation), asio::use_awaitable);
  } catch (const boost::system::system_error&) {  // cancelled before it began
  }
  co_return within(std::move(outcome), [&] { return "fetching " + impl_->url; });
}

awaitable<Result<FetchOutcome>> GitRemote::Impl::guarded_fetch(std::shared_ptr<Job> job,
                                                               const Advertisement& advertisement,
                                                               const Progress& progress) {
  const auto executor = co_await asio::this_coro::executor;  // in a statement of its own: g++ 12 destroys a closure in
                                                             // an expression with co_await twice
  auto consume = [job](std::string_view bytes) { return job->consume(bytes); };
  auto feeder = std::make_shared<PackFeeder>(executor, pool, std::move(consume));
  Result<> done = Error{Errc::Cancelled, "fetch cancelled"};
  try {
    done = co_await steps(*job, *feeder, advertisement, progress);
  } catch (const boost::system::system_error& e) {
    if (e.code() != boost::asio::error::operation_aborted) done = Error{Errc::Internal, e.what()};
  } catch (const std::exception& e) {
    done = Error{Errc::Internal, e.what()};
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (!done) job->stop->request();
  const Result<> rest = co_await feeder->drained();  // its error, if any, is already ours or came after it
  static_cast<void>(rest);
  auto clean_up = [&] { job->quarantine.reset(); };
  auto cleaned = run_on_pool(pool, job->stop, std::move(clean_up));
  co_await std::move(cleaned);
  if (!done) co_return std::move(done).as_failure();
  co_return std::move(job->outcome);
}

awaitable<Result<>> GitRemote::Impl::steps(Job& job, PackFeeder& feeder, const Advertisement& advertisement,
                                           const Progress& progress) {
  Result<> begun = ok();
  auto begin = [&] { begun = job.begin(advertisement, limits); };
  auto beginning = run_on_pool(pool, job.stop, std::move(begin));
  co_await std::move(beginning);
  HM_CO_TRY(std::move(begun));
  if (job.plan.wants.empty()) co_return ok();
  if (advertisement.protocol_v2) {
    HM_CO_TRY(co_await stream_pack(job, feeder, advertisement, progress));
  } else {
    HM_CO_TRY(co_await smart_fetch(job, advertisement));
  }
  Result<> finished = ok();
  auto finish = [&] { finished = job.finish(advertisement.protocol_v2); };
  auto finishing = run_on_pool(pool, job.stop, std::move(finish));
  co_await std::move(finishing);
  if (progress) progress(job.progress());
  co_return finished;
}

awaitable<Result<>> GitRemote::Impl::stream_pack(Job& job, PackFeeder& feeder, const Advertisement& advertisement,
                                                 const Progress& progress) {
  net::HttpRequest request("POST", advertisement.service_url + "/git-upload-pack");
  request.headers.add("Git-Protocol", "version=2");
  request.headers.add("Content-Type", "application/x-git-upload-pack-request");
  request.headers.add("Accept", "application/x-git-upload-pack-result");
  request.body = fetch_request(job.plan.wants, job.plan.haves);
  request.protocol = net::Protocol::Http1;  // a large body gets a TCP window of its own
  request.stall_timeout_ms = kServerThinksMs;
  request.body_bytes_max = limits.pack_bytes_max + limits.pack_bytes_max / kSidebandShare + kAnswerBytesMin;
  HM_CO_TRY(const net::HttpResponse response, co_await net::send_following(client, std::move(request)));
  HM_CO_TRY(check_git_status(response));
  for (bool more = true; more;) {
    std::string batch;
    batch.reserve(kBatchBytes);
    while (more && batch.size() < kBatchBytes) {
      HM_CO_TRY(const std::span<const std::byte> bytes, co_await response.body->next());
      batch.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      more = !bytes.empty();
    }
    HM_CO_TRY(co_await feeder.push(std::move(batch)));
    if (progress) progress(job.progress());
  }
  HM_CO_TRY(co_await feeder.drained());
  co_return job.response.finish();
}

awaitable<Result<>> GitRemote::Impl::smart_fetch(Job& job, const Advertisement& advertisement) {
  const asio::any_io_executor network = co_await asio::this_coro::executor;
  Result<> fetched = ok();
  auto fetch = [&] {
    const SmartFetch smart{
        client,        network, job.stop,        job.repository_path,
        advertisement, limits,  *job.quarantine, [&job](const git_indexer_progress& p) { job.seen(p); }};
    fetched = fetch_with_smart_transport(smart);
  };
  auto fetching = run_on_pool(pool, job.stop, std::move(fetch));
  co_await std::move(fetching);
  co_return fetched;
}

Result<> GitRemote::Impl::Job::begin(const Advertisement& advertisement, const GitLimits& limits) {
  FileSystem& fs = real_file_system();
  HM_TRY(remove_stale_incoming(fs, repository_path));
  HM_TRY(plan, make_plan(repository_path, advertisement));
  if (plan.wants.empty()) return ok();
  HM_TRY(quarantine, Quarantine::begin(fs, repository_path, limits, stop->flag));
  return ok();
}

Result<> GitRemote::Impl::Job::consume(std::string_view answer_bytes) {
  pack_bytes.clear();
  HM_TRY(response.feed(answer_bytes, [this](std::string_view bytes) {
    pack_bytes.append(bytes);
    return Result<>(ok());
  }));
  if (pack_bytes.empty()) return ok();
  HM_TRY(quarantine->append(pack_bytes));
  seen(quarantine->stats());
  return ok();
}

Result<> GitRemote::Impl::Job::finish(bool with_indexer) {
  if (with_indexer) {
    HM_TRY(quarantine->complete());
  }
  HM_CRASH_POINT("git.pack_received");
  HM_TRY(quarantine->examine(plan.wants, outcome));
  HM_CRASH_POINT("git.pack_checked");
  return quarantine->publish();
}
}  // namespace hm::mirror
