// For scripts/licence-fingerprints: one file per licence text, named by its identifier, in the given folder; prints the
// "T" lines of config/licences/spdx.txt. Identifiers with the same words share a line.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "provenance/licence/recognise.hpp"

int main(int argc, char** argv) {
  using namespace hm::provenance::licence;
  if (argc != 2) return std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]), 2;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::map<std::string, Fingerprint> by_digest;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    Fingerprint f = fingerprint_of(licence_words(text));
    f.ids.push_back(file.filename().string());
    const auto [at, is_new] = by_digest.emplace(f.digest, f);
    if (!is_new) at->second.ids.push_back(file.filename().string());
  }
  std::vector<std::string> lines;
  for (const auto& [digest, f] : by_digest) lines.push_back(to_line(f));
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  return 0;
}
