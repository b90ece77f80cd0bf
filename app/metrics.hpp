// app/metrics.hpp: figures of the process, as Prometheus reads them. Layer 6. docs/operations.md "The daemon" lists
// them. Threads: safe. A figure is found once and kept by reference; counting is one atomic addition.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hm::app {
class Metrics {
 public:
  /// Only grows.
  class Counter {
   public:
    void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
    /// Of a count that somebody else keeps.
    void set(std::uint64_t count) { value_.store(count, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> value_{0};
  };
  class Gauge {
   public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<double> value_{0};
  };
  using Labels = std::vector<std::pair<std::string, std::string>>;

  /// The one of this name and these labels; made when it is asked for first. @param name "hubmirror_…_total"
  /// @param help one sentence, of the name
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  /// "hubmirror_…_bytes", "…_seconds"
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  /// Called before the figures are read, for those that are looked up then.
  void before_reading(std::function<void()> refresh);
  /// text/plain; version=0.0.4
  std::string text() const;

 private:
  template <class T>
  struct Family {
    std::string help;
    std::map<std::string, std::unique_ptr<T>> members;  ///< by labels, as written
  };
  template <class T>
  using Families = std::map<std::string, Family<T>, std::less<>>;
  template <class T>
  T& member(Families<T>& families, std::string_view name, std::string_view help, const Labels& labels);

  mutable std::mutex mutex_;
  Families<Counter> counters_;
  Families<Gauge> gauges_;
  std::vector<std::function<void()>> refresh_;
};
}  // namespace hm::app
