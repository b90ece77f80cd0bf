#include "hub/wire/repo_info.hpp"

#include "hub/wire/json_reader.hpp"

namespace hm::hub {
namespace {
/// `false`, "auto" or "manual". Anything else is not guessed at: a reader who should not get the bytes might.
Result<> read_gated(const JsonReader& from, Gated& into) {
  const json::value& v = from.value();
  if (v.is_bool() && !v.get_bool())
    into = Gated::None;
  else if (v.is_string() && v.get_string() == "auto")
    into = Gated::Auto;
  else if (v.is_string() && v.get_string() == "manual")
    into = Gated::Manual;
  else
    return from.wrong("false, \"auto\" or \"manual\"");
  return ok();
}

Result<> read_siblings(const JsonReader& from, std::vector<Sibling>& into) {
  HM_TRY(from.expect_array());
  into.reserve(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const JsonReader item = from.item(i);
    Sibling sibling;
    HM_TRY(item.need("rfilename", sibling.rfilename));
    HM_TRY(item.maybe("size", sibling.size_bytes));
    HM_TRY(item.maybe("blobId", sibling.blob_id));
    if (const auto lfs = item.find("lfs")) {
      HM_TRY(sibling.lfs, read_lfs_info(*lfs));
    }
    into.push_back(std::move(sibling));
  }
  return ok();
}

Result<> read_rid(const JsonReader& from, std::optional<Rid>& into) {
  std::string hex;
  HM_TRY(from.read(hex));
  into = Rid::parse(hex);
  if (!into) return from.wrong("24 lowercase hex digits");
  return ok();
}

Result<> read_identity(const JsonReader& from, std::string& id, std::optional<Rid>& rid) {
  HM_TRY(from.need("id", id));
  if (id.empty()) return Error{Errc::BadInput, from.path() + ".id: expected a name, got an empty string"};
  if (const auto given = from.find("_id")) {
    HM_TRY(read_rid(*given, rid));
  }
  return ok();
}
}  // namespace

std::string_view name_of(Gated gated) {
  switch (gated) {
    case Gated::None:
      return "none";
    case Gated::Auto:
      return "auto";
    case Gated::Manual:
      break;
  }
  return "manual";
}

Result<LfsInfo> read_lfs_info(const JsonReader& from) {
  HM_TRY(from.expect_object());
  LfsInfo lfs;
  HM_TRY(from.need(from.find("sha256") ? "sha256" : "oid", lfs.oid));
  HM_TRY(from.need("size", lfs.size_bytes));
  HM_TRY(from.maybe("pointerSize", lfs.pointer_size_bytes));
  return lfs;
}

Result<RepoInfo> parse_repo_info(std::string body) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader from(document);
  RepoInfo info;
  HM_TRY(read_identity(from, info.id, info.rid));
  HM_TRY(from.maybe("sha", info.sha));
  HM_TRY(from.maybe("author", info.author));
  HM_TRY(from.maybe("private", info.is_private));
  if (const auto gated = from.find("gated")) {
    HM_TRY(read_gated(*gated, info.gated));
  }
  HM_TRY(from.maybe("disabled", info.disabled));
  HM_TRY(from.maybe_time_ms("createdAt", info.created_ms));
  HM_TRY(from.maybe_time_ms("lastModified", info.last_modified_ms));
  if (const auto siblings = from.find("siblings")) {
    HM_TRY(read_siblings(*siblings, info.siblings));
    info.siblings_given = true;
  }
  HM_TRY(from.maybe("cardData", info.card_data));
  HM_TRY(from.maybe("tags", info.tags));
  HM_TRY(from.maybe("usedStorage", info.used_storage_bytes));
  info.raw = std::move(body);
  return info;
}

Result<> read_list_item(const JsonReader& from, ListItem& into) {
  HM_TRY(read_identity(from, into.id, into.rid));
  bool flag = false;
  HM_TRY(from.maybe("private", flag));
  HM_TRY(from.maybe("disabled", flag));
  if (const auto gated = from.find("gated")) {
    Gated by = Gated::None;
    HM_TRY(read_gated(*gated, by));
  }
  HM_TRY(from.maybe_time_ms("createdAt", into.created_ms));
  return from.maybe_time_ms("lastModified", into.last_modified_ms);
}
}  // namespace hm::hub
