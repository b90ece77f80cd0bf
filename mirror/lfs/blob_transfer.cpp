#include "mirror/lfs/blob_transfer.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "net/redirect.hpp"
#include "net/url.hpp"

namespace hm::mirror {
namespace {
/// Redirects have been followed, answers are as long as was asked for: this is only a second line of defence behind our
/// own count.
constexpr std::uint64_t kBodySlackBytes = 1U << 20;
/// 200 answers to a Range before the server counts as one that knows none: a single one may be an accident on the way.
constexpr int kRangesIgnoredMax = 2;

Error cancelled() { return {Errc::Cancelled, "download stopped"}; }
}  // namespace

/// How a request ended: done, or why not and what to do about it.
struct BlobTransfer::Failure {
  enum class Kind : std::uint8_t { None, Again, Stale, NoRanges, Changed, Final };
  Failure() = default;
  Failure(Kind k, Error e) : kind(k), error(std::move(e)) {}
  Kind kind = Kind::None;
  Error error;
  std::optional<std::int64_t> asked_wait_ms;
  explicit operator bool() const { return kind != Kind::None; }
};

/// One connection's place in the file.
struct BlobTransfer::Connection {
  explicit Connection(const hub::RetryPolicy& policy) : backoff(policy) {}
  std::shared_ptr<WriteQueue> queue;
  std::optional<RangePlan::RunId> run;
  std::uint64_t offset = 0;  // the next byte that is wanted; within the run's current segment
  Buffer buffer;
  std::size_t filled = 0;  // bytes of `buffer` that end at `offset`
  bool streaming = false;  // the answer under way is the whole file: what is stored is skipped
  hub::Backoff backoff;
  int fresh_locations = 0;
  std::uint64_t location_number = 0;  // of the request under way
  std::uint64_t taken = 0;            // bytes put where they belong, by all requests
};

BlobTransfer::BlobTransfer(TransferContext& context, const WantedBlob& wanted, storage::PartialBlob& partial,
                           Locate locate, const DownloadEvents& events)
    : context_(context),
      wanted_(wanted),
      partial_(partial),
      locate_(std::move(locate)),
      events_(events),
      located_(context.network) {}

BlobTransfer::~BlobTransfer() = default;

awaitable<Result<>> BlobTransfer::run() {
  bool changed_before = false;
  HM_CO_TRY(co_await tell_watcher());
  for (;;) {
    restart_ = Restart::None;
    validator_.clear();
    auto attempted = co_await attempt();
    if (!attempted || restart_ == Restart::None) co_return attempted;
    if (restart_ == Restart::NoRanges) {
      alone_ = true;
      continue;
    }
    if (std::exchange(changed_before, true)) {
      co_return Error(Errc::Unreachable, "the file changed twice on the download host while it was fetched");
    }
    log(LogLevel::Info, "file changed on the download host, begun anew", {{"path", printable(wanted_.path)}});
    HM_CO_TRY(co_await run_on(context_.disk, [this] { return partial_.restart(); }));
    HM_CO_TRY(co_await tell_watcher());
  }
}

/// The watcher, if there is one, hears that all begins, or begins anew.
awaitable<Result<>> BlobTransfer::tell_watcher() {
  if (!events_.watcher) co_return ok();
  auto open = [this] { return partial_.open_data(); };
  HM_CO_TRY(std::shared_ptr<const File> data, co_await run_on(context_.disk, std::move(open)));
  events_.watcher->begun(partial_, std::move(data));
  co_return ok();
}

/// Connections until all is there, one of them failed, or the file has to be begun anew.
awaitable<Result<>> BlobTransfer::attempt() {
  std::vector<bool> present(partial_.segment_count());
  for (std::size_t i = 0; i < present.size(); ++i) present[i] = partial_.has_segment(i);
  plan_.emplace(wanted_.size_bytes, partial_.segment_bytes(), present);
  if (plan_->complete()) co_return ok();
  scope_ = std::make_unique<TaskScope>(context_.network);
  widened_ms_ = now_ms();
  idle_batches_ = 0;
  scope_->spawn(connection());
  co_await scope_->join();
  const bool stopped = scope_->cancelled() && restart_ == Restart::None && !failure_;
  const bool threw = scope_->failed() && !scope_->cancelled();
  scope_.reset();
  if (failure_) co_return std::move(*failure_);
  const bool asked = co_await is_cancelled();
  if (stopped || asked) co_return cancelled();
  if (restart_ != Restart::None) co_return ok();
  if (threw) co_return Error(Errc::Internal, "a download coroutine ended by an exception");
  HM_CHECK(plan_->complete());
  co_return ok();
}

void BlobTransfer::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  scope_->cancel();
}

