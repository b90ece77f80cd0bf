// Downloads from a loopback nginx (sendfile, memory filesystem) into a real blob store with the real client, digests
// checked.
//   hm_download_bench [--big-mib N] [--files N] [--file-kib N] [--directory DIR] [--store DIR] [--rounds N] [--ranges
//   N] [--disk-threads N]
// Prints one line per round and kind: GB/s (10^9 bytes), requests, CPU seconds of this process.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>

#include "base/text.hpp"
#include "hub/api.hpp"
#include "mirror/lfs/download.hpp"
#include "net/curl_http_client.hpp"
#include "storage/blob_store_local.hpp"

namespace {
namespace asio = boost::asio;

struct Options {
  std::uint64_t big_mib = 2048, files = 1000, file_kib = 1024;
  std::string directory = "/dev/shm/hm-download-bench", store;
  int rounds = 3, ranges = 4, disk_threads = 2;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}
template <class T>
T need(hm::Result<T> r, const char* what) {
  if (!r) die(std::string(what) + ": " + r.assume_error().what);
  return std::move(r).assume_value();
}
void need(const hm::Result<>& r, const char* what) {
  if (!r) die(std::string(what) + ": " + r.assume_error().what);
}

struct Source {
  std::vector<hm::mirror::WantedBlob> blobs;
  std::string json;  // LFS objects
};

void add_file(Source& source, const std::string& directory, const std::string& base_url, std::uint64_t size,
              std::mt19937_64& random) {
  std::vector<std::uint64_t> block((1U << 20) / 8);
  hm::Sha256Hasher hasher;
  const std::string name = "f" + std::to_string(source.blobs.size()) + "-" + std::to_string(size);
  std::ofstream out(directory + "/" + name, std::ios::binary);
  for (std::uint64_t left = size; left > 0;) {
    for (auto& word : block) word = random();
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, 1U << 20));
    hasher.update(std::as_bytes(std::span(block)).first(n));
    out.write(reinterpret_cast<const char*>(block.data()), static_cast<std::streamsize>(n));
    left -= n;
  }
  hm::mirror::WantedBlob blob;
  blob.id = hasher.finish();
  blob.size_bytes = size;
  blob.path = name;
  blob.revision = std::string(40, 'a');
  source.json += (source.json.empty() ? "" : ",") + std::string("{\"oid\":\"") + blob.id.hex() +
                 "\",\"size\":" + std::to_string(size) + ",\"actions\":{\"download\":{\"href\":\"" + base_url + "/" +
                 name + "\"}}}";
  source.blobs.push_back(std::move(blob));
}

/// nginx answers every batch call with all objects; the client drops what it did not ask for.
pid_t start_nginx(const std::string& directory, int port) {
  std::ofstream conf(directory + "/nginx.conf");
  conf
      << "daemon off; master_process off; pid " << directory << "/pid; error_log " << directory << "/error.log;\n"
      << "events { worker_connections 256; }\n"
      << "http { access_log " << directory
      << "/access.log; sendfile on; tcp_nopush on; keepalive_requests 100000; client_body_temp_path " << directory
      << "/tmp; proxy_temp_path " << directory << "/tmp; fastcgi_temp_path " << directory << "/tmp; uwsgi_temp_path "
      << directory << "/tmp; scgi_temp_path " << directory << "/tmp;\n server { listen 127.0.0.1:" << port << "; root "
      << directory << "/www;\n"
      << "  location ~ ^/bench/(big|small)\\.git/info/lfs/objects/batch$ { error_page 404 405 =200 /$1.json; }\n } }\n";
  conf.close();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // also when this process dies early
    execlp("nginx", "nginx", "-p", directory.c_str(), "-c", (directory + "/nginx.conf").c_str(),
           static_cast<char*>(nullptr));
    std::_Exit(127);
  }
  return pid;
}

