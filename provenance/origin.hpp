// provenance/origin.hpp: who stands behind an owner on the Hub: legal entity, jurisdiction, sector, by a curated table
// with a source for every row. Layer 4; values. docs/origins.md Nothing is inferred from a name, a language or a place
// of storage: what no row says is unknown. Threads: a table is not changed once it is made.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::provenance {
enum class Sector : std::uint8_t { Unknown, Industry, Academic, Independent, Public };
inline constexpr std::size_t kSectors = 5;
std::string_view name_of(Sector sector);  ///< "unknown", "industry", …

struct Origin {
  std::string owner;         ///< namespace on the Hub, as spelled there
  std::string entity;        ///< as the source names it; "" unknown
  std::string jurisdiction;  ///< ISO 3166-1 alpha-2; "" unknown
  Sector sector = Sector::Unknown;
  std::string source;  ///< URLs with a blank between them
  std::string read;    ///< when they were read: "2026-11-28"
  std::string note;
  std::string list;  ///< which table says so: the name of a built-in file, or the path of an operator's
};
/// An officially assigned code of ISO 3166-1 alpha-2.
bool is_jurisdiction(std::string_view code);
/// "unknown" for "".
std::string_view shown_jurisdiction(const Origin& origin);

class OriginTable {
 public:
  OriginTable() = default;  ///< knows nobody
  /// The table in the program (config/origins/).
  static Result<OriginTable> built_in();
  /// Takes the rows of a CSV file: those already there give way, whole. @param list where the text is from.
  /// @returns BadInput "FILE:LINE: what, why, what to write"; nothing is taken then.
  Result<> add(std::string_view csv, const std::string& list);
  /// Takes all *.csv of a folder, in the order of their names; an owner in two of them is BadInput. @returns NotFound.
  Result<> add_folder(FileSystem& fs, const std::string& folder);

  const Origin* find(std::string_view owner) const;  ///< without case; null: nothing is known
  std::vector<const Origin*> all() const;            ///< by owner
  std::size_t size() const { return rows_.size(); }

 private:
  std::map<std::string, Origin, std::less<>> rows_;  ///< by owner in lower case
};

/// An owner of root bases of a family, and how much of it they are.
struct RootOwner {
  std::string owner;
  std::uint64_t weight = 1;
};
struct OriginShare {
  std::string jurisdiction;  ///< "" unknown
  Sector sector = Sector::Unknown;
  std::vector<std::string> owners;  ///< sorted
  std::uint64_t weight = 0;
};
/// The origin of a family: that of its root bases. Several stay several, what is unknown is a part of its own.
struct FamilyOrigin {
  std::vector<OriginShare> parts;  ///< largest first
  std::uint64_t weight = 0;        ///< of all parts
  /// "CN (Qwen)", or with shares when there are several: "CN (Qwen) 75.0 %, unknown (somebody) 25.0 %".
  std::string text() const;
};
FamilyOrigin origin_of_family(const OriginTable& table, const std::vector<RootOwner>& roots);
}  // namespace hm::provenance
