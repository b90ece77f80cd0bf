// provenance/file_facts.hpp: what the files of one published revision say of it, read once when it is published and
// kept as a document: the claims of model files, and which licence its licence texts are. Layer 4. Threads: reading
// blocks on the files. docs/formats/model_files.md
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/claims.hpp"
#include "provenance/licence/recognise.hpp"
#include "storage/index.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::provenance {
struct LicenceText {
  std::string file;
  licence::Recognised recognised;
};
struct FileFacts {
  std::vector<formats::FileClaims> files;  ///< by path; files that say nothing are left out
  std::vector<LicenceText> licences;       ///< by path
  std::vector<std::string> notices;        ///< paths of NOTICE files
  std::uint64_t unread = 0;                ///< files that would have been read, but for the bounds below
  bool empty() const { return files.empty() && licences.empty() && notices.empty() && unread == 0; }
};
inline constexpr std::size_t kFilesReadMax = 2'048;  ///< of one revision; the largest sharded models have hundreds
inline constexpr std::size_t kFactBytesMax = 16
                                             << 20;  ///< of what they say, about; from where it is met on, none is read

/// LICENSE, LICENCE.txt, COPYING, …, also in folders; not what a card calls otherwise.
bool is_licence_file(std::string_view path);
bool is_notice_file(std::string_view path);
/// Whether the bytes of this file matter to FileReader.
bool says_something(const storage::ManifestFile& file);

/// The bytes of one file of the manifest; null: they are not here, and the file counts as unread.
using OpenFile = std::function<Result<std::unique_ptr<formats::ByteSource>>(const storage::ManifestFile&)>;
/// Reads revisions one after the other and remembers the files that they share. One thread.
class FileReader {
 public:
  /// A file that is broken is a finding among its claims. @returns what `open` or a source returned.
  Result<FileFacts> read(const storage::Manifest& manifest, const OpenFile& open);

 private:
  using Read = std::variant<formats::FileClaims, LicenceText>;
  Result<const Read*> read_one(const storage::ManifestFile& file, const formats::ByteSource& source);
  /// Null: it is not here.
  Result<const Read*> remembered_or_read(const storage::ManifestFile& file, const OpenFile& open);
  std::map<std::pair<Sha256, std::string>, Read> read_;  ///< by bytes and path
  std::size_t remembered_bytes_ = 0;
};

/// Canonical JSON.
std::string render_file_facts(const FileFacts& facts);
Result<FileFacts> parse_file_facts(std::string_view document);  ///< @returns Corrupt
/// Those of a published revision; empty where its files say nothing. @returns Corrupt.
Result<FileFacts> file_facts_of(const storage::Index& index, const storage::SnapshotRow& snapshot);
}  // namespace hm::provenance
