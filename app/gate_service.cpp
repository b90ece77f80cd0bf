#include "app/gate_service.hpp"

#include "app/services.hpp"

namespace hm::app {
Result<std::unique_ptr<GateService>> GateService::open(const config::Config& config) {
  HM_TRY(auto plan, NetworkServices::plan(config));
  std::unique_ptr<GateService> service(new GateService);
  HM_TRY(service->check_, UpstreamGateCheck::open(service->executor(), std::move(plan.upstream), std::move(plan.curl)));
  service->thread_ = std::thread([context = &service->context_] { context->run(); });
  return service;
}

GateService::~GateService() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}
}  // namespace hm::app
