#include "app/serving.hpp"

#include <string>
#include <utility>

#include "app/gate_check.hpp"
#include "app/http_service.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "crawler/on_demand.hpp"

namespace hm::app {
namespace {
class HttpServing : public Serving {
 public:
  HttpServing(config::Serve settings, ServingParts parts, std::unique_ptr<UpstreamGateCheck> gate)
      : settings_(std::move(settings)),
        parts_(std::move(parts)),
        gate_(std::move(gate)),
        on_demand_({parts_.network.pipeline, parts_.network.downloader, *parts_.store.blobs,
                    parts_.network.context->get_executor(), system_clock(), parts_.enter}) {}

  Result<> start() override {
    HttpService::Parts parts{*parts_.store.index,
                             *parts_.store.blobs,
                             parts_.store.catalog,
                             gate_.get(),
                             parts_.network.context->get_executor(),
                             &on_demand_,
                             {parts_.metrics_text, parts_.status_text, parts_.ready}};
    HM_TRY(service_, HttpService::open(settings_, std::move(parts)));
    service_->start();
    for (const std::string& address : service_->addresses())
      log(LogLevel::Info, "serving", {{"at", printable(address)}});
    return ok();
  }
  Result<> reload(const config::Config& config) override { return service_->reload(config.serve); }
  void drain(std::int64_t deadline_ms) override {
    stop_service(deadline_ms);
    on_demand_.stop();
  }

 private:
  void stop_service(std::int64_t deadline_ms) {
    if (!service_) return;
    if (const std::size_t cut_off = service_->stop(deadline_ms); cut_off != 0)
      log(LogLevel::Warning, "connections were cut off at the end of the drain", {{"count", std::to_string(cut_off)}});
  }

  const config::Serve settings_;
  const ServingParts parts_;
  std::unique_ptr<UpstreamGateCheck> gate_;
  crawler::OnDemand on_demand_;  ///< does nothing until it is asked, which the rules of the service decide
  std::unique_ptr<HttpService> service_;
};
}  // namespace

Result<std::unique_ptr<Serving>> make_serving(const ServingParts& parts) {
  HM_TRY(auto plan, NetworkServices::plan(parts.config));
  HM_TRY(auto gate, UpstreamGateCheck::open(parts.network.context->get_executor(), std::move(plan.upstream),
                                            std::move(plan.curl)));
  return std::unique_ptr<Serving>(std::make_unique<HttpServing>(parts.config.serve, parts, std::move(gate)));
}
}  // namespace hm::app
