#include "storage/manifest.hpp"

#include <charconv>

#include "base/ids.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::size_t kModeChars = 6, kOidChars = 40, kShaChars = 64;
constexpr std::size_t kFixedChars = kModeChars + 1 + kOidChars + 1 + kShaChars + 1;  // "100644 <oid> <sha256> "
constexpr std::uint64_t kFileBytesMax = (1ULL << 63) - 1;                            // off_t

std::string_view text_of(FileMode mode) {
  switch (mode) {
    case FileMode::Regular:
      return "100644";
    case FileMode::Executable:
      return "100755";
    case FileMode::Symlink:
      return "120000";
  }
  return "000000";
}

std::optional<FileMode> parse_mode(std::string_view text) {
  for (FileMode mode : {FileMode::Regular, FileMode::Executable, FileMode::Symlink}) {
    if (text == text_of(mode)) return mode;
  }
  return std::nullopt;
}

/// Reads one line without its NUL; the caller adds the position.
const char* parse_line(std::string_view line, ManifestFile& into) {
  if (line.size() <= kFixedChars) return "a line is too short";
  if (line[kModeChars] != ' ' || line[kModeChars + 1 + kOidChars] != ' ' || line[kFixedChars - 1] != ' ')
    return "fields are not separated by one blank each";
  const auto mode = parse_mode(line.substr(0, kModeChars));
  if (!mode) return "the mode is none of 100644, 100755, 120000";
  into.mode = *mode;
  if (!from_hex(line.substr(kModeChars + 1, kOidChars), into.git_oid.bytes))
    return "the git object id is not 40 lowercase hex digits";
  if (!from_hex(line.substr(kModeChars + 1 + kOidChars + 1, kShaChars), into.sha256.bytes))
    return "the SHA-256 is not 64 lowercase hex digits";
  const std::string_view rest = line.substr(kFixedChars);
  const auto blank = rest.find(' ');
  if (blank == rest.npos) return "there is no blank after the size";
  const std::string_view size = rest.substr(0, blank);
  const auto [end, ec] = std::from_chars(size.data(), size.data() + size.size(), into.size_bytes);
  if (ec != std::errc{} || end != size.data() + size.size() || into.size_bytes > kFileBytesMax ||
      (size.size() > 1 && size[0] == '0'))
    return "the size is not a decimal number below 2^63";
  const std::string_view path = rest.substr(blank + 1);
  if (!is_safe_repo_path(path)) return "the path is not one of a repository";
  into.path.assign(path);
  return nullptr;
}

Error bad_at(std::size_t position, std::string_view why) {
  return {Errc::BadInput, "manifest is malformed at byte " + std::to_string(position) + ": " + std::string(why)};
}
}  // namespace

std::uint64_t Manifest::total_bytes() const {
  std::uint64_t sum = 0;
  for (const ManifestFile& f : files) sum += f.size_bytes;
  return sum;
}

std::string render_manifest(const Manifest& manifest) {
  static constexpr std::size_t kSizeCharsMax = 20;
  std::size_t bytes = 0;
  for (const ManifestFile& f : manifest.files) bytes += kFixedChars + kSizeCharsMax + 2 + f.path.size();
  std::string out;
  out.reserve(bytes);
  for (const ManifestFile& f : manifest.files) {
    std::array<char, kSizeCharsMax> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), f.size_bytes).ptr;
    out.append(text_of(f.mode)).push_back(' ');
    out.append(f.git_oid.hex()).push_back(' ');
    out.append(f.sha256.hex()).push_back(' ');
    out.append(digits.data(), end).push_back(' ');
    out.append(f.path).push_back('\0');
  }
  return out;
}

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kManifestBytesMax)
    return bad_at(kManifestBytesMax, "it is longer than " + human_bytes(kManifestBytesMax));
  Manifest out;
  for (std::size_t at = 0; at < text.size();) {
    const auto nul = text.find('\0', at);
    if (nul == text.npos) return bad_at(at, "the last line does not end in NUL");
    ManifestFile file;
    if (const char* why = parse_line(text.substr(at, nul - at), file)) return bad_at(at, why);
    if (!out.files.empty() && out.files.back().path >= file.path)
      return bad_at(at, out.files.back().path == file.path ? "a path occurs twice" : "paths are not sorted by bytes");
    out.files.push_back(std::move(file));
    at = nul + 1;
  }
  return out;
}

Sha256 manifest_id(std::string_view rendered) { return sha256(rendered); }

std::string pack_manifest(const Manifest& manifest) {
  const std::string text = render_manifest(manifest);
  std::string out;
  out.reserve(8 + text.size() + manifest.files.size() / 8 + 1);
  out.append(key::u64(text.size())).append(text);
  std::string bits((manifest.files.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    if (manifest.files[i].is_lfs)
      bits[i / 8] = static_cast<char>(static_cast<unsigned char>(bits[i / 8]) | (1U << (i % 8)));
  }
  return out.append(bits);
}

Result<Manifest> unpack_manifest(std::string_view stored, const Sha256& expected) {
  const auto length = stored.size() < 8 ? std::nullopt : key::parse_u64(stored.substr(0, 8));
  if (!length || *length > stored.size() - 8)
    return Error{Errc::Corrupt, "stored manifest " + expected.hex() + " is truncated"};
  const std::string_view text = stored.substr(8, *length), bits = stored.substr(8 + *length);
  if (const Sha256 actual = manifest_id(text); actual != expected) {
    return Error{Errc::Corrupt, "stored manifest hashes to " + actual.hex() + ", its key is " + expected.hex()};
  }
  HM_TRY(Manifest out, parse_manifest(text));
  if (bits.size() != (out.files.size() + 7) / 8)
    return Error{Errc::Corrupt, "stored manifest " + expected.hex() + " has " + std::to_string(bits.size()) +
                                    " bytes of flags for " + std::to_string(out.files.size()) + " files"};
  for (std::size_t i = 0; i < out.files.size(); ++i)
    out.files[i].is_lfs = (static_cast<unsigned char>(bits[i / 8]) >> (i % 8)) & 1;
  return out;
}
}  // namespace hm::storage
