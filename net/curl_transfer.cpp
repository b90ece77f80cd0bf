#include "net/curl_transfer.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <limits>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::net {
namespace asio = boost::asio;
namespace {
constexpr std::int64_t kSecondLookMs = 20;
constexpr std::size_t kReadBytes = 512U << 10;     // what libcurl reads at once
constexpr std::size_t kAheadBytesMin = 16U << 10;  // less is many calls for little
Error cancelled_error() { return {Errc::Cancelled, "request cancelled"}; }
std::int64_t now_ms() { return system_clock().monotonic_ms(); }
}  // namespace

CurlTransfer::CurlTransfer(std::shared_ptr<CurlCore> core, PreparedRequest prepared)
    : core_(std::move(core)),
      prepared_(std::move(prepared)),
      wake_(core_->executor()),
      stall_(prepared_.request.stall_timeout_ms, prepared_.request.min_bytes_per_second) {}

CurlTransfer::~CurlTransfer() {
  detach();
  core_->give_back(std::move(filling_));
  core_->give_back(std::move(handed_out_));
}

Result<> CurlTransfer::start() {
  easy_ = core_->take_easy();
  if (!easy_ || !set_up() || !core_->multi().add(easy_.get()))
    return Error(Errc::Internal, "libcurl cannot set up a request (out of memory?)");
  started_ = true;
  begin_ms_ = now_ms();
  core_->join(*this);
  return ok();
}

/// Takes the handle out of the multi; a connection in mid-answer is closed by that, a finished one is kept.
void CurlTransfer::detach() {
  if (!easy_) return;
  if (started_) {
    log_request();
    core_->multi().remove(easy_.get(), this);
    core_->leave(*this);
  }
  core_->give_back(std::move(easy_));
}

/// Without the query, which may hold a signature or a cursor; what was sent in headers is not told at all.
void CurlTransfer::log_request() const {
  log(LogLevel::Debug, "request",
      {{"method", prepared_.request.method},
       {"url", prepared_.url.for_messages()},
       {"status", head_.complete() ? std::to_string(head_.status()) : "-"},
       {"bytes", std::to_string(received_bytes_)},
       {"ms", std::to_string(now_ms() - begin_ms_)},
       {"error", failure_ ? failure_->what : "-"}});
}

// ---- the reader's side

void CurlTransfer::wake() {
  if (reader_waits_) wake_.cancel();
}

/// @returns false when the coroutine was cancelled before `ready()` came true.
template <class Ready>
awaitable<bool> CurlTransfer::wait_until(Ready ready) {
  while (!ready()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return false;
    reader_waits_ = true;
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(asio::as_tuple(asio::deferred));
    reader_waits_ = false;
  }
  co_return true;
}

awaitable<Result<>> CurlTransfer::wait_head() {
  const bool arrived = co_await wait_until([this] { return head_.complete() || finished_; });
  if (!arrived) {
    detach();
    co_return cancelled_error();
  }
  if (head_.complete()) co_return ok();
  co_return failure_.value_or(Error(Errc::Unreachable, prepared_.url.host_port() + " gave no answer"));
}

awaitable<Result<std::span<const std::byte>>> CurlTransfer::next() {
  if (filled_bytes_ == 0 && handed_out_)
    std::swap(filling_, handed_out_);  // the block just read is still in the processor's cache
  const bool arrived = co_await wait_until([this] { return filled_bytes_ > 0 || finished_; });
  if (!arrived) {
    detach();
    finished_ = true;
    failure_ = cancelled_error();
    co_return cancelled_error();
  }
  if (filled_bytes_ > 0) co_return take_filled();
  if (failure_) co_return *failure_;
  co_return std::span<const std::byte>();
}

std::span<const std::byte> CurlTransfer::take_filled() {
  std::swap(filling_, handed_out_);
  const std::span<const std::byte> bytes(handed_out_.get(), std::exchange(filled_bytes_, 0));
  if (paused_ && easy_) {
    paused_ = false;
    stall_.resume(now_ms());
    core_->watch(stall_.deadline_ms());
    core_->multi().resume(easy_.get(), this);  // may fill the other block at once
  }
  return bytes;
}

// ---- libcurl's side; these run inside its callbacks

