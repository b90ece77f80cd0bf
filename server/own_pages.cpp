#include "server/own_pages.hpp"

#include "base/run_on.hpp"

namespace hm::server {
void ServerCounters::count(const Response& response, const Sent& sent) {
  const auto kind = static_cast<std::size_t>(response.status / 100);
  if (kind < by_class.size()) ++by_class[kind];
  body_bytes += sent.body_bytes;
  if (response.fetched) ++fetched;
  if (!sent.whole) ++cut_short;
}

awaitable<Response> MirrorPages::answer(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  if (path == "health") co_return text_response(200, "ok\n");
  auto call = [this, &path] { return make(path); };
  co_return co_await run_on(pool_, std::move(call));
}

Response MirrorPages::make(std::string_view path) const {
  if (path == "ready") {
    const bool ready = !texts_.ready || texts_.ready();
    return ready ? text_response(200, "ready\n") : text_response(503, "not ready\n");
  }
  if (path == "metrics") {
    Response out;
    out.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    out.body = metrics() + (texts_.metrics ? texts_.metrics() : std::string());
    return out;
  }
  if (path == "status" && texts_.status) return json_response(texts_.status());
  if (path == "status") return hub_error(404, "", "This process only serves; a daemon has a status");
  return hub_error(404, "", "There is health, ready, metrics and, of a daemon, status");
}

std::string MirrorPages::metrics() const {
  std::string out;
  auto one = [&](const char* name, const char* type, const char* help, std::uint64_t value, const char* labels = "") {
    const std::string full = std::string("hubmirror_http_") + name;
    if (*help != '\0') out += "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n";
    out += full + labels + " " + std::to_string(value) + "\n";
  };
  const HttpCounts http = http_ ? http_() : HttpCounts();
  one("connections", "gauge", "Connections now.", http.open);
  one("connections_accepted_total", "counter", "Connections taken.", http.accepted);
  one("connections_refused_total", "counter", "Connections refused by a limit.", http.refused);
  one("requests_total", "counter", "Requests read whole.", http.requests);
  one("bad_requests_total", "counter", "Requests that could not be read.", http.bad_requests);
  one("timeouts_total", "counter", "Connections ended because the other end was too slow.", http.timeouts);
  one("answers_total", "counter", "Answers by class of status.", counters_.by_class[2], "{class=\"2xx\"}");
  one("answers_total", "", "", counters_.by_class[3], "{class=\"3xx\"}");
  one("answers_total", "", "", counters_.by_class[4], "{class=\"4xx\"}");
  one("answers_total", "", "", counters_.by_class[5], "{class=\"5xx\"}");
  one("body_bytes_total", "counter", "Bytes of bodies sent.", counters_.body_bytes);
  one("fetched_total", "counter", "Answers for which the upstream was asked.", counters_.fetched);
  one("cut_short_total", "counter", "Answers that did not arrive whole.", counters_.cut_short);
  one("memory_cache_bytes", "gauge", "Memory in caches of what is served.", memory_ ? memory_() : 0);
  return out;
}
}  // namespace hm::server
