#include "tests/support/http_test_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "base/check.hpp"

namespace hm::test {
namespace {
template <auto Free>
struct Freed {
  void operator()(auto* p) const noexcept { Free(p); }
};

int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  HM_CHECK(fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  HM_CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

std::string pem_of(const auto& write) {
  std::unique_ptr<BIO, Freed<BIO_free_all>> bio(BIO_new(BIO_s_mem()));
  HM_CHECK(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}
}  // namespace

TlsIdentity::TlsIdentity() {
  std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 86400);
  X509_set_pubkey(x, key.get());
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test server"), -1, -1,
                             0);
  X509_set_issuer_name(x, name);
  for (const auto& [nid, value] : {std::pair(NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"),
                                   std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
    std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
    HM_CHECK(extension && X509_add_ext(x, extension.get(), -1) == 1);
  }
  HM_CHECK(X509_sign(x, key.get(), EVP_sha256()) > 0);
  certificate_pem = pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, x); });
  key_pem =
      pem_of([&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string ServerRequest::header(std::string_view lowercase_name) const {
  const auto found =
      std::find_if(headers.begin(), headers.end(), [&](const auto& field) { return field.first == lowercase_name; });
  return found == headers.end() ? std::string() : found->second;
}

bool ServerConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n =
        tls_ != nullptr
            ? static_cast<ssize_t>(SSL_write(static_cast<SSL*>(tls_), bytes.data(), static_cast<int>(bytes.size())))
            : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t ServerConnection::write_until_blocked(std::string_view bytes, int quiet_ms) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto n = ::send(fd_, bytes.data() + written, bytes.size() - written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
      continue;
    }
    pollfd waited{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&waited, 1, quiet_ms) <= 0) break;
  }
  return written;
}

bool ServerConnection::read_some(std::string& into) {
  char buffer[16384];
  const auto n = tls_ != nullptr ? static_cast<ssize_t>(SSL_read(static_cast<SSL*>(tls_), buffer, sizeof buffer))
                                 : ::recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  into.append(buffer, static_cast<std::size_t>(n));
  return true;
}

bool ServerConnection::closed_within(int ms) {
  pollfd waited{fd_, POLLIN, 0};
  return ::poll(&waited, 1, ms) > 0 && wait_closed();
}

bool ServerConnection::wait_closed() { return !read_some(unread_); }

void ServerConnection::end_of_stream() {
  ended_ = true;
  ::shutdown(fd_, SHUT_WR);
}

void ServerConnection::reset() {
  ended_ = true;
  const linger at_once{1, 0};  // close() then sends RST
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool ServerConnection::read_request(ServerRequest& into) {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_some(unread_)) return false;
  }
  const std::string head = unread_.substr(0, end + 2);
  unread_.erase(0, end + 4);
  const std::size_t first_end = head.find("\r\n");
  const std::string first = head.substr(0, first_end);
  into.method = first.substr(0, first.find(' '));
  into.target = first.substr(into.method.size() + 1, first.rfind(' ') - into.method.size() - 1);
  for (std::size_t at = first_end + 2; at < head.size();) {
    const std::size_t line_end = head.find("\r\n", at);
    const std::string line = head.substr(at, line_end - at);
    const std::size_t colon = line.find(':');
    const std::size_t value = colon == std::string::npos ? std::string::npos : line.find_first_not_of(' ', colon + 1);
    into.headers.emplace_back(lower(line.substr(0, colon)), value == std::string::npos ? "" : line.substr(value));
    at = line_end + 2;
  }
  const std::size_t length = std::strtoul(into.header("content-length").c_str(), nullptr, 10);
  while (unread_.size() < length) {
    if (!read_some(unread_)) return false;
  }
  into.body = unread_.substr(0, length);
  unread_.erase(0, length);
  return true;
}

HttpTestServer::HttpTestServer(Handler handler, const TlsIdentity* identity) : handler_(std::move(handler)) {
  if (identity != nullptr) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    std::unique_ptr<BIO, Freed<BIO_free_all>> certificate_bio(BIO_new_mem_buf(identity->certificate_pem.data(), -1));
    std::unique_ptr<BIO, Freed<BIO_free_all>> key_bio(BIO_new_mem_buf(identity->key_pem.data(), -1));
    std::unique_ptr<X509, Freed<X509_free>> certificate(
        PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(
        PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    HM_CHECK(SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
             SSL_CTX_use_PrivateKey(context, key.get()) == 1);
    tls_context_ = context;
  }
  listener_ = listen_on_loopback(port_);
  HM_CHECK(::listen(listener_, 256) == 0);
  acceptor_ = std::thread([this] { accept_loop(); });
}

HttpTestServer::~HttpTestServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_context_));
}

void HttpTestServer::accept_loop() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void HttpTestServer::serve(int fd) {
  std::unique_ptr<SSL, Freed<SSL_free>> tls;
  bool usable = true;
  if (tls_context_ != nullptr) {
    tls.reset(SSL_new(static_cast<SSL_CTX*>(tls_context_)));
    SSL_set_fd(tls.get(), fd);
    usable = SSL_accept(tls.get()) == 1;
  }
  ServerConnection connection(fd, tls.get());
  while (usable && !stopping_ && !connection.ended_) {
    ServerRequest request;
    if (!connection.read_request(request)) break;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    handler_(request, connection);
  }
  tls.reset();
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

std::string HttpTestServer::url(std::string_view path, std::string_view host) const {
  return std::string(tls_context_ != nullptr ? "https://" : "http://") + std::string(host) + ":" +
         std::to_string(port_) + std::string(path);
}

std::vector<ServerRequest> HttpTestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string http_answer(int status, std::string_view body, std::string_view header_lines) {
  return "HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(header_lines) + "\r\n" + std::string(body);
}

std::uint16_t closed_port() {
  std::uint16_t port = 0;
  ::close(listen_on_loopback(port));
  return port;
}
}  // namespace hm::test
