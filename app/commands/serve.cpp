// hubmirror serve: answers the Hub's clients from what is here, beside whatever else works on the data directory.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/gate_service.hpp"
#include "app/http_service.hpp"
#include "app/services.hpp"
#include "app/settings.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
/// What the main thread of a server waits for.
class Wishes {
 public:
  void reload() {
    const std::lock_guard lock(mutex_);
    reload_ = true;
    changed_.notify_all();
  }
  /// @returns false when it is time to end
  bool wait_for_reload(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [this] { return reload_; });
    return std::exchange(reload_, false) && !stop.stop_requested();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool reload_ = false;
};

config::Serve serve_settings(const config::Config& config, const ServeCommand& command) {
  config::Serve out = config.serve;
  if (!command.listen.empty()) out.listen = command.listen;
  return out;
}

/// A server only reads.
Result<> check_on_demand(const config::Serve& settings) {
  if (settings.on_demand == "off") return ok();
  return Error{Errc::BadInput,
               "serve.on_demand needs a process that may write: hubmirror daemon; hubmirror serve only reads"};
}

Result<> take_up(const Context& context, const ServeCommand& command, HttpService& service) {
  HM_TRY(const Settings settings, load_settings(context.options));
  HM_TRY(check_change({context.config, context.config_file, context.data_dir}, settings, "server"));
  HM_TRY(check_on_demand(settings.config.serve));
  HM_TRY(service.reload(serve_settings(settings.config, command)));
  start_log(settings.config.log);
  return ok();
}

/// As `hubmirror daemon` does it: what is wrong changes nothing.
void reload(const Context& context, const ServeCommand& command, HttpService& service) {
  const auto taken = take_up(context, command, service);
  if (taken)
    log(LogLevel::Info, "the configuration was read again");
  else
    log(LogLevel::Error, "the configuration is not right; the one before stays in force",
        {{"why", taken.error().what}});
}
}  // namespace

Result<Exit> run_command(Context& context, const ServeCommand& command) {
  const config::Serve settings = serve_settings(context.config, command);
  HM_TRY(check_on_demand(settings));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto gate, GateService::open(context.config));
  HM_TRY(const auto service,
         HttpService::open(
             settings,
             {*services->index, *services->blobs, services->catalog, &gate->check(), gate->executor(), nullptr, {}}));
  Wishes wishes;
  context.interrupt.on_hangup([&wishes] { wishes.reload(); });
  const std::stop_token stop = context.interrupt.take_over();
  service->start();
  if (!context.options.quiet)
    for (const std::string& address : service->addresses())
      context.io.err << "hubmirror: serving at " << printable(address) << "\n" << std::flush;
  while (wishes.wait_for_reload(stop)) reload(context, command, *service);
  context.interrupt.on_hangup({});
  const std::size_t cut_off = service->stop(settings.drain_timeout_ms);
  if (cut_off != 0 && !context.options.quiet)
    context.io.err << "hubmirror: " << cut_off << " connections were cut off at the end of the drain\n";
  return Exit::Done;
}
}  // namespace hm::app