std::uint64_t requests_so_far(const std::string& directory) {
  std::ifstream log(directory + "/access.log");
  std::uint64_t lines = 0;
  for (std::string line; std::getline(log, line);) ++lines;
  return lines;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void download(const Options& options, const char* kind, const std::string& url, const Source& source) {
  auto& fs = hm::real_file_system();
  const std::string store_root = options.store + "/store";
  need(hm::remove_tree(fs, store_root), "empty the store");
  const hm::storage::DataDir dir(store_root);
  need(hm::storage::create_data_dir(fs, dir), "create the store");
  const auto store = hm::storage::make_local_blob_store(fs, dir, {});
  asio::io_context context(1);
  hm::net::CurlOptions curl;
  curl.upstream_url = url;
  const auto client = need(hm::net::make_curl_http_client(context.get_executor(), curl), "client");
  hm::hub::RateBudget budget;
  hm::hub::Api api(*client, need(hm::net::parse_url(url), "url"), budget, {});
  asio::thread_pool disk(static_cast<std::size_t>(options.disk_threads));
  hm::mirror::DownloadOptions download_options;
  download_options.ranges_per_file = options.ranges;
  hm::mirror::Downloader downloader(api, *client, *store, disk, download_options);
  std::uint64_t bytes = 0;
  for (const auto& blob : source.blobs) bytes += blob.size_bytes;
  const std::uint64_t requests = requests_so_far(options.directory);
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  bool done = false;
  auto finished = [&](std::exception_ptr e, hm::Result<std::vector<hm::mirror::BlobOutcome>> result) {
    if (e) std::rethrow_exception(e);
    for (const auto& outcome : need(std::move(result), "fetch")) need(outcome.result, "blob");
    done = true;
  };
  asio::co_spawn(context, downloader.fetch({hm::RepoKind::Model, std::string("bench/") + kind}, source.blobs, {}),
                 finished);
  context.run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!done) die("the download did not end");
  std::printf("%-5s %6.2f GB/s  %.3f s  %llu requests  %.2f CPU s\n", kind, static_cast<double>(bytes) / 1e9 / seconds,
              seconds, static_cast<unsigned long long>(requests_so_far(options.directory) - requests),
              cpu_seconds() - cpu);
  std::fflush(stdout);
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    const auto number = hm::parse_u64(value).value_or(1);
    if (name == "--big-mib")
      o.big_mib = number;
    else if (name == "--files")
      o.files = number;
    else if (name == "--file-kib")
      o.file_kib = number;
    else if (name == "--directory")
      o.directory = value;
    else if (name == "--store")
      o.store = value;
    else if (name == "--rounds")
      o.rounds = static_cast<int>(number);
    else if (name == "--ranges")
      o.ranges = static_cast<int>(number);
    else if (name == "--disk-threads")
      o.disk_threads = static_cast<int>(number);
    else
      die("unknown option " + std::string(name) + "; they are listed at the top of the source");
  }
  if (o.store.empty()) o.store = o.directory;
  return o;
}
}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  auto& fs = hm::real_file_system();
  need(hm::remove_tree(fs, options.directory), "directory");
  for (const char* part : {"/www", "/tmp"}) need(fs.make_directories(options.directory + part), "directory");
  const int port = 20000 + static_cast<int>(getpid() % 20000);
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  std::mt19937_64 random(1);
  Source big, small;
  if (options.big_mib > 0) add_file(big, options.directory + "/www", url, options.big_mib << 20, random);
  for (std::uint64_t i = 0; i < options.files; ++i)
    add_file(small, options.directory + "/www", url, options.file_kib << 10, random);
  std::ofstream(options.directory + "/www/big.json") << "{\"transfer\":\"basic\",\"objects\":[" << big.json << "]}";
  std::ofstream(options.directory + "/www/small.json") << "{\"transfer\":\"basic\",\"objects\":[" << small.json << "]}";
  const pid_t nginx = start_nginx(options.directory, port);
  for (int i = 0; i < options.rounds; ++i) {
    if (!big.blobs.empty()) download(options, "big", url, big);
    if (!small.blobs.empty()) download(options, "small", url, small);
  }
  kill(nginx, SIGTERM);
  waitpid(nginx, nullptr, 0);
  need(hm::remove_tree(fs, options.directory), "clean up");
  return 0;
}