std::size_t CurlTransfer::on_header(std::string_view line) {
  stall_.add(line.size(), now_ms());
  const bool was_complete = head_.complete();
  if (auto fed = head_.feed(line); !fed) {
    failure_ = std::move(fed).assume_error();
    failure_->what += "; from " + prepared_.url.host_port();
    return 0;
  }
  if (!was_complete && head_.complete()) {
    wake();
    const std::uint64_t announced = prepared_.request.method == "HEAD" ? 0 : head_.content_length().value_or(0);
    if (announced > prepared_.request.body_bytes_max) {  // the head is good; next() will say this
      failure_ =
          Error(Errc::Refused, "answer of " + std::to_string(announced) + " bytes from " + prepared_.url.host_port() +
                                   " is over the limit of " + std::to_string(prepared_.request.body_bytes_max));
      return 0;
    }
  }
  return line.size();
}

std::size_t CurlTransfer::on_body(std::span<const std::byte> bytes) {
  if (bytes.size() > prepared_.request.body_bytes_max - received_bytes_) {
    failure_ = Error(Errc::Refused, "answer from " + prepared_.url.host_port() + " is longer than the limit of " +
                                        std::to_string(prepared_.request.body_bytes_max) + " bytes" +
                                        (prepared_.request.decompress ? " (decompressed)" : ""));
    return 0;
  }
  if (!filling_) filling_ = core_->take_block();
  if (bytes.size() > core_->block_bytes() - filled_bytes_) {
    note_pause();
    return CURL_WRITEFUNC_PAUSE;  // libcurl copies these bytes aside and brings them again
  }
  std::memcpy(filling_.get() + filled_bytes_, bytes.data(), bytes.size());
  filled_bytes_ += bytes.size();
  received_bytes_ += bytes.size();
  unsettled_bytes_ += bytes.size();
  if (!touched_) {
    touched_ = true;
    core_->multi().touch(this);
  }
  if (!paused_ && !fits_another_read()) {
    note_pause();
    core_->multi().pause(easy_.get());
  }
  return bytes.size();
}

/// libcurl reads on while the socket has something, up to a hundred times. Told to pause while a whole read still fits,
/// it hands out the rest of the current read as usual and stops; told so only when nothing fits, it has to copy that
/// rest aside.
bool CurlTransfer::fits_another_read() const {
  const std::size_t ahead_bytes = std::min(core_->block_bytes(), ahead_bytes_max());
  return filled_bytes_ < ahead_bytes && ahead_bytes - filled_bytes_ >= std::min(kReadBytes, ahead_bytes / 2);
}

std::size_t CurlTransfer::ahead_bytes_max() const {
  const std::uint64_t asked = prepared_.request.ahead_bytes_max;
  return asked == 0 ? std::numeric_limits<std::size_t>::max() : std::max<std::size_t>(asked, kAheadBytesMin);
}

void CurlTransfer::note_pause() {
  paused_ = true;
  stall_.pause(now_ms());
}

void CurlTransfer::on_settled() {
  touched_ = false;
  stall_.add(std::exchange(unsettled_bytes_, 0), now_ms());
  wake();
}

bool CurlTransfer::address_is_allowed(const curl_sockaddr& address) {
  if (prepared_.may_be_private || !prepared_.proxy.empty()) return true;
  const auto ip = ip_of(address.addr);
  if (ip && special_use(*ip).empty()) {
    tried_address_ = true;
    return true;
  }
  refused_ = ip.value_or(IpAddress());
  return false;
}

curl_socket_t CurlTransfer::on_open_socket(const curl_sockaddr& address) {
  if (!address_is_allowed(address)) return CURL_SOCKET_BAD;
  return ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
}

// ---- the end of a transfer

void CurlTransfer::on_finished(CURLcode result) {
  if (!failure_ && (result != CURLE_OK || !body_is_complete())) failure_ = failure_of(result);
  finished_ = true;
  detach();
  wake();
}

void CurlTransfer::abandon(Error why) {
  if (!failure_) failure_ = std::move(why);
  finished_ = true;
  detach();
  wake();
}

