// Runs a fuzz target without a fuzzer: over each file of the given directories, over its beginnings, and over copies
// with one byte changed. The same inputs in every run, so a failure can be repeated: it names the file and the variant.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {
constexpr std::size_t kBeginningsMax = 512;  // per seed; enough to cut each small seed at every byte
constexpr std::size_t kChangesMax = 512;

void run(const std::vector<std::uint8_t>& input) {
  // An exact allocation, so that AddressSanitizer sees a read behind the end.
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::size_t replay(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<std::uint8_t> seed{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::printf("%s: %zu bytes\n", file.filename().c_str(), seed.size());
  std::fflush(stdout);  // the last line of a crashed run names the culprit
  std::size_t runs = 1;
  run(seed);
  const std::size_t step = seed.size() / kBeginningsMax + 1;
  for (std::size_t size = 0; size < seed.size(); size += step, ++runs)
    run({seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size)});
  std::mt19937 random(static_cast<std::uint32_t>(seed.size()));
  for (std::size_t i = 0; i < std::min(kChangesMax, seed.size()); ++i, ++runs) {
    std::vector<std::uint8_t> changed = seed;
    changed[random() % changed.size()] ^= static_cast<std::uint8_t>(1U << (random() % 8));
    run(changed);
  }
  return runs;
}
}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], ec))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "no seeds found: give directories that hold some\n");
    return 1;
  }
  std::size_t runs = 0;
  for (const auto& file : files) runs += replay(file);
  std::printf("%zu seeds, %zu inputs\n", files.size(), runs);
  return 0;
}
