#include "hub/wire/tree.hpp"

#include "hub/wire/json_reader.hpp"

namespace hm::hub {
namespace {
bool is_hash64(std::string_view text) { return Sha256::parse(text).has_value(); }

Result<TreeEntry> read_entry(const JsonReader& from) {
  TreeEntry entry;
  std::string type;
  HM_TRY(from.need("type", type));
  entry.type = type == "file" ? EntryType::File : type == "directory" ? EntryType::Directory : EntryType::Unknown;
  HM_TRY(from.need("path", entry.path));
  if (entry.path.empty()) return Error{Errc::BadInput, from.path() + ".path: expected a path, got an empty string"};
  HM_TRY(from.need("oid", entry.oid));
  if (entry.type == EntryType::File) {
    HM_TRY(from.need("size", entry.size_bytes));
  } else {
    HM_TRY(from.maybe("size", entry.size_bytes));
  }
  if (const auto lfs = from.find("lfs")) {
    HM_TRY(entry.lfs, read_lfs_info(*lfs));
  }
  if (const auto xet = from.find("xetHash")) {
    HM_TRY(xet->read(entry.xet_hash));
    if (!is_hash64(entry.xet_hash)) return xet->wrong("64 lowercase hex digits");
  }
  return entry;
}
}  // namespace

std::string_view name_of(EntryType type) {
  switch (type) {
    case EntryType::File:
      return "file";
    case EntryType::Directory:
      return "directory";
    case EntryType::Unknown:
      break;
  }
  return "unknown";
}

Result<std::vector<TreeEntry>> parse_tree(std::string_view body) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader root(document);
  HM_TRY(root.expect_array());
  std::vector<TreeEntry> entries;
  entries.reserve(root.size());
  for (std::size_t i = 0; i < root.size(); ++i) {
    HM_TRY(auto entry, read_entry(root.item(i)));
    entries.push_back(std::move(entry));
  }
  return entries;
}
}  // namespace hm::hub
