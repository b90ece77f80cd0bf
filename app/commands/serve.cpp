// hubmirror serve: answers the Hub's clients from what is here, beside whatever else works on the data directory.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/gate_service.hpp"
#include "app/http_service.hpp"
#include "app/services.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kLookEveryMs = 1'000;  // how late a new revision of another process may be seen
constexpr std::int64_t kLooksShare = 20;      // but looking takes no more than such a part of a core

/// Follows a running writer until `stop`.
void follow(storage::Index& index, HttpService& service, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::int64_t pause_ms = kLookEveryMs;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex);
      wake.wait_for(lock, stop, std::chrono::milliseconds(pause_ms), [] { return false; });
    }
    if (stop.stop_requested()) return;
    const std::int64_t began_ms = system_clock().monotonic_ms();
    auto seen = index.refresh();
    if (seen) seen = service.reload_tokens();
    if (!seen) log(LogLevel::Warning, "the index could not be read again", {{"why", seen.error().what}});
    pause_ms = std::max(kLookEveryMs, (system_clock().monotonic_ms() - began_ms) * kLooksShare);
  }
}
}  // namespace

Result<Exit> run_command(Context& context, const ServeCommand& command) {
  config::Serve settings = context.config.serve;
  if (!command.listen.empty()) settings.listen = command.listen;
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HttpService::Parts parts{*services->index, *services->blobs, services->catalog, nullptr, {}, {}};
  std::unique_ptr<GateService> gate;
  if (settings.gated == "check") {
    HM_TRY(gate, GateService::open(context.config));
    parts.gate = &gate->check();
    parts.asks_on = gate->executor();
  }
  HM_TRY(const auto service, HttpService::open(settings, std::move(parts)));
  const std::stop_token stop = context.interrupt.take_over();
  service->start();
  if (!context.options.quiet)
    for (const std::string& address : service->addresses())
      context.io.err << "hubmirror: serving at " << printable(address) << "\n" << std::flush;
  follow(*services->index, *service, stop);
  const std::size_t cut_off = service->stop(settings.drain_timeout_ms);
  if (cut_off != 0 && !context.options.quiet)
    context.io.err << "hubmirror: " << cut_off << " connections were cut off at the end of the drain\n";
  return Exit::Done;
}
}  // namespace hm::app
