// provenance/listing.hpp: what one item of a Hub's listing says of a repository. Layer 4; pure functions. A field that
// is absent or of the wrong type is unknown, not an error: the listing of a whole Hub does not stop at one repository.
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "storage/columns.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance {
/// What changes by itself, without anybody touching the repository.
struct Popularity {
  std::uint64_t downloads = 0, likes = 0;
  std::uint64_t trending = 0;  ///< thousandths
};

struct Listing {
  RepoId repo;
  Rid rid;
  std::optional<Popularity> popularity;  ///< none: what is stored stays
  json::object fields;                   ///< the other fields, as received
  std::string facts;                     ///< their JSON text
};
/// Splits an item into what is popularity and what is fact.
Listing read_listing(const RepoId& repo, const Rid& rid, json::object item);

enum class BaseRelation : std::uint8_t { Unknown = 0, Finetune, Adapter, Quantized, Merge };  ///< values are on disk
struct Base {
  BaseRelation relation = BaseRelation::Unknown;
  RepoKey key;
};
/// The facts as policies and searches ask for them.
struct ListingFacts {
  std::string visibility = "public";  ///< public, gated-auto, gated-manual, private
  bool disabled = false;
  std::optional<Commit> head;
  std::int64_t created_ms = 0, modified_ms = 0;     ///< 0 = not known
  std::uint64_t parameters = 0, storage_bytes = 0;  ///< 0 = not known
  std::string library, task;                        ///< "" = none
  std::vector<std::string> licences;                ///< as the tags say, without "license:"; bounded
  std::vector<std::string> tags;
  std::vector<Base> bases;
};
ListingFacts read_facts(const json::object& facts);

/// A time as the columns hold it: whole seconds from 1970 to 2106, the end of their 32 bits.
std::uint64_t seconds_in_column(std::int64_t ms);
/// Writes everything about one repository into the columns but its popularity and when it was seen.
Result<> set_columns(storage::ColumnEditor& columns, const RepoKey& key, const storage::ListingRow& row,
                     const ListingFacts& facts);
/// The columns and edges of all listings anew, for a rebuild of the derived families.
Result<> derive_from_listings(storage::Index& index);
}  // namespace hm::provenance
