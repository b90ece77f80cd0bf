#include "app/serving.hpp"

namespace hm::app {
namespace {
/// The server is not part of the program yet.
class NothingServed : public Serving {
 public:
  Result<> start() override { return ok(); }
  Result<> reload(const config::Config&) override { return ok(); }
  void drain(std::int64_t) override {}
};
}  // namespace

Result<std::unique_ptr<Serving>> make_serving(const ServingParts&) {
  return std::unique_ptr<Serving>(std::make_unique<NothingServed>());
}
}  // namespace hm::app
