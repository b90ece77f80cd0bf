#include "net/curl_http_client.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "net/address_policy.hpp"
#include "net/curl_core.hpp"
#include "net/curl_transfer.hpp"
#include "net/proxy.hpp"
#include "net/url.hpp"

namespace hm::net {
namespace asio = boost::asio;
namespace {
// Set by libcurl from the request itself; a second one could make two servers see two different requests.
constexpr std::string_view kOwnedHeaders[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
                                              "TE",   "Trailer"};

bool is_token_text(std::string_view text) {  // RFC 9110 token: methods and field names
  const auto is_token_byte = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_byte);
}
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

Result<> check_headers(const Headers& headers) {
  for (const auto& [name, value] : headers.all()) {
    if (!is_token_text(name) || !is_field_value(value))
      return Error(Errc::BadInput, "request header " + printable(name) + " holds bytes it must not");
    if (std::any_of(std::begin(kOwnedHeaders), std::end(kOwnedHeaders),
                    [&](std::string_view owned) { return ascii_equal_fold(owned, name); })) {
      return Error(Errc::BadInput, "request header " + printable(name) + " is set by the client itself");
    }
  }
  return ok();
}

/// What can be said before DNS. Through a proxy, which resolves names itself, it is all that can be said.
Result<> check_host(const PreparedRequest& prepared) {
  if (prepared.may_be_private) return ok();
  const Url& url = prepared.url;
  std::string_view use;
  if (const auto address = parse_ip(url.host)) {
    use = special_use(*address);
  } else if (!prepared.proxy.empty() && (url.host == "localhost" || url.host.ends_with(".localhost"))) {
    use = "loopback";
  }
  if (use.empty()) return ok();
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return Error(Errc::Refused, "refused to connect to " + url.host_port() + ": the address is " + std::string(use) +
                                  ", not public; if that is meant, say --allow-private " + host + ":" +
                                  std::to_string(url.port));
}

Result<PreparedRequest> prepare(const CurlCore& core, HttpRequest request) {
  if (!is_token_text(request.method))
    return Error(Errc::BadInput, "request method " + printable(request.method) + " is none");
  HM_TRY(check_headers(request.headers));
  PreparedRequest prepared;
  HM_TRY(prepared.url, parse_url(request.url));
  prepared.request = std::move(request);
  prepared.proxy = proxy_for(core.proxies(), prepared.url);
  prepared.may_be_private = core.is_allowed_private(prepared.url);
  prepared.gets_token = !core.options().token.empty() && prepared.url.same_origin(core.upstream());
  HM_TRY(check_host(prepared));
  return prepared;
}

class CurlBody final : public HttpBody {
 public:
  explicit CurlBody(std::unique_ptr<CurlTransfer> transfer) : transfer_(std::move(transfer)) {}
  awaitable<Result<std::span<const std::byte>>> next() override { return transfer_->next(); }

 private:
  std::unique_ptr<CurlTransfer> transfer_;
};

/// Holds the core, not the client: the client may be destroyed while this is suspended.
awaitable<Result<HttpResponse>> run(std::shared_ptr<CurlCore> core, HttpRequest request) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (core->closed() || cancellation.cancelled() != asio::cancellation_type::none)
    co_return Error(Errc::Cancelled, "request cancelled");
  auto prepared = prepare(*core, std::move(request));
  if (!prepared) co_return std::move(prepared).as_failure();
  auto transfer = std::make_unique<CurlTransfer>(core, std::move(prepared).assume_value());
  if (auto started = transfer->start(); !started) co_return std::move(started).as_failure();
  auto arrived = co_await transfer->wait_head();
  if (!arrived) co_return std::move(arrived).as_failure();
  HttpResponse response;
  response.status = transfer->head().status();
  response.url = transfer->url().text();
  response.content_length = transfer->head().content_length();
  response.headers = std::move(transfer->head().headers());
  response.body = std::make_unique<CurlBody>(std::move(transfer));
  co_return response;
}

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(std::shared_ptr<CurlCore> core) : core_(std::move(core)) {}
  ~CurlHttpClient() override { core_->close(); }
  awaitable<Result<HttpResponse>> send(HttpRequest request) override { return run(core_, std::move(request)); }

 private:
  std::shared_ptr<CurlCore> core_;
};

/// OpenSSL writes without MSG_NOSIGNAL, and libcurl guards it only when it may use signals, which a program with
/// threads must not allow it.
void outlive_broken_pipes() {
  struct sigaction current{};
  if (::sigaction(SIGPIPE, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) return;
  current.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &current, nullptr);
}

Result<ProxySettings> proxy_settings(const CurlOptions& options) {
  ProxySettings settings = proxy_settings_of_environment();
  if (!options.proxy.empty()) settings.http = settings.https = settings.all = options.proxy;
  for (const std::string* proxy : {&settings.http, &settings.https, &settings.all}) {
    if (!proxy->empty()) {
      HM_TRY(check_proxy(*proxy));
    }
  }
  return settings;
}
}  // namespace

Result<HostPort> parse_host_port(std::string_view text) {
  const bool bare_v6 = !text.starts_with('[') && std::count(text.begin(), text.end(), ':') > 1;
  const auto url = parse_url(bare_v6 ? "http://[" + std::string(text) + "]/" : "http://" + std::string(text) + "/");
  if (!url || url.assume_value().path_query != "/" || text.find_first_of("/?#") != std::string_view::npos) {
    return Error(Errc::BadInput,
                 "not a HOST or HOST:PORT such as cache.internal:8080 or [fd00::1]: " + printable(text));
  }
  HostPort result;
  result.host = url.assume_value().host;
  const std::string_view after_host =
      bare_v6 ? std::string_view() : text.substr(std::min(text.find(']') + 1, text.size()));
  if (!text.ends_with(':') && after_host.find(':') != std::string_view::npos) result.port = url.assume_value().port;
  return result;
}

namespace {
/// A directory (of hashed names) is taken as it is.
bool holds_certificates(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return true;
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
  const bool loaded = store && X509_STORE_load_file(store.get(), path.c_str()) == 1;
  ERR_clear_error();
  return loaded;
}
}  // namespace

Result<> check_curl_options(const CurlOptions& options) {
  HM_TRY(parse_url(options.upstream_url));
  if (!is_field_value(options.token) || options.token.find(' ') != std::string::npos) {
    return Error(Errc::BadInput, "the token holds blanks or control bytes; was a whole file read as one?");
  }
  if (!is_field_value(options.user_agent)) return Error(Errc::BadInput, "user agent holds control bytes");
  if (!options.ca_file.empty() && ::access(options.ca_file.c_str(), R_OK) != 0) {
    return Error(Errc::BadInput, "ca_file cannot be read: " + printable(options.ca_file));
  }
  if (!options.ca_file.empty() && !holds_certificates(options.ca_file))
    return Error(Errc::BadInput, "ca_file holds no certificate in PEM form: " + printable(options.ca_file));
  HM_TRY(proxy_settings(options));
  return ok();
}

Result<std::unique_ptr<HttpClient>> make_curl_http_client(asio::any_io_executor executor, CurlOptions options) {
  HM_TRY(check_curl_options(options));
  HM_TRY(Url upstream, parse_url(options.upstream_url));
  HM_TRY(ProxySettings proxies, proxy_settings(options));
  outlive_broken_pipes();
  auto core =
      std::make_shared<CurlCore>(std::move(executor), std::move(options), std::move(upstream), std::move(proxies));
  return std::make_unique<CurlHttpClient>(std::move(core));
}
}  // namespace hm::net
