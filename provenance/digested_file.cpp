#include "provenance/digested_file.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "provenance/formats/gguf.hpp"
#include "provenance/formats/safetensors.hpp"
#include "storage/key_space.hpp"
#include "storage/manifest.hpp"
#include "storage/tensor_rows.hpp"

namespace hm::provenance {
namespace key = storage::key;
using formats::Excluded;
using formats::TensorDigest;
using storage::Family;

namespace {
constexpr std::string_view kFirstWord = "tensors-v1";
constexpr char kEnd = '\0';
constexpr std::array kExcluded{std::pair{Excluded::No, std::string_view("-")},
                               std::pair{Excluded::Small, std::string_view("small")},
                               std::pair{Excluded::Constant, std::string_view("constant")},
                               std::pair{Excluded::Buffer, std::string_view("buffer")}};

bool is_gguf(std::string_view path) { return ascii_lower(path).ends_with(".gguf"); }

/// One word of a line: no blank, no control byte.
std::string word(std::string_view text) {
  std::string out = printable(text);
  for (char& c : out)
    if (c == ' ') c = '_';
  return out.empty() ? "-" : out;
}
std::string text_of(const std::optional<Sha256>& digest) { return digest ? digest->hex() : "-"; }

/// Takes the words of a line one after the other.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string_view next() {
    const std::size_t blank = rest_.find(' ');
    const std::string_view out = rest_.substr(0, blank);
    rest_ = blank == rest_.npos ? std::string_view() : rest_.substr(blank + 1);
    return out;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

bool take_digest(std::string_view text, std::optional<Sha256>& into) {
  if (text == "-") return true;
  into = Sha256::parse(text);
  return into.has_value();
}
/// Canonical: no leading zero.
bool take_number(std::string_view text, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && (text.size() == 1 || !text.starts_with('0'));
}

bool take_tensor(std::string_view line, TensorDigest& into) {
  Words words(line);
  if (!from_hex(words.next(), into.content.bytes)) return false;
  if (!take_digest(words.next(), into.as_bf16) || !take_digest(words.next(), into.as_f16)) return false;
  if (!take_number(words.next(), into.length_bytes)) return false;
  const std::string_view excluded = words.next();
  bool known = false;
  for (const auto& [value, name] : kExcluded)
    if (name == excluded) into.excluded = value, known = true;
  into.dtype = words.next();
  if (const std::string_view dims = words.next(); dims != "-")
    for (const std::string_view dim : split(dims, ','))
      if (!take_number(dim, into.dims.emplace_back())) return false;
  into.name = words.rest();
  return known;
}

Error corrupt(std::size_t at) {
  return {Errc::Corrupt, "the stored digests of a file's tensors are malformed at byte " + std::to_string(at)};
}
}  // namespace

std::uint64_t DigestedFile::tensor_bytes() const {
  std::uint64_t sum = 0;
  for (const TensorDigest& tensor : tensors) sum += tensor.length_bytes;
  return sum;
}

bool is_tensor_file(const storage::ManifestFile& file) {
  return file.mode != storage::FileMode::Symlink &&
         (is_gguf(file.path) || ascii_lower(file.path).ends_with(".safetensors"));
}

Result<DigestedFile> digest_file(std::string_view path, const formats::ByteSource& source,
                                 formats::DigestOptions options) {
  formats::ModelHeader header;
  if (is_gguf(path)) {
    HM_TRY(formats::read_gguf(source, header));
  } else {
    HM_TRY(formats::read_safetensors(source, header));
  }
  if (header.tensors.size() > kDigestedTensorsMax)
    return formats::bad_file("it has " + std::to_string(header.tensors.size()) + " tensors; no more than " +
                             std::to_string(kDigestedTensorsMax) + " are digested");
  if (header.big_endian) options.casts = options.value32 = false;  // they take numbers to be little-endian
  HM_TRY(auto tensors, formats::digest_tensors(source, header.tensors, options));
  for (TensorDigest& tensor : tensors) tensor.name = printable(tensor.name), tensor.dtype = word(tensor.dtype);
  return DigestedFile{header.format, source.size_bytes(), std::move(tensors)};
}

std::string render_digests(const DigestedFile& file) {
  std::string out = std::string(kFirstWord) + " " + file.format + " " + std::to_string(file.size_bytes) + kEnd;
  for (const TensorDigest& tensor : file.tensors) {
    out += tensor.content.hex() + " " + text_of(tensor.as_bf16) + " " + text_of(tensor.as_f16) + " " +
           std::to_string(tensor.length_bytes) + " ";
    for (const auto& [value, name] : kExcluded)
      if (value == tensor.excluded) out += name;
    out += " " + tensor.dtype + " ";
    for (std::size_t i = 0; i < tensor.dims.size(); ++i) out += (i == 0 ? "" : ",") + std::to_string(tensor.dims[i]);
    out += (tensor.dims.empty() ? "- " : " ") + tensor.name + kEnd;
  }
  return out;
}

Result<DigestedFile> parse_digests(std::string_view document) {
  DigestedFile out;
  for (std::size_t at = 0; at < document.size();) {
    const std::size_t end = document.find(kEnd, at);
    if (end == document.npos) return corrupt(at);
    const std::string_view line = document.substr(at, end - at);
    if (at == 0) {
      Words words(line);
      if (words.next() != kFirstWord) return corrupt(at);
      out.format = words.next();
      if (!take_number(words.rest(), out.size_bytes)) return corrupt(at);
    } else if (!take_tensor(line, out.tensors.emplace_back())) {
      return corrupt(at);
    }
    at = end + 1;
  }
  if (out.format.empty()) return corrupt(0);
  return out;
}

void put_tensor_rows(storage::Batch& batch, const Sha256& file, const DigestedFile& digests) {
  for (const TensorDigest& tensor : digests.tensors) {
    if (tensor.excluded != Excluded::No) continue;
    const std::string length = key::u64(tensor.length_bytes);
    batch.put(Family::Tensors, key::tensor(tensor.content, file), length);
    for (const auto* digest : {&tensor.as_bf16, &tensor.as_f16})
      if (*digest) batch.put(Family::Tensors, key::tensor(**digest, file), length);
  }
}

Result<DigestedFiles> digested_files_of(const storage::Index& index, const storage::SnapshotRow& snapshot) {
  HM_TRY(const auto packed, index.get(Family::Manifests, snapshot.manifest.view()));
  if (!packed) return Error{Errc::Corrupt, "manifest " + snapshot.manifest.hex() + " is not stored"};
  HM_TRY(const auto manifest, storage::unpack_manifest(*packed, snapshot.manifest));
  DigestedFiles out;
  std::set<Sha256> seen;
  for (const storage::ManifestFile& file : manifest.files) {
    if (!is_tensor_file(file) || !seen.insert(file.sha256).second) continue;
    HM_TRY(const auto document, storage::digests_document(index, file.sha256));
    if (document)
      out.digested.push_back({file.sha256, *document});
    else
      ++out.undigested;
  }
  return out;
}

Result<std::vector<TensorDigest>> read_tensors(const storage::Index& index, const DigestedFiles& files) {
  std::vector<TensorDigest> out;
  for (const DigestedFiles::One& one : files.digested) {
    HM_TRY(const auto document, index.get(Family::Documents, one.document.view()));
    if (!document) return Error{Errc::Corrupt, "document " + one.document.hex() + " of the journal is not stored"};
    HM_TRY(auto digests, parse_digests(*document));
    for (TensorDigest& tensor : digests.tensors) {
      tensor.name = tensor.dtype = std::string();  // clear() would keep their memory
      tensor.dims = std::vector<std::uint64_t>();
      out.push_back(std::move(tensor));
    }
  }
  return out;
}
}  // namespace hm::provenance
