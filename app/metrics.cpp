#include "app/metrics.hpp"

#include <array>
#include <charconv>

namespace hm::app {
namespace {
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + "\"";
}
std::string written(const Metrics::Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) out += (out.empty() ? "{" : ",") + name + "=" + quoted(value);
  return out.empty() ? out : out + "}";
}
std::string written(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}
std::string written(const Metrics::Counter& counter) { return std::to_string(counter.value()); }
std::string written(const Metrics::Gauge& gauge) { return written(gauge.value()); }

template <class Families>
void write(std::string& out, const Families& families, std::string_view type) {
  for (const auto& [name, family] : families) {
    out.append("# HELP ").append(name).append(" ").append(family.help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
    for (const auto& [labels, figure] : family.members)
      out.append(name).append(labels).append(" ").append(written(*figure)).append("\n");
  }
}
}  // namespace

template <class T>
T& Metrics::member(Families<T>& families, std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto family = families.find(name);
  if (family == families.end()) family = families.emplace(std::string(name), Family<T>{std::string(help), {}}).first;
  auto& place = family->second.members[written(labels)];
  if (!place) place = std::make_unique<T>();
  return *place;
}

Metrics::Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return member(counters_, name, help, labels);
}
Metrics::Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return member(gauges_, name, help, labels);
}

void Metrics::before_reading(std::function<void()> refresh) {
  const std::lock_guard lock(mutex_);
  refresh_.push_back(std::move(refresh));
}

std::string Metrics::text() const {
  std::vector<std::function<void()>> refresh;
  {
    const std::lock_guard lock(mutex_);
    refresh = refresh_;
  }
  for (const auto& look : refresh) look();
  std::string out;
  const std::lock_guard lock(mutex_);
  write(out, counters_, "counter");
  write(out, gauges_, "gauge");
  return out;
}
}  // namespace hm::app
