#include "mirror/git/packed_refs.hpp"

#include "base/text.hpp"

namespace hm::mirror {
namespace {
constexpr std::string_view kHeader = "# pack-refs with: peeled fully-peeled sorted \n";
constexpr std::size_t kLooseRefBytesMax = 4096;  // an oid and a newline, or "ref: " and a name
constexpr int kRefDirectoryDepthMax = 128;       // of loose refs; names have at most kRefNameBytesMax bytes

Error corrupt_line(std::size_t number, std::string_view why) {
  return {Errc::Corrupt, "packed-refs line " + std::to_string(number) + ": " + std::string(why)};
}

bool is_forbidden_byte(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
         std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos;
}

bool is_valid_component(std::string_view part) {
  return !part.empty() && part.front() != '.' && part.back() != '.' && !part.ends_with(".lock") &&
         part.find("..") == std::string_view::npos && part.find("@{") == std::string_view::npos;
}

Result<> collect_loose(FileSystem& fs, const std::string& directory, const std::string& name_prefix, int depth,
                       std::map<std::string, GitOid>& into) {
  if (depth > kRefDirectoryDepthMax) return Error{Errc::Refused, directory + " is nested too deep for refs"};
  HM_TRY(const auto entries, fs.list(directory));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = directory + "/" + entry.name, name = name_prefix + entry.name;
    if (entry.is_directory) {
      HM_TRY(collect_loose(fs, path, name + "/", depth + 1, into));
      continue;
    }
    if (!entry.is_regular || !is_valid_ref_name(name)) continue;  // lock files and other debris
    HM_TRY(const std::string text, read_small_file(fs, path, kLooseRefBytesMax));
    if (text.starts_with("ref:")) continue;
    const auto oid = GitOid::parse(trim(text));
    if (!oid) return Error{Errc::Corrupt, path + " holds no object id"};
    into.emplace(name, *oid);
  }
  return ok();
}
}  // namespace

bool is_valid_ref_name(std::string_view name) {
  if (!name.starts_with("refs/") || name.size() > kRefNameBytesMax) return false;
  for (const char c : name) {
    if (is_forbidden_byte(c)) return false;
  }
  const auto parts = split(name, '/');
  for (const std::string_view part : parts) {
    if (!is_valid_component(part)) return false;
  }
  return true;
}

Result<PackedRefs> parse_packed_refs(std::string_view text) {
  PackedRefs refs;
  auto last = refs.end();
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto newline = text.find('\n');
    if (newline == std::string_view::npos) return corrupt_line(number, "no newline at the end");
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline + 1);
    if (line.starts_with('#')) continue;
    if (line.starts_with('^')) {
      const auto peeled = GitOid::parse(line.substr(1));
      if (!peeled || last == refs.end() || last->second.peeled) return corrupt_line(number, "misplaced peeled id");
      last->second.peeled = peeled;
      continue;
    }
    const auto oid = line.size() > 41 && line[40] == ' ' ? GitOid::parse(line.substr(0, 40)) : std::nullopt;
    if (!oid) return corrupt_line(number, "not \"<40 hex> <name>\"");
    const std::string_view name = line.substr(41);
    if (!is_valid_ref_name(name)) return corrupt_line(number, "invalid ref name " + printable(name));
    const std::size_t before = refs.size();
    last = refs.emplace_hint(refs.end(), std::string(name), PackedRef{*oid, std::nullopt});
    if (refs.size() == before) return corrupt_line(number, "second line for " + std::string(name));
  }
  return refs;
}

std::string render_packed_refs(const PackedRefs& refs) {
  std::string out(kHeader);
  for (const auto& [name, ref] : refs) {
    out.append(ref.oid.hex()).append(" ").append(name).append("\n");
    if (ref.peeled) out.append("^").append(ref.peeled->hex()).append("\n");
  }
  return out;
}

Result<RefFiles> read_ref_files(FileSystem& fs, const std::string& repository_path) {
  RefFiles files;
  const std::string packed_path = repository_path + "/packed-refs";
  if (fs.exists(packed_path)) {
    HM_TRY(const std::uint64_t size, fs.file_size(packed_path));
    if (size > kPackedRefsBytesMax) return Error{Errc::Refused, packed_path + " is larger than any we write"};
    HM_TRY(const std::string text, read_small_file(fs, packed_path, static_cast<std::size_t>(size) + 1));
    HM_TRY(files.packed, within(parse_packed_refs(text), [&] { return "reading " + packed_path; }));
  }
  HM_TRY(collect_loose(fs, repository_path + "/refs", "refs/", 0, files.loose));
  return files;
}

Result<> write_packed_refs(FileSystem& fs, const std::string& repository_path, const PackedRefs& refs) {
  return replace_file(fs, repository_path + "/packed-refs", render_packed_refs(refs));
}
}  // namespace hm::mirror