awaitable<void> BlobTransfer::connection() {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  ++context_.transfers;
  Connection c(context_.retry);
  c.queue = std::make_shared<WriteQueue>(context_.network, context_.disk, partial_, events_.watcher.get());
  // Somebody waits for what has come, and the host may send nothing more for a long time.
  if (events_.watcher) c.queue->on_last_written([this, &c] { submit_begun(c); });
  Result<> result = ok();
  std::exception_ptr exception;
  try {
    result = co_await fetch_runs(c);
  } catch (...) {
    exception = std::current_exception();  // no await in here: what was written has to be waited for first
  }
  c.queue->on_last_written(nullptr);
  co_await c.queue->drain();
  --context_.transfers;
  if (exception) std::rethrow_exception(exception);
  if (result && c.queue->error()) result = *c.queue->error();
  if (c.run) plan_->give_back(*c.run);
  if (!result && !ending()) fail(std::move(result).assume_error());
}

awaitable<Result<>> BlobTransfer::fetch_runs(Connection& c) {
  while (!ending()) {
    c.run = plan_->take(scope_->running());
    if (!c.run) co_return ok();
    c.offset = plan_->offset_bytes(*c.run);
    HM_CO_TRY(co_await fetch_run(c));
  }
  co_return ok();
}

/// Requests until the connection's run is empty.
awaitable<Result<>> BlobTransfer::fetch_run(Connection& c) {
  while (c.run) {
    if (ending()) co_return cancelled();
    const std::uint64_t taken_before = c.taken;
    auto failure = co_await request(c);
    c.streaming = false;
    submit_begun(c);  // what came before the failure is kept: the next request goes on behind it
    if (c.taken - taken_before >= kProgressBytesMin) {
      c.backoff.progress();
      c.fresh_locations = 0;
    }
    if (c.queue->error()) co_return *c.queue->error();
    if (failure) {
      HM_CO_TRY(co_await recover(c, std::move(failure)));
    }
  }
  co_return ok();
}

awaitable<Result<>> BlobTransfer::recover(Connection& c, Failure failure) {
  using Kind = Failure::Kind;
  switch (failure.kind) {
    case Kind::None:
      break;
    case Kind::Final:
      co_return std::move(failure.error);
    case Kind::Changed:
      restart_ = Restart::Changed;
      scope_->cancel();
      break;
    case Kind::NoRanges:
      if (++ranges_ignored_ >= kRangesIgnoredMax && scope_->running() > 1) {
        restart_ = Restart::NoRanges;
        scope_->cancel();
      }
      break;
    case Kind::Stale:
      if (c.location_number == location_number_) location_.reset();
      if (++c.fresh_locations > kFreshLocationsMax) {
        failure.error.what += ", also after " + std::to_string(kFreshLocationsMax) + " new locations";
        co_return std::move(failure.error);
      }
      break;
    case Kind::Again:
      log(LogLevel::Debug, "transfer interrupted",
          {{"path", printable(wanted_.path)}, {"offset", std::to_string(c.offset)}, {"why", failure.error.what}});
      co_return co_await c.backoff.pause(std::move(failure.error), failure.asked_wait_ms);
  }
  co_return ok();
}

AskedBytes BlobTransfer::next_bytes(const Connection& c) const {
  const std::uint64_t end = plan_->end_bytes(*c.run);
  const bool whole = c.offset == 0 && end == wanted_.size_bytes && partial_.segment_count() == 1;
  return AskedBytes(c.offset, end, wanted_.size_bytes, !whole);
}

