// How fast a body comes through the HTTP client when its reader only counts it.
// Usage: hm_http_client_bench URL [parallel [repeats [http1|any]]]; prints one line per repeat.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "net/curl_http_client.hpp"

namespace {
struct Tally {
  std::uint64_t bytes = 0;
  std::uint64_t pulls = 0;
  std::string error;
};

hm::net::awaitable<void> download(hm::net::HttpClient& client, std::string url, hm::net::Protocol protocol,
                                  Tally& tally) {
  hm::net::HttpRequest request(std::move(url));
  request.protocol = protocol;
  request.body_bytes_max = UINT64_MAX;
  auto response = co_await client.send(std::move(request));
  if (!response) {
    tally.error = response.assume_error().what;
    co_return;
  }
  if (response.assume_value().status != 200) tally.error = "status " + std::to_string(response.assume_value().status);
  for (;;) {
    const auto chunk = co_await response.assume_value().body->next();
    if (!chunk) {
      tally.error = chunk.assume_error().what;
      co_return;
    }
    if (chunk.assume_value().empty()) co_return;
    tally.bytes += chunk.assume_value().size();
    ++tally.pulls;
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: hm_http_client_bench URL [parallel [repeats [http1|any]]]\n");
    return 2;
  }
  const int parallel = argc > 2 ? std::atoi(argv[2]) : 1;
  const int repeats = argc > 3 ? std::atoi(argv[3]) : 3;
  const bool any = argc > 4 && std::string(argv[4]) == "any";
  boost::asio::io_context context(1);
  hm::net::CurlOptions options;
  options.upstream_url = argv[1];
  auto client = hm::net::make_curl_http_client(context.get_executor(), options);
  if (!client) {
    std::fprintf(stderr, "%s\n", client.assume_error().what.c_str());
    return 2;
  }
  for (int i = 0; i < repeats; ++i) {
    Tally tally;
    const auto start = std::chrono::steady_clock::now();
    for (int p = 0; p < parallel; ++p) {
      boost::asio::co_spawn(
          context,
          download(*client.assume_value(), argv[1], any ? hm::net::Protocol::Any : hm::net::Protocol::Http1, tally),
          [](std::exception_ptr) {});
    }
    context.restart();
    context.run();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (!tally.error.empty()) {
      std::fprintf(stderr, "%s\n", tally.error.c_str());
      return 1;
    }
    std::printf("%.3f s  %.2f GB/s  %llu bytes  %llu pulls\n", elapsed.count(),
                static_cast<double>(tally.bytes) / elapsed.count() / 1e9, static_cast<unsigned long long>(tally.bytes),
                static_cast<unsigned long long>(tally.pulls));
  }
  return 0;
}
