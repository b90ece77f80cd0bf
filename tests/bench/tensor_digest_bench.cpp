// How fast tensors are digested, against the least it can cost: one SHA-256 of the same bytes on each thread.
//   hm_tensor_digest_bench [MiB] [threads]
// Prints bytes/s of one thread that does nothing but SHA-256 in memory, then for each case the throughput and its ratio
// to that × threads. "all threads at once" is the same plain SHA-256 on all threads: what the machine gives. "of its
// time": processor time of the plain SHA-256 of the same bytes over that of the case, which holds beside other work
// too.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "provenance/formats/tensor_digests.hpp"

namespace {
using namespace hm::provenance::formats;
constexpr std::size_t kTensorBytes = 16 << 20;

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}
struct Cost {
  double seconds = 0, processor_seconds = 0;
};
Cost cost_of(const auto& work) {
  const std::clock_t begin = std::clock();
  const double seconds = seconds_of(work);
  return {seconds, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC};
}
/// The best of three: what the machine can, not what else it did.
Cost best_of(const auto& work) {
  const Cost a = cost_of(work), b = cost_of(work), c = cost_of(work);
  return {std::min({a.seconds, b.seconds, c.seconds}),
          std::min({a.processor_seconds, b.processor_seconds, c.processor_seconds})};
}

std::vector<Tensor> tensors_of(std::uint64_t bytes, const std::string& dtype, std::uint64_t element_bytes) {
  std::vector<Tensor> out;
  for (std::uint64_t at = 0; at < bytes; at += kTensorBytes)
    out.push_back(
        {"w" + std::to_string(at), dtype, {kTensorBytes / element_bytes}, Placement::InFile, at, kTensorBytes, ""});
  return out;
}
}  // namespace

int main(int argc, char** argv) {
  const std::size_t bytes = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 1024) << 20;
  const std::size_t threads =
      argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : std::thread::hardware_concurrency();
  std::vector<std::byte> memory(bytes / kTensorBytes * kTensorBytes);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < memory.size(); i += 8) {
    const std::uint64_t word = random() & 0xbfffffffbfffffffU;  // no NaN as F32
    std::memcpy(memory.data() + i, &word, 8);
  }
  const double gigabytes = static_cast<double>(memory.size()) / 1e9;
  const Cost plain_cost = best_of([&] { static_cast<void>(hm::sha256(memory)); });
  const double plain = gigabytes / plain_cost.seconds;
  std::printf("%zu MiB, SHA-256 alone on one thread: %.2f GB/s\n", memory.size() >> 20, plain);
  const Cost at_once = best_of([&] {
    std::vector<std::jthread> all;
    for (std::size_t i = 0; i < threads; ++i) all.emplace_back([&] { static_cast<void>(hm::sha256(memory)); });
  });
  std::printf("%-44s %6.2f GB/s, ratio %.2f\n", "SHA-256 alone, all threads at once",
              gigabytes * static_cast<double>(threads) / at_once.seconds, gigabytes / at_once.seconds / plain);

  const std::string path =
      (std::filesystem::temp_directory_path() / ("hm_tensor_digest_bench." + std::to_string(::getpid()))).string();
  auto file = hm::real_file_system().create_new(path);
  if (!file || !file.assume_value()->write_at(0, memory)) return std::printf("cannot write %s\n", path.c_str()), 1;
  const auto cached = FileSource::of(*file.assume_value());
  const MemorySource in_memory{std::span<const std::byte>(memory)};
  struct Case {
    const char* name;
    const ByteSource* source;
    const char* dtype;
    std::uint64_t element_bytes;
    DigestOptions options;
  };
  for (const Case& one :
       {Case{"BF16 from memory: content", &in_memory, "BF16", 2, {}},
        Case{"BF16 from the page cache: content", &cached.assume_value(), "BF16", 2, {}},
        Case{"BF16 from the page cache: content, typed", &cached.assume_value(), "BF16", 2, {.typed = true}},
        Case{"BF16 from the page cache: content, value32", &cached.assume_value(), "BF16", 2, {.value32 = true}},
        Case{"F32 from the page cache: content, casts", &cached.assume_value(), "F32", 4, {}},
        Case{"F32 from the page cache: content", &cached.assume_value(), "F32", 4, {.casts = false}}}) {
    const auto tensors = tensors_of(memory.size(), one.dtype, one.element_bytes);
    for (const std::size_t count : {std::size_t{1}, threads}) {
      DigestOptions options = one.options;
      options.threads = count;
      const Cost cost = best_of([&] { static_cast<void>(digest_tensors(*one.source, tensors, options).value()); });
      const double rate = gigabytes / cost.seconds;
      std::printf("%-44s %6.2f GB/s on %zu thread(s), ratio %.2f, %.0f %% of its time\n", one.name, rate, count,
                  rate / plain / static_cast<double>(count),
                  100 * plain_cost.processor_seconds / cost.processor_seconds);
    }
  }
  std::filesystem::remove(path);
  return 0;
}