/// One request for what is left of the run, its answer read into the queue.
awaitable<BlobTransfer::Failure> BlobTransfer::request(Connection& c) {
  using Kind = Failure::Kind;
  auto location = co_await this->location();
  if (!location) co_return Failure(Kind::Final, std::move(location).assume_error());
  if (ending()) co_return Failure(Kind::Final, cancelled());
  c.location_number = location_number_;
  AskedBytes asked = next_bytes(c);
  net::HttpRequest request(std::move(location.assume_value().url));
  request.headers = std::move(location.assume_value().headers);
  request.headers.add("Accept-Encoding", "identity");  // the digest is that of the bytes as they are
  if (asked.ranged) request.headers.add("Range", asked.header());
  request.protocol = net::Protocol::Http1;
  request.min_bytes_per_second = kRateMinBytesPerSecond;
  request.body_bytes_max = wanted_.size_bytes + kBodySlackBytes;
  auto response = co_await net::send_following(context_.client, std::move(request));
  if (!response) {
    auto error = std::move(response).assume_error();
    co_return Failure(hub::is_retried_error(error) ? Kind::Again : Kind::Final, std::move(error));
  }
  std::uint64_t end = 0;
  auto failure = judge(response.assume_value(), asked, end);
  if (failure.kind == Kind::NoRanges && scope_->running() == 1 &&
      (asked.first == 0 || ranges_ignored_ + 1 >= kRangesIgnoredMax)) {
    // The whole file from its beginning, and nobody else to disturb: as good as what was asked for. Stored bytes are
    // skipped.
    ++ranges_ignored_;
    c.streaming = true;
    asked = AskedBytes(0, wanted_.size_bytes, wanted_.size_bytes, false);
    failure = judge(response.assume_value(), asked, end);
  }
  if (failure) co_return failure;
  if (asked.ranged) ranges_ignored_ = 0;
  co_return co_await receive(c, response.assume_value(), asked, end);
}

BlobTransfer::Failure BlobTransfer::judge(const net::HttpResponse& response, const AskedBytes& asked,
                                          std::uint64_t& end) {
  using Kind = Failure::Kind;
  auto judgement = judge_answer(response, asked);
  end = judgement.end;
  switch (judgement.verdict) {
    case Verdict::Use:
      break;
    case Verdict::NoRanges:
      return Failure(Kind::NoRanges, std::move(judgement.error));
    case Verdict::Stale:
      return Failure(Kind::Stale, std::move(judgement.error));
    case Verdict::WrongSize:
    case Verdict::Never:
      return Failure(Kind::Final, std::move(judgement.error));
    case Verdict::Again: {
      Failure failure(Kind::Again, std::move(judgement.error));
      failure.asked_wait_ms = hub::asked_wait_ms(context_.retry, response.headers);
      return failure;
    }
  }
  // Two hosts may name one file differently; one host does so only when the file is another.
  const auto url = net::parse_url(response.url);
  const std::string origin = url ? url.assume_value().origin() : std::string();
  std::string validator = validator_of(response.headers);
  if (origin == validator_origin_ && !validator_.empty() && !validator.empty() && validator != validator_) {
    return Failure(Kind::Changed, Error(Errc::Unreachable, "the file changed on the download host"));
  }
  if (origin != validator_origin_ || !validator.empty()) validator_ = std::move(validator);
  validator_origin_ = origin;
  return {};
}

awaitable<BlobTransfer::Failure> BlobTransfer::receive(Connection& c, net::HttpResponse& response, AskedBytes asked,
                                                       std::uint64_t end) {
  using Kind = Failure::Kind;
  bool complete_body = false;
  for (std::uint64_t position = asked.first; c.run;) {
    auto bytes = co_await response.body->next();
    if (!bytes) {
      auto error = std::move(bytes).assume_error();
      co_return Failure(hub::is_retried_error(error) ? Kind::Again : Kind::Final, std::move(error));
    }
    const std::span<const std::byte> span = bytes.assume_value();
    if (span.empty()) {
      if (position == end) co_return Failure();  // the server sent less than was asked for, as it had said
      co_return Failure(Kind::Again,
                        Error(Errc::Unreachable, "the body ended " + std::to_string(end - position) + " bytes early"));
    }
    // Bytes beyond the end of a file are no part of it; whether it is the right file its digest says.
    const auto useful = span.first(static_cast<std::size_t>(std::min<std::uint64_t>(span.size(), end - position)));
    if (useful.empty()) co_return Failure(Kind::Again, Error(Errc::Unreachable, "the body is longer than announced"));
    fetched_bytes_ += useful.size();
    const std::uint64_t taken_before = c.taken;
    if (auto failure = co_await take(c, useful, position)) co_return failure;
    if (events_.on_bytes && c.taken > taken_before) events_.on_bytes(wanted_, c.taken - taken_before);
    position += useful.size();
    if (events_.watcher && c.queue->pending() == 0) submit_begun(c);
    if (position == end) complete_body = true;
    if (ending()) co_return Failure(Kind::Final, cancelled());
  }
  // All that was wanted is in hand. The end of the body is read too, if it is known to be there: then its connection
  // can be used again.
  if (response.content_length && complete_body) static_cast<void>(co_await response.body->next());
  co_return Failure();
}

