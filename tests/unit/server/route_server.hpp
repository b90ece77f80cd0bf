// tests/unit/server/route_server.hpp: routes in a real server on 127.0.0.1, for real clients; and a client that sends
// what it is told to.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mirror/git/repository.hpp"
#include "server/http/server.hpp"
#include "server/published.hpp"

namespace hm::server::route_test {
class RouteServer final : public Handler {
 public:
  using Answer = std::function<boost::asio::awaitable<Response>(const Request&)>;
  explicit RouteServer(Answer answer) : answer_(std::move(answer)) {
    HttpOptions options;
    options.listen = {"127.0.0.1:0"};
    options.threads = 2;
    server_ = HttpServer::open(std::move(options), *this).value();
    server_->start();
  }
  ~RouteServer() override { server_->stop(0); }
  std::string url() const { return server_->addresses().front(); }
  /// Heads of all requests so far: "POST /r/git-upload-pack gzip".
  std::vector<std::string> requests() const {
    const std::lock_guard guard(mutex_);
    return requests_;
  }

  std::uint64_t body_bytes_max(const Request&) override { return 32U << 20; }
  boost::asio::awaitable<Response> answer(const Request& request) override {
    {
      const std::lock_guard guard(mutex_);
      requests_.push_back(std::string(request.is_read() ? "GET " : "POST ") + request.target + " " +
                          std::string(request.header("Content-Encoding")));
    }
    return answer_(request);
  }
  void done(const Request&, const Response&, const Sent&) override {}

 private:
  const Answer answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::unique_ptr<HttpServer> server_;
};

/// What git has is published, all of it.
inline void publish_refs(PublishedRepo& repo) {
  const auto opened = mirror::Repository::open(repo.git_path);
  if (!opened) return;
  const mirror::Repository& repository = opened.assume_value();
  repo.row.head = repository.head().value();
  const mirror::RefMap refs = repository.refs().value();
  for (const auto& [name, target] : refs)
    if (!name.starts_with("refs/hubmirror/")) repo.refs.push_back({name, target, target});
}

/// A connection that sends bytes as they are.
class RawClient {
 public:
  explicit RawClient(const std::string& url) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// Until there are so many bytes, or the end.
  std::string read(std::size_t bytes) const {
    std::string out(bytes, '\0');
    std::size_t done = 0;
    for (ssize_t n = 0; done < bytes && (n = ::recv(fd_, out.data() + done, bytes - done, 0)) > 0;)
      done += static_cast<std::size_t>(n);
    out.resize(done);
    return out;
  }
  std::string read_all() const { return read(64U << 20); }

 private:
  int fd_;
};
/// One request on a connection of its own; the whole answer as it came.
inline std::string exchange(const std::string& url, const std::string& line, const std::string& fields = "",
                            const std::string& body = "") {
  const RawClient client(url);
  client.send(line + " HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n" + fields +
              (body.empty() && line.starts_with("GET") ? std::string()
                                                       : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
              "\r\n" + body);
  return client.read_all();
}
}  // namespace hm::server::route_test
