#include "tests/unit/mirror/lfs/fake_host.hpp"

#include <stdlib.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>

#include "base/canonical_json.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace hm::test {
namespace asio = boost::asio;

namespace {
constexpr const char* kHub = "http://hub.test";
constexpr const char* kCdn = "http://cdn.test";
constexpr std::uint64_t kReserveBytes = 1 << 20;

net::awaitable<bool> cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}
std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_range(std::optional<std::string_view> header) {
  if (!header) return std::nullopt;
  const auto parts = split(header->substr(std::strlen("bytes=")), '-');
  return std::pair(parse_u64(parts[0]).value(), parse_u64(parts[1]).value());
}
}  // namespace

void Download::set_header(const std::string& name, const std::string& value) {
  net::Headers kept;
  for (const auto& [n, v] : headers.all()) {
    if (!ascii_equal_fold(n, name)) kept.add(n, v);
  }
  if (!value.empty()) kept.add(name, value);
  headers = std::move(kept);
}

/// Gives its bytes in pieces, each after other coroutines had their turn.
class FakeBody final : public net::HttpBody {
 public:
  FakeBody(FakeHost& host, Download download) : host_(host), download_(std::move(download)) {
    if (!download_.oid.empty()) host_.open_most = std::max(host_.open_most, ++host_.open_now);
  }
  ~FakeBody() override { host_.open_now -= download_.oid.empty() ? 0 : 1; }
  net::awaitable<Result<std::span<const std::byte>>> next() override {
    do {
      co_await asio::post(asio::use_awaitable);
      if (co_await cancelled()) co_return Error(Errc::Cancelled, "request cancelled");
    } while (host_.gate && !download_.oid.empty() && !host_.gate());
    if (host_.slower_than != nullptr) {
      co_await asio::post(*host_.slower_than, asio::bind_executor(*host_.slower_than, asio::use_awaitable));
      co_await asio::post(host_.executor_, asio::use_awaitable);
    }
    if (host_.on_chunk) host_.on_chunk(host_.bytes_sent);
    if (at_ == download_.body.size()) {
      if (download_.breaks) co_return *download_.breaks;
      if (download_.hangs) {
        asio::steady_timer never(host_.executor_, asio::steady_timer::time_point::max());
        co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return Error(Errc::Cancelled, "request cancelled");
      }
      if (!download_.endless) co_return std::span<const std::byte>();
      zeros_.assign(host_.chunk_bytes, '\0');
      co_return std::as_bytes(std::span(zeros_.data(), zeros_.size()));
    }
    const std::string_view piece = std::string_view(download_.body).substr(at_, host_.chunk_bytes);
    at_ += piece.size();
    host_.bytes_sent += piece.size();
    co_return std::as_bytes(std::span(piece.data(), piece.size()));
  }

 private:
  FakeHost& host_;
  Download download_;
  std::string zeros_;
  std::size_t at_ = 0;
};

mirror::WantedBlob FakeHost::add(const std::string& path, std::string bytes) {
  mirror::WantedBlob blob;
  blob.id = sha256(bytes);
  blob.size_bytes = bytes.size();
  blob.path = path;
  blob.revision = std::string(40, 'a');
  oid_of_path_[path] = blob.id.hex();
  bytes_of_oid_[blob.id.hex()] = std::move(bytes);
  return blob;
}

net::HttpResponse FakeHost::text_answer(const net::HttpRequest& request, int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.url = request.url;
  response.content_length = body.size();
  Download download;
  download.body = std::move(body);
  response.headers.add("Content-Type", "application/vnd.git-lfs+json");
  response.body = std::make_unique<FakeBody>(*this, std::move(download));
  return response;
}

net::HttpResponse FakeHost::batch(const net::HttpRequest& request) {
  if (batch_status != 200) return text_answer(request, batch_status, R"({"message":"no"})");
  const auto asked = parse_json(request.body).value();
  std::string objects;
  const auto& list = asked.at("objects").as_array();
  batches.push_back(list.size());
  for (const auto& object : list) {
    const std::string oid(object.at("oid").as_string());
    const std::string head =
        R"({"oid":")" + oid + R"(","size":)" + std::to_string(object.at("size").to_number<std::uint64_t>());
    if (!objects.empty()) objects += ",";
    if (const auto error = object_errors.find(oid); error != object_errors.end()) {
      objects += head + R"(,"error":{"code":)" + std::to_string(error->second) + R"(,"message":"not for you"}})";
    } else {
      objects += head + R"(,"actions":{"download":{"href":")" + kCdn + "/" + oid +
                 "?sig=" + std::to_string(++signatures_) + "\"" + extra_action + "}}}";
    }
  }
  return text_answer(request, 200, R"({"transfer":"basic","objects":[)" + objects + "]}");
}

