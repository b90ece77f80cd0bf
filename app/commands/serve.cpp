// hubmirror serve: answers the Hub's clients from what is here, beside whatever else works on the data directory.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <ostream>
#include <thread>

#include "app/commands/commands.hpp"
#include "app/gate_check.hpp"
#include "app/http_service.hpp"
#include "app/services.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
/// The thread that asks the upstream whether it lets a caller through a gate.
class Asking {
 public:
  static Result<std::unique_ptr<Asking>> open(const config::Config& config) {
    HM_TRY(auto plan, NetworkServices::plan(config));
    auto asking = std::make_unique<Asking>();
    HM_TRY(asking->gate_, UpstreamGateCheck::open(asking->context_.get_executor(), std::move(plan.upstream),
                                                  std::move(plan.curl)));
    asking->thread_ = std::jthread([a = asking.get()] { a->context_.run(); });
    return asking;
  }
  ~Asking() {
    work_.reset();
    context_.stop();
  }
  server::GateCheck* gate() { return gate_.get(); }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::unique_ptr<UpstreamGateCheck> gate_;
  std::jthread thread_;
};

void wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait(lock, stop, [] { return false; });
}
}  // namespace

Result<Exit> run_command(Context& context, const ServeCommand& command) {
  config::Serve settings = context.config.serve;
  if (!command.listen.empty()) settings.listen = command.listen;
  if (settings.on_demand != "off")
    return Error{Errc::BadInput,
                 "serve.on_demand needs a process that may write: hubmirror daemon; hubmirror serve only reads"};
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  std::unique_ptr<Asking> asking;
  if (settings.gated == "check") {
    HM_TRY(asking, Asking::open(context.config));
  }
  HttpService::Parts parts{*services->index, *services->blobs, services->catalog, nullptr, {}, {}};
  if (asking) {
    parts.gate = asking->gate();
    parts.asks_on = asking->executor();
  }
  HM_TRY(const auto service, HttpService::open(settings, std::move(parts)));
  const std::stop_token stop = context.interrupt.take_over();
  service->start();
  if (!context.options.quiet)
    for (const std::string& address : service->addresses())
      context.io.err << "hubmirror: serving at " << printable(address) << "\n" << std::flush;
  wait_for_stop(stop);
  const std::size_t cut_off = service->stop(settings.drain_timeout_ms);
  if (cut_off != 0 && !context.options.quiet)
    context.io.err << "hubmirror: " << cut_off << " connections were cut off at the end of the drain\n";
  return Exit::Done;
}
}  // namespace hm::app
