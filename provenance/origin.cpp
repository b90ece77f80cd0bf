#include "provenance/origin.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/csv.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "provenance/embedded.hpp"

namespace hm::provenance {
namespace {
constexpr std::size_t kFileBytesMax = 16 << 20, kFilesMax = 256;
constexpr std::array<std::string_view, 7> kHead{"owner", "entity", "jurisdiction", "sector", "source", "read", "note"};
constexpr std::array<std::string_view, kSectors> kSectorNames{"unknown", "industry", "academic", "independent",
                                                              "public"};
/// ISO 3166-1 alpha-2, the officially assigned ones.
constexpr std::string_view kCountries =
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZ"
    "DEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJM"
    "JOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONP"
    "NRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTO"
    "TRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";
static_assert(kCountries.size() == 2 * 249);

std::optional<Sector> parse_sector(std::string_view word) {
  if (word.empty()) return Sector::Unknown;
  for (std::size_t i = 1; i < kSectors; ++i)
    if (kSectorNames[i] == word) return static_cast<Sector>(i);
  return std::nullopt;
}
bool is_source(std::string_view urls) {
  for (const std::string_view url : split(urls, ' ')) {
    if (!url.starts_with("https://") && !url.starts_with("http://")) return false;
    if (url.substr(url.find("//") + 2).find_first_not_of('/') != 0) return false;
  }
  return true;
}
/// A day that there is, as YYYY-MM-DD.
bool is_day(std::string_view text) {
  const auto ms = text.size() == 10 ? parse_iso8601(std::string(text) + "T00:00:00Z") : std::nullopt;
  return ms && iso8601(*ms).substr(0, 10) == text;
}

/// @returns what is wrong with it.
Result<Origin> read_row(const std::vector<std::string>& fields, const std::string& list) {
  const auto bad = [](std::string what) { return Error{Errc::BadInput, std::move(what)}; };
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (printable(fields[i]) != fields[i])
      return bad(std::string(kHead[i]) + " holds bytes that cannot be shown: \"" + printable(fields[i]) + "\"");
  Origin row{fields[0], fields[1], fields[2], Sector::Unknown, fields[4], fields[5], fields[6], list};
  if (row.owner.find('/') != std::string::npos || !is_valid_repo_name(row.owner))
    return bad("owner \"" + row.owner +
               "\" is no namespace of the Hub: write the part of a repository's name before the '/'");
  if (!row.jurisdiction.empty() && !is_jurisdiction(row.jurisdiction))
    return bad("jurisdiction \"" + row.jurisdiction +
               "\" is no code of ISO 3166-1 alpha-2: write two capitals, e.g. DE or GB, or nothing for unknown");
  const auto sector = parse_sector(fields[3]);
  if (!sector)
    return bad("sector \"" + fields[3] +
               "\" is none of industry, academic, independent, public; write nothing for unknown");
  row.sector = *sector;
  if (!is_source(row.source))
    return bad("source \"" + row.source +
               "\" is no URL; every row tells where its facts were read: https://…, several with a blank between them");
  if (!is_day(row.read))
    return bad("read \"" + row.read + "\" is no day: write when the source was read, e.g. 2026-11-28");
  return row;
}
}  // namespace

bool is_jurisdiction(std::string_view code) {
  for (std::size_t at = 0; at < kCountries.size(); at += 2)
    if (kCountries.substr(at, 2) == code) return true;
  return false;
}
std::string_view name_of(Sector sector) { return kSectorNames[static_cast<std::size_t>(sector)]; }
std::string_view shown_jurisdiction(const Origin& origin) {
  return origin.jurisdiction.empty() ? std::string_view("unknown") : std::string_view(origin.jurisdiction);
}

Result<OriginTable> OriginTable::built_in() {
  OriginTable table;
  for (const EmbeddedFile& file : embedded::origins()) {
    HM_TRY(table.add(file.bytes, std::string(file.name)));
  }
  return table;
}

Result<> OriginTable::add(std::string_view csv, const std::string& list) {
  const auto at_line = [&](std::size_t line, const std::string& what) {
    return Error{Errc::BadInput, printable(list) + ":" + std::to_string(line) + ": " + what};
  };
  const auto parsed = parse_csv(csv);
  if (!parsed) return Error{Errc::BadInput, printable(list) + ": " + parsed.assume_error().what};
  const auto& rows = parsed.assume_value();
  if (rows.empty() || !std::equal(kHead.begin(), kHead.end(), rows[0].fields.begin(), rows[0].fields.end()))
    return at_line(1, "the first row has to be owner,entity,jurisdiction,sector,source,read,note");
  std::map<std::string, Origin, std::less<>> added;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    auto row = read_row(rows[i].fields, list);
    if (!row) return at_line(rows[i].line, row.assume_error().what);
    std::string owner = ascii_lower(row.assume_value().owner);
    if (added.contains(owner))
      return at_line(rows[i].line, "owner \"" + row.assume_value().owner + "\" is there twice; keep one of the rows");
    added.emplace(std::move(owner), std::move(row.assume_value()));
  }
  added.merge(rows_);  // those of rows_ that are not in `added`
  rows_ = std::move(added);
  return ok();
}

