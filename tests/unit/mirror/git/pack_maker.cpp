#include "pack_maker.hpp"

#include <openssl/evp.h>
#include <zlib.h>

#include <cstdlib>

namespace hm::git_test {
std::string deflated(std::string_view data, int level) {
  uLongf size = compressBound(data.size());
  std::string out(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(data.data()), data.size(),
                level) != Z_OK)
    std::abort();
  out.resize(size);
  return out;
}

std::string entry_head(unsigned type, std::uint64_t size) {
  std::string out(1, static_cast<char>(type << 4 | (size & 15U)));
  for (size >>= 4; size != 0; size >>= 7) {
    out.back() = static_cast<char>(out.back() | 0x80);
    out += static_cast<char>(size & 0x7fU);
  }
  return out;
}

std::string ofs_distance(std::uint64_t distance) {
  std::string out(1, static_cast<char>(distance & 0x7fU));
  while ((distance >>= 7) != 0) out.insert(out.begin(), static_cast<char>(0x80U | (--distance & 0x7fU)));
  return out;
}

std::string literal_delta(std::size_t base_size, std::string_view result) {
  std::string out;
  for (std::size_t size : {base_size, result.size()}) {
    for (; size > 0x7f; size >>= 7) out += static_cast<char>(0x80U | (size & 0x7fU));
    out += static_cast<char>(size);
  }
  return out.append(1, static_cast<char>(result.size())).append(result);
}

std::uint64_t PackMaker::add(unsigned type, std::string_view data, const OddEntry& odd) {
  offsets_.push_back(size());
  entries_ += entry_head(type, odd.stated_size.value_or(data.size())) + odd.base + deflated(data, odd.level);
  return offsets_.back();
}

std::string PackMaker::bytes() const {
  const auto count = static_cast<std::uint32_t>(offsets_.size());
  std::string out("PACK\0\0\0\2", 8);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(count >> shift & 0xffU);
  out += entries_;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_bytes = 0;
  if (EVP_Digest(out.data(), out.size(), digest, &digest_bytes, EVP_sha1(), nullptr) != 1) std::abort();
  return out.append(reinterpret_cast<const char*>(digest), digest_bytes);
}
}  // namespace hm::git_test
