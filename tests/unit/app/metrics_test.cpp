// Figures as Prometheus reads them.
#include "app/metrics.hpp"

#include <gtest/gtest.h>

namespace hm::app {
namespace {
TEST(Metrics, AreWrittenByNameAndLabels) {
  Metrics metrics;
  metrics.counter("hm_b_total", "Second.", {{"kind", "x\"y\\z\n"}}).add(2);
  metrics.counter("hm_b_total", "Second.", {{"kind", "a"}, {"to", "b"}}).add();
  metrics.gauge("hm_a_bytes", "First.").set(1.5);
  metrics.counter("hm_b_total", "Second.", {{"kind", "a"}, {"to", "b"}}).add();
  EXPECT_EQ(metrics.text(),
            "# HELP hm_b_total Second.\n# TYPE hm_b_total counter\n"
            "hm_b_total{kind=\"a\",to=\"b\"} 2\nhm_b_total{kind=\"x\\\"y\\\\z\\n\"} 2\n"
            "# HELP hm_a_bytes First.\n# TYPE hm_a_bytes gauge\nhm_a_bytes 1.5\n");
}

TEST(Metrics, AreLookedUpWhenTheyAreRead) {
  Metrics metrics;
  int reads = 0;
  metrics.before_reading([&] { metrics.gauge("hm_reads", "How often.").set(++reads); });
  EXPECT_NE(metrics.text().find("hm_reads 1\n"), std::string::npos);
  EXPECT_NE(metrics.text().find("hm_reads 2\n"), std::string::npos);
}
}  // namespace
}  // namespace hm::app
