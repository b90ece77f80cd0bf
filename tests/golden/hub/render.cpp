#include "tests/golden/hub/render.hpp"

#include "base/text.hpp"

namespace hm::hub {
namespace {
json::value text(const std::string& s) { return json::value(json::string(s)); }
json::value texts(const std::vector<std::string>& list) {
  json::array array;
  for (const std::string& s : list) array.push_back(text(s));
  return array;
}
template <class T>
json::value hex_or_null(const std::optional<T>& digest) {
  return digest ? text(digest->hex()) : json::value(nullptr);
}
json::value number_or_null(const std::optional<std::uint64_t>& n) { return n ? json::value(*n) : json::value(nullptr); }
json::value time_or_null(const std::optional<std::int64_t>& ms) {
  return ms ? text(iso8601(*ms)) : json::value(nullptr);
}
json::value lfs_or_null(const std::optional<LfsInfo>& lfs) {
  if (!lfs) return nullptr;
  return json::object{
      {"oid", text(lfs->oid.hex())}, {"pointer_size_bytes", lfs->pointer_size_bytes}, {"size_bytes", lfs->size_bytes}};
}
json::value siblings_of(const RepoInfo& info) {
  if (!info.siblings_given) return nullptr;
  json::array array;
  for (const Sibling& s : info.siblings)
    array.push_back(json::object{{"rfilename", text(s.rfilename)},
                                 {"size_bytes", number_or_null(s.size_bytes)},
                                 {"blob_id", hex_or_null(s.blob_id)},
                                 {"lfs", lfs_or_null(s.lfs)}});
  return array;
}
json::value refs_of(const std::vector<Ref>& refs) {
  json::array array;
  for (const Ref& r : refs)
    array.push_back(json::object{{"name", text(r.name)}, {"ref", text(r.ref)}, {"target", text(r.target.hex())}});
  return array;
}
}  // namespace

json::value render(const RepoInfo& info) {
  json::object o;
  o["id"] = text(info.id);
  o["rid"] = info.rid ? text(info.rid->text()) : json::value(nullptr);
  o["sha"] = hex_or_null(info.sha);
  o["author"] = text(info.author);
  o["is_private"] = info.is_private;
  o["gated"] = text(std::string(name_of(info.gated)));
  o["disabled"] = info.disabled;
  o["created"] = time_or_null(info.created_ms);
  o["last_modified"] = time_or_null(info.last_modified_ms);
  o["tags"] = texts(info.tags);
  o["used_storage_bytes"] = number_or_null(info.used_storage_bytes);
  o["card_data"] = info.card_data ? json::value(*info.card_data) : json::value(nullptr);
  o["siblings"] = siblings_of(info);
  o["raw_sha256"] = text(sha256(std::string_view(info.raw)).hex());
  return o;
}

json::value render(const std::vector<TreeEntry>& entries) {
  json::array array;
  for (const TreeEntry& e : entries)
    array.push_back(json::object{{"type", text(std::string(name_of(e.type)))},
                                 {"path", text(e.path)},
                                 {"oid", text(e.oid.hex())},
                                 {"size_bytes", e.size_bytes},
                                 {"lfs", lfs_or_null(e.lfs)},
                                 {"xet_hash", text(e.xet_hash)}});
  return array;
}

json::value render(const RefList& refs) {
  return json::object{{"branches", refs_of(refs.branches)},
                      {"converts", refs_of(refs.converts)},
                      {"tags", refs_of(refs.tags)},
                      {"pull_requests", refs_of(refs.pull_requests)}};
}

json::value render(const std::vector<CommitInfo>& commits) {
  json::array array;
  for (const CommitInfo& c : commits)
    array.push_back(json::object{{"id", text(c.id.hex())},
                                 {"title", text(c.title)},
                                 {"message", text(c.message)},
                                 {"date", text(iso8601(c.date_ms))},
                                 {"authors", texts(c.authors)}});
  return array;
}

json::value render(const ListPage& page) {
  json::array array;
  for (const ListItem& item : page.items) {
    json::object shown{{"id", text(item.id)}, {"fields", item.fields}};
    if (item.rid) shown["rid"] = text(item.rid->text());
    if (item.created_ms) shown["created"] = text(iso8601(*item.created_ms));
    if (item.last_modified_ms) shown["modified"] = text(iso8601(*item.last_modified_ms));
    array.push_back(std::move(shown));
  }
  for (const Error& bad : page.bad_items) array.push_back(json::object{{"bad_item", text(bad.what)}});
  return array;
}

json::value render(const WhoAmI& who) {
  return json::object{{"name", text(who.name)},
                      {"type", text(who.type)},
                      {"full_name", text(who.full_name)},
                      {"orgs", texts(who.orgs)}};
}

json::value render(const std::vector<LfsObject>& objects) {
  json::array array;
  for (const LfsObject& o : objects) {
    json::value download(nullptr);
    if (o.download) {
      json::array headers;
      for (const auto& [name, value] : o.download->headers.all()) headers.push_back(text(name + ": " + value));
      download = json::object{{"href", text(o.download->href)},
                              {"headers", headers},
                              {"expires", time_or_null(o.download->expires_unix_ms)}};
    }
    array.push_back(json::object{{"oid", text(o.oid.hex())},
                                 {"size_bytes", o.size_bytes},
                                 {"download", download},
                                 {"error_code", o.error_code},
                                 {"error_message", text(o.error_message)}});
  }
  return array;
}
}  // namespace hm::hub
