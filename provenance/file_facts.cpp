#include "provenance/file_facts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/canonical_json.hpp"
#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/licence/catalogue.hpp"

namespace hm::provenance {
namespace {
using licence::Method;
constexpr std::array<std::string_view, 4> kMethods{"none", "digest", "phrases", "similar"};
constexpr std::size_t kRememberedBytesMax = 32 << 20;
constexpr std::size_t kEntryBytes = 128;  // of an object beside its texts, about
constexpr double kScoreUnits = 10'000;    // stored as a whole number: canonical JSON has no others

Error corrupt() {
  return {Errc::Corrupt,
          "the index holds malformed facts of files; run: hubmirror index rebuild, and hubmirror verify"};
}
std::string lower_base_name(std::string_view path) { return ascii_lower(path.substr(path.rfind('/') + 1)); }
json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& one : list) out.emplace_back(one);
  return out;
}
Result<std::vector<std::string>> texts_in(const json::object& from, const char* field) {
  const json::value* list = from.if_contains(field);
  if (list == nullptr || !list->is_array()) return corrupt();
  std::vector<std::string> out;
  for (const json::value& one : list->get_array()) {
    if (!one.is_string()) return corrupt();
    out.emplace_back(std::string_view(one.get_string()));
  }
  return out;
}

Result<licence::Recognised> recognise_source(const licence::Catalogue& catalogue, const formats::ByteSource& source) {
  if (source.size_bytes() > licence::kLicenceTextBytesMax) return licence::Recognised{};
  std::vector<std::byte> bytes(static_cast<std::size_t>(source.size_bytes()));
  HM_TRY(const std::size_t count, source.read_at(0, bytes));
  return licence::recognise(catalogue, {reinterpret_cast<const char*>(bytes.data()), count});
}

std::size_t bytes_of(const formats::FileClaims& file) {
  std::size_t bytes = kEntryBytes + file.file.size();
  for (const formats::Claim& claim : file.claims)
    bytes += kEntryBytes + claim.file.size() + claim.field.size() + claim.text.size() + claim.revision.size();
  for (const std::string& finding : file.findings) bytes += kEntryBytes + finding.size();
  return bytes;
}
std::size_t bytes_of(const LicenceText& text) {
  std::size_t bytes = kEntryBytes + text.file.size() + text.recognised.id.size() + text.recognised.nearest.size();
  for (const std::string& id : text.recognised.same_text) bytes += kEntryBytes + id.size();
  return bytes;
}

Result<LicenceText> licence_in(const json::object& from) {
  const auto method = std::find(kMethods.begin(), kMethods.end(), text_of(from, "method"));
  if (method == kMethods.end()) return corrupt();
  LicenceText out{text_of(from, "file"), {}};
  out.recognised.id = text_of(from, "id");
  out.recognised.method = static_cast<Method>(method - kMethods.begin());
  out.recognised.score = static_cast<double>(number_of(from, "score")) / kScoreUnits;
  out.recognised.nearest = text_of(from, "nearest");
  HM_TRY(out.recognised.same_text, texts_in(from, "same_text"));
  return out;
}
}  // namespace

bool is_licence_file(std::string_view path) {
  const std::string name = lower_base_name(path);
  for (const std::string_view word : {"license", "licence", "copying", "use_policy", "use-policy"})
    if (name == word ||
        (name.starts_with(word) && std::string_view(".-_ ").find(name[word.size()]) != std::string_view::npos &&
         !name.ends_with(".py")))
      return true;
  return false;
}
bool is_notice_file(std::string_view path) {
  const std::string name = lower_base_name(path);
  return name == "notice" || name.starts_with("notice.");
}
bool says_something(const storage::ManifestFile& file) {
  return file.mode != storage::FileMode::Symlink &&
         (is_licence_file(file.path) || formats::is_read(file.path, file.size_bytes));
}

Result<const FileReader::Read*> FileReader::read_one(const storage::ManifestFile& file,
                                                     const formats::ByteSource& source) {
  static const auto catalogue = licence::Catalogue::built_in();
  if (!catalogue) return catalogue.error();
  const auto where = [&] { return "reading what " + printable(file.path) + " says"; };
  Read read;
  if (is_licence_file(file.path)) {
    HM_TRY(auto recognised, within(recognise_source(catalogue.value(), source), where));
    read = LicenceText{printable(file.path), std::move(recognised)};
  } else {
    HM_TRY(read, within(formats::read_claims(file.path, source), where));
  }
  const std::size_t bytes = file.path.size() + std::visit([](const auto& one) { return bytes_of(one); }, read);
  if (remembered_bytes_ + bytes > kRememberedBytesMax) read_.clear(), remembered_bytes_ = 0;
  remembered_bytes_ += bytes;
  return &read_.insert_or_assign({file.sha256, file.path}, std::move(read)).first->second;
}