net::HttpResponse FakeHost::resolve(const net::HttpRequest& request) {
  ++resolves;
  const std::string path = request.url.substr(request.url.find("/resolve/") + std::strlen("/resolve/") + 41);
  const auto oid = oid_of_path_.find(path);
  if (!resolve_works || oid == oid_of_path_.end()) return text_answer(request, 404, "");
  auto response = text_answer(request, 302, "");
  response.headers.add("Location", std::string(kCdn) + "/" + oid->second + "?sig=r" + std::to_string(++signatures_));
  response.headers.add("X-Linked-Etag", "\"" + oid->second + "\"");
  response.headers.add("X-Linked-Size", std::to_string(bytes_of_oid_[oid->second].size()));
  return response;
}

net::awaitable<Result<net::HttpResponse>> FakeHost::send(net::HttpRequest request) {
  co_await asio::post(asio::use_awaitable);
  if (co_await cancelled()) co_return Error(Errc::Cancelled, "request cancelled");
  if (request.url.starts_with(kHub)) co_return request.method == "POST" ? batch(request) : resolve(request);
  Download d;
  const std::string rest = request.url.substr(std::strlen(kCdn) + 1);
  d.oid = rest.substr(0, rest.find('?'));
  d.signature = rest.substr(rest.find("sig=") + 4);
  d.by_resolve = d.signature.starts_with('r');
  d.range = parse_range(request.headers.get("Range"));
  d.sent = request.headers;
  d.number = downloads.size() + 1;
  downloads.push_back(d);
  const std::string& bytes = bytes_of_oid_.at(d.oid);
  d.body = bytes;
  d.headers.add("ETag", "\"" + d.oid.substr(0, 8) + "\"");
  if (d.range && d.range->first < bytes.size()) {
    d.range->second = std::min<std::uint64_t>(d.range->second, bytes.size() - 1);
    d.status = 206;
    d.body = bytes.substr(d.range->first, d.range->second - d.range->first + 1);
    d.headers.add("Content-Range", "bytes " + std::to_string(d.range->first) + "-" + std::to_string(d.range->second) +
                                       "/" + std::to_string(bytes.size()));
  }
  d.content_length = d.body.size();
  if (bend) bend(d);
  if (d.fails) co_return *d.fails;
  net::HttpResponse response;
  response.status = d.status;
  response.url = request.url;
  response.headers = d.headers;
  response.content_length = d.content_length;
  response.body = std::make_unique<FakeBody>(*this, std::move(d));
  co_return response;
}

DownloadFixture::DownloadFixture(std::uint32_t segment_bytes) {
  directory = (std::filesystem::temp_directory_path() / "hm-lfs-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) std::abort();
  store_options.segment_bytes = segment_bytes;
  store_options.reserve_bytes = kReserveBytes;
  if (!storage::create_data_dir(fs, storage::DataDir(directory + "/data"))) std::abort();
  disk.emplace(2);
  restart();
}

DownloadFixture::~DownloadFixture() {
  downloader.reset();
  disk->join();
  store.reset();
  static_cast<void>(remove_tree(real_file_system(), directory));
}

void DownloadFixture::restart() {
  downloader.reset();
  store = storage::make_local_blob_store(fs, storage::DataDir(directory + "/data"), store_options);
  hub::RetryPolicy retry;
  retry.sleep = clock.sleeper();
  retry.random = [] { return 0.5; };
  retry.clock = &clock;
  api = std::make_unique<hub::Api>(host, net::parse_url(kHub).value(), budget, retry);
  downloader = std::make_unique<mirror::Downloader>(*api, host, *store, *disk, options);
}

Result<std::vector<mirror::BlobOutcome>> DownloadFixture::fetch(std::vector<mirror::WantedBlob> wanted) {
  return fetch_until(std::move(wanted), nullptr);
}

Result<std::vector<mirror::BlobOutcome>> DownloadFixture::fetch_until(std::vector<mirror::WantedBlob> wanted,
                                                                      std::function<bool()> stop) {
  std::optional<Result<std::vector<mirror::BlobOutcome>>> result;
  asio::cancellation_signal signal;
  auto ended = [&](std::exception_ptr e, Result<std::vector<mirror::BlobOutcome>> r) {
    if (e) std::rethrow_exception(e);
    result = std::move(r);
  };
  if (stop) {
    host.on_chunk = [&](std::uint64_t) {
      if (stop()) asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
    };
  }
  asio::co_spawn(context, downloader->fetch(kRepo, std::move(wanted), events),
                 asio::bind_cancellation_slot(signal.slot(), ended));
  context.restart();
  context.run();
  if (stop) host.on_chunk = nullptr;
  if (!result) return Error(Errc::Internal, "the fetch did not end");
  return std::move(*result);
}

std::string DownloadFixture::stored(const mirror::WantedBlob& blob) {
  std::string bytes(blob.size_bytes, '\0');
  const auto n = store->read(blob.id, 0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  if (!n) return "(none)";
  bytes.resize(n.assume_value());
  return bytes;
}

std::uint64_t DownloadFixture::missing_segments(const mirror::WantedBlob& blob) {
  const auto partial = store->partial(blob.id, blob.size_bytes);
  std::uint64_t missing = 0;
  for (std::uint64_t i = 0; partial && i < partial.assume_value()->segment_count(); ++i)
    missing += partial.assume_value()->has_segment(i) ? 0 : 1;
  return missing;
}

std::string random_text(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}
}  // namespace hm::test