Result<> OriginTable::add_folder(FileSystem& fs, const std::string& folder) {
  HM_TRY(const auto entries,
         within(fs.list(folder), [&] { return "reading the folder of origins " + printable(folder); }));
  std::set<std::string> names;
  for (const DirectoryEntry& entry : entries)
    if (entry.is_regular && entry.name.ends_with(".csv")) names.insert(entry.name);
  if (names.size() > kFilesMax)
    return Error{Errc::Refused, printable(folder) + " holds more than " + std::to_string(kFilesMax) + " tables"};
  OriginTable operators;
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    HM_TRY(const std::string text, read_small_file(fs, path, kFileBytesMax));
    OriginTable one;
    HM_TRY(one.add(text, path));
    for (auto& [owner, row] : one.rows_) {
      if (const Origin* other = operators.find(owner))
        return Error{Errc::BadInput, printable(path) + ": owner \"" + row.owner + "\" is also in " +
                                         printable(other->list) + "; keep one of the rows"};
      operators.rows_.emplace(owner, std::move(row));
    }
  }
  operators.rows_.merge(rows_);
  rows_ = std::move(operators.rows_);
  return ok();
}

const Origin* OriginTable::find(std::string_view owner) const {
  const auto it = rows_.find(ascii_lower(owner));
  return it == rows_.end() ? nullptr : &it->second;
}

std::vector<const Origin*> OriginTable::all() const {
  std::vector<const Origin*> out;
  for (const auto& [owner, row] : rows_) out.push_back(&row);
  return out;
}

std::string FamilyOrigin::text() const {
  std::string out;
  for (const OriginShare& part : parts) {
    if (!out.empty()) out += ", ";
    out += part.jurisdiction.empty() ? "unknown" : part.jurisdiction;
    if (part.sector != Sector::Unknown) out += " " + std::string(name_of(part.sector));
    for (std::size_t i = 0; i < part.owners.size(); ++i) out += (i == 0 ? " (" : ", ") + printable(part.owners[i]);
    if (!part.owners.empty()) out += ")";
    if (parts.size() > 1) out += " " + percent_text(part.weight, weight) + " %";
  }
  return out.empty() ? "unknown" : out;
}

FamilyOrigin origin_of_family(const OriginTable& table, const std::vector<RootOwner>& roots) {
  FamilyOrigin out;
  for (const RootOwner& root : roots) {
    const Origin* origin = table.find(root.owner);
    const std::string jurisdiction = origin != nullptr ? origin->jurisdiction : std::string();
    const Sector sector = origin != nullptr ? origin->sector : Sector::Unknown;
    auto part = std::find_if(out.parts.begin(), out.parts.end(), [&](const OriginShare& p) {
      return p.jurisdiction == jurisdiction && p.sector == sector;
    });
    if (part == out.parts.end()) part = out.parts.insert(part, OriginShare{jurisdiction, sector, {}, 0});
    const auto at = std::lower_bound(part->owners.begin(), part->owners.end(), root.owner);
    if (at == part->owners.end() || *at != root.owner) part->owners.insert(at, root.owner);
    part->weight += root.weight;
    out.weight += root.weight;
  }
  std::stable_sort(out.parts.begin(), out.parts.end(),
                   [](const OriginShare& a, const OriginShare& b) { return a.weight > b.weight; });
  return out;
}
}  // namespace hm::provenance
