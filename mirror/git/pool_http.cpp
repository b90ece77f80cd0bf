#include "mirror/git/pool_http.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "net/redirect.hpp"

namespace hm::mirror {
namespace asio = boost::asio;
namespace {
constexpr std::size_t kChunkBytes =
    64U << 10;  // gathered before the pool thread is woken; a change of threads costs about 10 us
}

Result<> check_git_status(const net::HttpResponse& response) {
  const int status = response.status;
  if (status == 200) return ok();
  const std::string what = "git server answered " + std::to_string(status);
  if (status == 401 || status == 403) return Error{Errc::Gated, what + ": access denied"};
  if (status == 404 || status == 410) return Error{Errc::NotFound, what + ": no such repository"};
  if (status == 429) return Error{Errc::RateLimited, what};
  if (status == 408 || status >= 500) return Error{Errc::Unreachable, what};
  return Error{Errc::BadInput, what};
}

struct PoolHttp::State : std::enable_shared_from_this<State> {
  State(net::HttpClient& c, asio::any_io_executor n, std::shared_ptr<Stop> s)
      : client(c), network(std::move(n)), stop(std::move(s)) {}
  net::HttpClient& client;
  const asio::any_io_executor network;
  const std::shared_ptr<Stop> stop;

  // network thread only
  net::HttpRequest request;
  std::unique_ptr<net::HttpBody> body;
  asio::cancellation_signal cancel;

  // handed over under `mutex`: the pool thread while no step runs, the network thread while one does
  std::mutex mutex;
  std::condition_variable finished;
  bool running = false;
  Result<> result = Error{Errc::Internal, "no step has run"};
  std::string chunk;
  std::size_t chunk_used = 0;

  enum class Step { Open, Read, Close };
  asio::awaitable<Result<>> carry_out(Step step);
  Result<> run(Step step);
  void finish(Result<> r) {
    const std::lock_guard lock(mutex);
    if (!running) return;
    running = false;
    result = std::move(r);
    finished.notify_all();
  }
};

namespace {
/// Ends a step even when its handler is destroyed unrun, because the network executor went away: nobody may wait for
/// ever.
template <class State>
class Finisher {
 public:
  explicit Finisher(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Finisher(Finisher&&) noexcept = default;
  Finisher& operator=(Finisher&&) = delete;
  ~Finisher() {
    if (state_) state_->finish(Error{Errc::Cancelled, "the network thread has ended"});
  }
  void operator()(std::exception_ptr thrown, Result<> r) {
    const std::shared_ptr<State> state = std::exchange(state_, nullptr);
    state->stop->hook = nullptr;
    state->finish(thrown ? Result<>(Error{Errc::Cancelled, "transfer cancelled"}) : std::move(r));
  }

 private:
  std::shared_ptr<State> state_;
};
}  // namespace

asio::awaitable<Result<>> PoolHttp::State::carry_out(Step step) {
  if (step == Step::Close) {
    body.reset();
    co_return ok();
  }
  if (step == Step::Open) {
    auto response = co_await net::send_following(client, std::move(request));
    if (!response) co_return std::move(response).as_failure();
    body = std::move(response.assume_value().body);
    co_return check_git_status(response.assume_value());
  }
  chunk.clear();
  chunk_used = 0;
  while (body && chunk.size() < kChunkBytes) {
    auto next = co_await body->next();
    if (!next) co_return std::move(next).as_failure();
    const auto bytes = next.assume_value();
    if (bytes.empty()) body.reset();
    chunk.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  co_return ok();
}

Result<> PoolHttp::State::run(Step step) {
  std::unique_lock lock(mutex);
  running = true;
  asio::post(network, [self = shared_from_this(), step, finisher = Finisher<State>(shared_from_this())]() mutable {
    if (self->stop->flag && step != Step::Close) return finisher(nullptr, Error{Errc::Cancelled, "transfer cancelled"});
    self->stop->hook = [weak = std::weak_ptr<State>(self)] {
      if (const auto state = weak.lock()) state->cancel.emit(asio::cancellation_type::terminal);
    };
    auto operation = self->carry_out(step);
    asio::co_spawn(self->network, std::move(operation),
                   asio::bind_cancellation_slot(self->cancel.slot(), std::move(finisher)));
  });
  finished.wait(lock, [&] { return !running; });
  return std::move(result);
}

PoolHttp::PoolHttp(net::HttpClient& client, asio::any_io_executor network, std::shared_ptr<Stop> stop)
    : state_(std::make_shared<State>(client, std::move(network), std::move(stop))) {}

PoolHttp::~PoolHttp() { (void)state_->run(State::Step::Close); }  // a body belongs to the network thread

Result<> PoolHttp::open(net::HttpRequest request) {
  state_->request = std::move(request);
  return state_->run(State::Step::Open);
}

Result<std::size_t> PoolHttp::read(std::span<char> into) {
  if (state_->chunk_used == state_->chunk.size()) {
    HM_TRY(state_->run(State::Step::Read));
  }
  const std::size_t n = std::min(into.size(), state_->chunk.size() - state_->chunk_used);
  std::memcpy(into.data(), state_->chunk.data() + state_->chunk_used, n);
  state_->chunk_used += n;
  return n;
}
}  // namespace hm::mirror