std::optional<std::int64_t> CurlTransfer::check_stall(std::int64_t now) {
  curl_off_t uploaded = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
  if (uploaded > uploaded_bytes_)
    stall_.add(static_cast<std::uint64_t>(uploaded - std::exchange(uploaded_bytes_, uploaded)), now);
  const StallClock::Verdict verdict = stall_.check(now);
  if (verdict == StallClock::Verdict::Running) {
    doubted_ = false;
    return stall_.deadline_ms();
  }
  if (!std::exchange(doubted_, true))
    return now + kSecondLookMs;  // maybe it was this thread that stood still: let the socket speak first
  const std::string got =
      prepared_.url.host_port() +
      (head_.complete() ? " after " + std::to_string(received_bytes_) + " bytes" : " before its answer");
  abandon(verdict == StallClock::Verdict::Stalled
              ? Error(Errc::Unreachable,
                      "no byte for " + std::to_string(prepared_.request.stall_timeout_ms) + " ms from " + got)
              : Error(Errc::Unreachable,
                      "slower than " + std::to_string(prepared_.request.min_bytes_per_second) + " bytes/s: " + got));
  return std::nullopt;
}

/// libcurl checks this too, except where it undoes a compression.
bool CurlTransfer::body_is_complete() const {
  const bool has_body = prepared_.request.method != "HEAD" && head_.status() != 204 && head_.status() != 304;
  if (!has_body || prepared_.request.decompress || !head_.content_length()) return true;
  return received_bytes_ == *head_.content_length();
}

Error CurlTransfer::refused_address() const {
  const Url& url = prepared_.url;
  const std::string address = refused_->text();
  std::string what = "refused to connect to " + url.host_port();
  if (url.host != address) what += " at " + address;
  what += ": the address is " + std::string(special_use(*refused_)) +
          ", not public; if that is meant, say --allow-private ";
  return {Errc::Refused, what + (url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]") + ":" +
                             std::to_string(url.port)};
}

Error CurlTransfer::connect_failure() const {
  if (refused_ && !tried_address_) return refused_address();
  long os_error = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
  const Url& url = prepared_.url;
  const std::string where =
      url.host + ":" + std::to_string(url.port) + (prepared_.proxy.empty() ? "" : " through the proxy");
  return {Errc::Unreachable,
          "cannot connect to " + where + ": " +
              (os_error != 0 ? std::strerror(static_cast<int>(os_error)) : detail_of(CURLE_COULDNT_CONNECT))};
}

std::string CurlTransfer::detail_of(CURLcode result) const {
  return printable(error_text_[0] != '\0' ? std::string_view(error_text_)
                                          : std::string_view(curl_easy_strerror(result)));
}

/// In words for people; libcurl's own text where it says more than its code.
Error CurlTransfer::failure_of(CURLcode result) const {
  const std::string& host = prepared_.url.host;
  const std::string host_port = prepared_.url.host_port();
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Errc::Unreachable, "name not known: " + host};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Errc::Unreachable,
              "name of the proxy not known (http_proxy, https_proxy, all_proxy or the proxy setting); on the way to " +
                  host};
    case CURLE_COULDNT_CONNECT:
      return connect_failure();
    case CURLE_OPERATION_TIMEDOUT:
      if (refused_ && !tried_address_) return refused_address();
      return {Errc::Unreachable, "cannot connect to " + host_port + ": no answer within " +
                                     std::to_string(core_->options().connect_timeout_ms) + " ms"};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Errc::Unreachable,
              "certificate of " + host + " is not trusted: " + detail_of(result) + " (set ca_file or SSL_CERT_FILE)"};
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::BadInput, "certificate authorities cannot be read from " + printable(core_->ca_path()) +
                                  " (ca_file, SSL_CERT_FILE, CURL_CA_BUNDLE)"};
    case CURLE_SSL_CONNECT_ERROR:
      return {Errc::Unreachable, "no TLS connection to " + host_port + ": " + detail_of(result)};
    case CURLE_GOT_NOTHING:
      return {Errc::Unreachable, host_port + " closed the connection without an answer"};
    case CURLE_BAD_CONTENT_ENCODING:
      return {Errc::Unreachable, "answer from " + host_port + " cannot be decompressed: " + detail_of(result)};
    case CURLE_OUT_OF_MEMORY:
      if (!head_.complete())
        return {Errc::Refused,
                "header of the answer from " + host_port + " is larger than " + human_bytes(kHeaderBytesMax)};
      break;
    default:
      break;
  }
  if (head_.complete() && head_.content_length() &&
      (result == CURLE_PARTIAL_FILE || result == CURLE_RECV_ERROR || result == CURLE_OK)) {
    return {Errc::Unreachable, "connection to " + host_port + " broke: " + std::to_string(received_bytes_) + " of " +
                                   std::to_string(*head_.content_length()) + " bytes"};
  }
  return {Errc::Unreachable, "transfer from " + host_port + " failed: " + detail_of(result)};
}

