// A Hub with millions of repositories as a program, on 127.0.0.1 only. Prints "listening on http://127.0.0.1:PORT".
// Beside what the Hub answers: GET /-/stats, POST /-/mutate?n=100&seed=1, GET /-/truth?kind=model;
// with --planted GET /-/planted (JSON) and /-/origins (CSV). One thread.
#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>

#include "base/text.hpp"
#include "tests/hub_at_scale/plant.hpp"
#include "tests/hub_at_scale/world.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using hm::test::scale::Answer;
using hm::test::scale::World;
namespace scale = hm::test::scale;

namespace {
struct Options {
  scale::Scale scale = scale::full(1, hm::system_clock().unix_ms());
  scale::HubTraits traits;
  std::uint16_t port = 0;
  std::uint64_t quota_api = 0;
  std::uint64_t quota_resolvers = 0;
  std::uint64_t quota_pages = 0;
  std::uint64_t churn = 0;
  std::uint64_t churn_seed = 1;
  std::string mutations;
};

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMutationsMax = 1'000'000;  // of one POST /-/mutate
using Stream = beast::tcp_stream;
using HttpRequest = http::request<http::string_body>;

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options), world_(options.scale, hm::system_clock(), options.traits) {
    world_.set_quota(scale::RateBucket::Api, options.quota_api);
    world_.set_quota(scale::RateBucket::Resolvers, options.quota_resolvers);
    world_.set_quota(scale::RateBucket::Pages, options.quota_pages);
    if (!options.mutations.empty()) log_.open(options.mutations, std::ios::app);
  }
  bool log_is_good() const { return options_.mutations.empty() || log_.good(); }

  asio::awaitable<void> serve(asio::ip::tcp::acceptor& acceptor) {
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(kTuple);
      if (error) co_return;
      socket.set_option(asio::ip::tcp::no_delay(true));
      asio::co_spawn(acceptor.get_executor(), session(Stream(std::move(socket))), asio::detached);
    }
  }

 private:
  asio::awaitable<void> session(Stream stream) {
    beast::flat_buffer buffer;
    for (;;) {
      HttpRequest request;
      const auto [read_error, read] = co_await http::async_read(stream, buffer, request, kTuple);
      if (read_error) co_return;
      const std::string target(request.target());
      if (target.starts_with("/-/truth")) {
        if (!co_await send_truth(stream, request, scale::parse_query(target))) co_return;
        continue;
      }
      auto response = response_of(request, answer_to(request, target));
      const auto [write_error, written] = co_await http::async_write(stream, response, kTuple);
      if (write_error || response.need_eof()) co_return;
    }
  }

  Answer answer_to(const HttpRequest& request, const std::string& target) {
    if (target == "/-/stats") return stats();
    if (options_.scale.planted && target == "/-/planted")
      return json(scale::render_json(scale::planted(options_.scale)));
    if (options_.scale.planted && target == "/-/origins") return csv(scale::planted_origins());
    if (target.starts_with("/-/mutate")) return mutate(request, scale::parse_query(target));
    scale::Request asked;
    asked.method = std::string(request.method_string());
    asked.target = target;
    asked.authorization = std::string(request[http::field::authorization]);
    asked.origin = "http://" + std::string(request[http::field::host]);
    Answer answer = world_.handle(asked);
    const std::string_view path = std::string_view(target).substr(0, target.find('?'));
    if (answer.status == 200 && (path == "/api/models" || path == "/api/datasets" || path == "/api/spaces")) churn();
    return answer;
  }

  static http::response<http::string_body> response_of(const HttpRequest& request, Answer answer) {
    http::response<http::string_body> response(static_cast<http::status>(answer.status), request.version());
    for (const auto& [name, value] : answer.headers) response.insert(name, value);
    response.keep_alive(request.keep_alive());
    response.body() = std::move(answer.body);
    response.prepare_payload();
    return response;
  }

  static Answer typed(const char* type, std::string body) {
    Answer answer;
    answer.headers.emplace_back("Content-Type", std::string(type) + "; charset=utf-8");
    answer.body = std::move(body);
    return answer;
  }
  static Answer json(std::string body) { return typed("application/json", std::move(body)); }
  static Answer csv(std::string body) { return typed("text/csv", std::move(body)); }

  Answer stats() const {
    const scale::Stats stats = world_.stats();
    std::string out = "{\"calls\":{";
    for (std::size_t i = 0; i < scale::kRoutes; ++i)
      out += (i ? ",\"" : "\"") + std::string(scale::name_of(static_cast<scale::Route>(i))) +
             "\":" + std::to_string(stats.calls[i]);
    const auto by_kind = [&](const char* name, auto&& number) {
      out += std::string("},\"") + name + "\":{";
      for (std::size_t k = 0; k < scale::kKinds; ++k)
        out += (k ? ",\"" : "\"") + std::string(hm::api_segment(scale::kind_at(k))) + "\":" + std::to_string(number(k));
    };
    by_kind("lists", [&](std::size_t k) { return stats.lists[k]; });
    by_kind("counts", [&](std::size_t k) { return world_.count(scale::kind_at(k)); });
    out += "},\"max_used\":{";
    for (std::size_t i = 0; i < scale::kRateBuckets; ++i)
      out += (i ? ",\"" : "\"") + std::string(scale::name_of(static_cast<scale::RateBucket>(i))) +
             "\":" + std::to_string(stats.max_used[i]);
    return json(out + "},\"rate_limited\":" + std::to_string(stats.rate_limited) + "}");
  }

  Answer mutate(const HttpRequest& request, const scale::Query& query) {
    const auto n = hm::parse_u64(query.get("n").value_or("1"));
    const auto seed = hm::parse_u64(query.get("seed").value_or("1"));
    Answer refused = json("{\"error\":\"POST /-/mutate?n=1..1000000&seed=N\"}");
    refused.status = 400;
    if (request.method() != http::verb::post || !n || *n > kMutationsMax || !seed) return refused;
    std::string out = "[";
    for (const scale::Mutation& mutation : logged(world_.mutate_randomly(*seed, static_cast<std::size_t>(*n))))
      out += (out.size() > 1 ? ",\n" : "") + scale::render_json(mutation);
    return json(out + "]");
  }

  std::vector<scale::Mutation> logged(std::vector<scale::Mutation> mutations) {
    if (log_.is_open()) {
      for (const scale::Mutation& mutation : mutations) log_ << scale::render_json(mutation) << '\n';
      log_.flush();
    }
    return mutations;
  }

  /// The changes that belong to one more page.
  void churn() {
    owed_ += options_.churn;
    const std::uint64_t n = owed_ / 1000;
    owed_ %= 1000;
    if (n > 0) logged(world_.mutate_randomly(options_.churn_seed + churned_++, static_cast<std::size_t>(n)));
  }

  /// Line by line in chunks; what is changed meanwhile may be in it or not.
  asio::awaitable<bool> send_truth(Stream& stream, const HttpRequest& request, const scale::Query& query) {
    constexpr std::uint32_t kReposAtOnce = 20'000;
    const auto kind = hm::parse_repo_kind(query.get("kind").value_or("model"));
    http::response<http::empty_body> head(kind ? http::status::ok : http::status::bad_request, request.version());
    head.set(http::field::content_type, "application/x-ndjson");
    head.keep_alive(request.keep_alive());
    head.chunked(true);
    http::response_serializer<http::empty_body> serializer(head);
    const auto [head_error, head_size] = co_await http::async_write_header(stream, serializer, kTuple);
    if (head_error) co_return false;
    std::optional<std::uint32_t> from;
    if (kind) from = 0;
    while (from) {
      std::string lines;
      from = world_.visit(*kind, *from, kReposAtOnce, [&](const scale::Truth& truth) {
        lines += scale::render_json(truth);
        lines += '\n';
      });
      if (lines.empty()) continue;
      const auto chunk = http::make_chunk(asio::buffer(lines));
      const auto [error, size] = co_await asio::async_write(stream, chunk, kTuple);
      if (error) co_return false;
    }
    const auto last = http::make_chunk_last();
    const auto [error, size] = co_await asio::async_write(stream, last, kTuple);
    co_return !error && request.keep_alive();
  }

  const Options& options_;
  World world_;
  std::ofstream log_;
  std::uint64_t owed_ = 0;     // thousandths of a change
  std::uint64_t churned_ = 0;  // times
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--models", options.scale.models)->capture_default_str();
  app.add_option("--datasets", options.scale.datasets)->capture_default_str();
  app.add_option("--spaces", options.scale.spaces)->capture_default_str();
  app.add_option("--seed", options.scale.seed)->capture_default_str();
  app.add_option("--now-ms", options.scale.now_ms, "when the world ends and changes begin; default: now");
  app.add_flag("--planted", options.scale.planted, "with the figures of plant.hpp");
  app.add_option("--family", options.scale.family, "descendants of the largest planted family; 0: the report's share");
  app.add_option("--depth", options.scale.depth, "generations of the planted families")->capture_default_str();
  app.add_flag("--planted-licences", options.scale.planted_licences, "with the lineages of plant_licences.hpp");
  app.add_option("--port", options.port, "0: any")->capture_default_str();
  app.add_option("--quota-api", options.quota_api, "requests in 300 s; 0: no limit")->capture_default_str();
  app.add_option("--quota-resolvers", options.quota_resolvers)->capture_default_str();
  app.add_option("--quota-pages", options.quota_pages)->capture_default_str();
  app.add_option("--page-cap", options.traits.page_cap)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--refuse-expand", options.traits.refused_expand, "values of expand that are answered with 400");
  app.add_flag("!--no-cursors", options.traits.cursors, "no Link header, ever");
  app.add_flag("--only-created-at", options.traits.only_created_at, "any other sort is 400");
  app.add_flag("--refuse-direction", options.traits.direction_refused, "direction is 400");
  app.add_flag("--no-rid", options.traits.no_rid, "no _id in answers");
  app.add_option("--churn", options.churn, "changes in 1000 list calls")->capture_default_str();
  app.add_option("--churn-seed", options.churn_seed)->capture_default_str();
  app.add_option("--mutations", options.mutations, "file to which each change is appended as a line of JSON");
}
}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("A Hub with millions of repositories, for tests and benchmarks. Listens on 127.0.0.1 only.");
  declare(app, options);
  CLI11_PARSE(app, argc, argv);
  if (const auto wrong = options.scale.planted ? scale::why_not_planted(options.scale) : std::nullopt) {
    std::cerr << *wrong << '\n';
    return 1;
  }
  asio::io_context context(1);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
  Program program(options);
  if (!program.log_is_good()) {
    std::cerr << "cannot write to " << options.mutations << '\n';
    return 1;
  }
  const asio::ip::tcp::endpoint loopback(asio::ip::address_v4::loopback(), options.port);
  asio::ip::tcp::acceptor acceptor(context, loopback);
  std::cout << "listening on http://127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
  asio::co_spawn(context, program.serve(acceptor), asio::detached);
  context.run();
  return 0;
}