/// Puts bytes that stand at `position` of the file where they belong; what is before the wanted offset is skipped.
awaitable<BlobTransfer::Failure> BlobTransfer::take(Connection& c, std::span<const std::byte> bytes,
                                                    std::uint64_t position) {
  using Kind = Failure::Kind;
  while (!bytes.empty() && c.run) {
    const std::uint64_t segment = plan_->segment(*c.run);
    const std::uint64_t stop = position < c.offset ? c.offset : plan_->segment_end_bytes(segment);
    auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), stop - position));
    if (position >= c.offset) {
      if (!c.buffer) {
        auto taken = co_await take_buffer(c);
        if (!taken) co_return Failure(Kind::Final, std::move(taken).assume_error());
      }
      size = std::min(size, kBatchBytes - c.filled);
      std::memcpy(c.buffer.data() + c.filled, bytes.data(), size);
      c.filled += size;
      c.offset += size;
      c.taken += size;
      if (c.filled == kBatchBytes || c.offset == plan_->segment_end_bytes(segment)) submit(c);
    }
    bytes = bytes.subspan(size);
    position += size;
  }
  co_return Failure();
}

/// Waits for the disk: until this transfer has few batches there, and there is memory for one more.
awaitable<Result<>> BlobTransfer::take_buffer(Connection& c) {
  while (c.queue->full() && !c.queue->error()) {
    if (ending()) co_return cancelled();
    co_await c.queue->wait();
  }
  if (c.queue->error()) co_return *c.queue->error();
  for (;;) {
    if (ending()) co_return cancelled();
    if (auto buffer = context_.buffers->try_take()) {
      c.buffer = std::move(*buffer);
      co_return ok();
    }
    co_await context_.buffers->wait();
  }
}

/// Hands the batch to the disk; at the end of a segment goes on to the next, of this run or, when all is sent in one
/// stream, of a later one.
void BlobTransfer::submit(Connection& c) {
  const std::uint64_t segment = plan_->segment(*c.run);
  const bool ends = c.offset == plan_->segment_end_bytes(segment);
  maybe_widen(c);
  WriteQueue::Batch batch;
  batch.buffer = std::move(c.buffer);
  batch.size = std::exchange(c.filled, 0);
  batch.offset_bytes = c.offset - batch.size;
  if (ends) batch.completes = segment;
  c.queue->push(std::move(batch));
  if (!ends || plan_->advance(*c.run)) return;
  c.run.reset();
  if (!c.streaming) return;
  c.run = plan_->take(1);
  if (c.run) c.offset = plan_->offset_bytes(*c.run);
}

/// The batch as far as it came.
void BlobTransfer::submit_begun(Connection& c) {
  if (c.run && c.filled > 0) submit(c);
}

void BlobTransfer::maybe_widen(const Connection& c) {
  idle_batches_ = c.queue->pending() == 0 ? idle_batches_ + 1 : 0;
  if (idle_batches_ < kIdleBatchesToWiden || now_ms() - widened_ms_ < kWidenIntervalMs) return;
  if (alone_ || c.streaming || ending() || scope_->running() >= context_.options.ranges_per_file ||
      context_.transfers >= kTransfersMax)
    return;
  if (!plan_->has_more()) return;
  idle_batches_ = 0;
  widened_ms_ = now_ms();
  scope_->spawn(connection());
}

/// One location for all connections: the first that finds none asks, the others wait for its answer.
awaitable<Result<Location>> BlobTransfer::location() {
  while (locating_) {
    if (ending()) co_return cancelled();
    co_await located_.wait();
  }
  // A clock that disagrees with the server's must not make every location stale: each is tried once at least.
  if (location_ && location_used_ && location_->expires_unix_ms &&
      *location_->expires_unix_ms <= context_.retry.clock->unix_ms())
    location_.reset();
  if (!location_) {
    locating_ = true;
    auto found = co_await locate_();
    locating_ = false;
    located_.notify_all();
    if (!found) co_return std::move(found).assume_error();
    location_ = std::move(found).assume_value();
    ++location_number_;
    location_used_ = false;
  }
  location_used_ = true;
  co_return *location_;
}
}  // namespace hm::mirror