// ---- options

bool CurlTransfer::add_header(std::string_view name, std::string_view value) {
  std::string line(name);
  line.append(value.empty() ? ";" : ": ").append(value);  // libcurl's way to send a field without a value
  curl_slist* list = curl_slist_append(header_list_.get(), line.c_str());
  if (list == nullptr) return false;
  static_cast<void>(header_list_.release());
  header_list_.reset(list);
  return true;
}

bool CurlTransfer::add_request_headers() {
  const Headers& headers = prepared_.request.headers;
  bool added = true;
  for (const auto& [name, value] : headers.all()) added = added && add_header(name, value);
  if (prepared_.gets_token && !headers.get("Authorization"))
    added = added && add_header("Authorization", "Bearer " + core_->options().token);
  // Fields that libcurl would add by itself: a line with a bare colon leaves them out.
  for (const char* unwanted : {"Expect", "Content-Type"}) {
    if (headers.get(unwanted)) continue;
    curl_slist* list = curl_slist_append(header_list_.get(), (std::string(unwanted) + ":").c_str());
    if (list == nullptr) return false;
    static_cast<void>(header_list_.release());
    header_list_.reset(list);
  }
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, header_list_.get());
  return added;
}

void CurlTransfer::set_up_request() {
  CURL* easy = easy_.get();
  const HttpRequest& request = prepared_.request;
  curl_easy_setopt(easy, CURLOPT_URL, prepared_.url.text().c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // the server gets what net/url.cpp has judged
  if (request.method == "POST" || !request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const bool any = request.protocol == Protocol::Any;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(any ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  if (any && prepared_.url.scheme == "https")
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);  // rather share a connection than open one
  if (request.decompress) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

bool CurlTransfer::set_up() {
  CURL* easy = easy_.get();
  const CurlOptions& options = core_->options();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<CurlListener*>(this));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy, CURLOPT_SHARE, core_->share());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a cancelled request does not wait for the resolver's thread
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(std::min(kReadBytes, ahead_bytes_max())));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXY, prepared_.proxy.c_str());  // "" also keeps libcurl from reading the environment
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (const std::string& path = core_->ca_path(); !path.empty()) {
    struct stat status{};
    const bool directory = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    curl_easy_setopt(easy, directory ? CURLOPT_CAPATH : CURLOPT_CAINFO, path.c_str());
    curl_easy_setopt(easy, directory ? CURLOPT_PROXY_CAPATH : CURLOPT_PROXY_CAINFO, path.c_str());
  }
  curl_easy_setopt(
      easy, CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) -> std::size_t {
        return static_cast<CurlTransfer*>(self)->on_header(std::string_view(data, n));
      });
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) -> std::size_t {
        return static_cast<CurlTransfer*>(self)->on_body(std::as_bytes(std::span(data, n)));
      });
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(
      easy, CURLOPT_OPENSOCKETFUNCTION, +[](void* self, curlsocktype, curl_sockaddr* address) -> curl_socket_t {
        return static_cast<CurlTransfer*>(self)->on_open_socket(*address);
      });
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  // Waiting for a free connection is no stall: the clock runs from the moment the request goes out.
  curl_easy_setopt(
      easy, CURLOPT_PREREQFUNCTION, +[](void* self, char*, char*, int, int) -> int {
        auto& transfer = *static_cast<CurlTransfer*>(self);
        transfer.stall_.start(now_ms());
        transfer.core_->watch(transfer.stall_.deadline_ms());
        return CURL_PREREQFUNC_OK;
      });
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  set_up_request();
  return add_request_headers();
}
}  // namespace hm::net