Result<const FileReader::Read*> FileReader::remembered_or_read(const storage::ManifestFile& file,
                                                               const OpenFile& open) {
  if (const auto known = read_.find({file.sha256, file.path}); known != read_.end()) return &known->second;
  HM_TRY(const auto source, open(file));
  if (source == nullptr) return static_cast<const Read*>(nullptr);
  return read_one(file, *source);
}

/// What was read before and is remembered counts as if it were read now: a revision says the same whenever it is asked.
Result<FileFacts> FileReader::read(const storage::Manifest& manifest, const OpenFile& open) {
  FileFacts out;
  std::size_t count = 0, bytes = 0;
  for (const storage::ManifestFile& file : manifest.files) {
    if (is_notice_file(file.path)) out.notices.push_back(printable(file.path));
    if (!says_something(file)) continue;
    const Read* read = nullptr;
    if (++count <= kFilesReadMax && bytes <= kFactBytesMax) {
      HM_TRY(read, remembered_or_read(file, open));
    }
    if (read != nullptr) bytes += std::visit([](const auto& one) { return bytes_of(one); }, *read);
    if (read == nullptr || bytes > kFactBytesMax) {
      ++out.unread;
    } else if (const auto* text = std::get_if<LicenceText>(read)) {
      out.licences.push_back(*text);
    } else if (const auto& claims = std::get<formats::FileClaims>(*read);
               !claims.claims.empty() || !claims.findings.empty()) {
      out.files.push_back(claims);
    }
  }
  return out;
}

std::string render_file_facts(const FileFacts& facts) {
  json::array files, licences;
  for (const formats::FileClaims& file : facts.files) files.push_back(parse_json(formats::render_claims(file)).value());
  for (const LicenceText& text : facts.licences)
    licences.push_back(
        json::object{{"file", text.file},
                     {"id", text.recognised.id},
                     {"method", json::string(kMethods[static_cast<std::size_t>(text.recognised.method)])},
                     {"nearest", text.recognised.nearest},
                     {"same_text", texts(text.recognised.same_text)},
                     {"score", static_cast<std::int64_t>(std::lround(text.recognised.score * kScoreUnits))}});
  const json::object all{{"files", std::move(files)},
                         {"licences", std::move(licences)},
                         {"notices", texts(facts.notices)},
                         {"unread", static_cast<std::int64_t>(facts.unread)}};
  return canonical_json(all).value();  // printable texts and whole numbers: nothing that it refuses
}

Result<FileFacts> parse_file_facts(std::string_view document) {
  HM_TRY(const json::value value, parse_canonical_json(document));
  if (!value.is_object()) return corrupt();
  const json::object& all = value.get_object();
  const json::value *files = all.if_contains("files"), *licences = all.if_contains("licences");
  if (files == nullptr || !files->is_array() || licences == nullptr || !licences->is_array()) return corrupt();
  FileFacts out;
  for (const json::value& file : files->get_array()) {
    HM_TRY(const std::string text, canonical_json(file));
    const auto claims = formats::parse_claims(text);
    if (!claims) return corrupt();
    out.files.push_back(claims.value());
  }
  for (const json::value& text : licences->get_array()) {
    if (!text.is_object()) return corrupt();
    HM_TRY(auto one, licence_in(text.get_object()));
    out.licences.push_back(std::move(one));
  }
  HM_TRY(out.notices, texts_in(all, "notices"));
  out.unread = static_cast<std::uint64_t>(number_of(all, "unread"));
  return out;
}

Result<FileFacts> file_facts_of(const storage::Index& index, const storage::SnapshotRow& snapshot) {
  if (!snapshot.said) return FileFacts{};
  HM_TRY(const auto document, index.get(storage::Family::Documents, snapshot.said->view()));
  if (!document)
    return Error{Errc::Corrupt,
                 "document " + snapshot.said->hex() + " of commit " + snapshot.commit.hex() + " is not stored"};
  return parse_file_facts(*document);
}
}  // namespace hm::provenance
