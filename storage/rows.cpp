#include "storage/rows.hpp"

#include "base/check.hpp"

namespace hm::storage {
namespace {
json::array strings(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& s : list) out.emplace_back(json::string(s));
  return out;
}

/// Reads one row that we wrote ourselves; the first wrong field is kept as the error.
class RowReader {
 public:
  explicit RowReader(const json::object& object) : object_(object) {}
  std::string text(std::string_view key) {
    const json::value* v = object_.if_contains(view(key));
    if (v == nullptr) return {};
    if (!v->is_string()) return fail(key), std::string{};
    return std::string(v->get_string());
  }
  std::int64_t integer(std::string_view key) {
    const json::value* v = object_.if_contains(view(key));
    if (v == nullptr) return 0;
    if (v->is_int64()) return v->get_int64();
    fail(key);
    return 0;
  }
  std::uint64_t count(std::string_view key) {
    const std::int64_t v = integer(key);
    if (v < 0) fail(key);
    return static_cast<std::uint64_t>(v);
  }
  bool flag(std::string_view key) {
    const json::value* v = object_.if_contains(view(key));
    if (v == nullptr) return false;
    if (!v->is_bool()) fail(key);
    return v->is_bool() && v->get_bool();
  }
  std::vector<std::string> list(std::string_view key) {
    std::vector<std::string> out;
    const json::value* v = object_.if_contains(view(key));
    if (v == nullptr) return out;
    if (!v->is_array()) return fail(key), out;
    for (const json::value& item : v->get_array()) {
      if (!item.is_string())
        fail(key);
      else
        out.emplace_back(item.get_string());
    }
    return out;
  }
  template <class D>
  std::optional<D> digest(std::string_view key) {
    const std::string hex = text(key);
    if (hex.empty()) return std::nullopt;
    auto parsed = D::parse(hex);
    if (!parsed) fail(key);
    return parsed;
  }
  template <class D>
  D required(std::string_view key) {
    auto d = digest<D>(key);
    if (!d) fail(key);
    return d.value_or(D{});
  }
  RepoKind kind(std::string_view key) {
    const auto kind = parse_repo_kind(text(key));
    if (!kind) fail(key);
    return kind.value_or(RepoKind::Model);
  }
  const json::object* object(std::string_view key) {
    const json::value* v = object_.if_contains(view(key));
    if (v != nullptr && !v->is_object()) fail(key);
    return v != nullptr ? v->if_object() : nullptr;
  }
  void fail(std::string_view key) {
    if (problem_.empty())
      problem_ = "field \"" + std::string(key) + "\" of an index row is wrong; run: hubmirror index rebuild";
  }
  template <class Row>
  Result<Row> finish(Row row) {
    if (!problem_.empty()) return Error{Errc::Corrupt, problem_};
    return row;
  }

 private:
  static json::string_view view(std::string_view s) { return {s.data(), s.size()}; }
  const json::object& object_;
  std::string problem_;
};

Result<json::object> parse_row(std::string_view bytes) {
  auto value = parse_json(bytes);
  if (!value || !value.assume_value().is_object())
    return Error{Errc::Corrupt, "an index row is not a JSON object; run: hubmirror index rebuild"};
  return std::move(value).assume_value().get_object();
}

CardFacts read_card(const json::object& object, RowReader& outer) {
  RowReader r(object);
  CardFacts card;
  card.licences = r.list("licences");
  card.licence_name = r.text("licence_name");
  card.licence_link = r.text("licence_link");
  card.base_models = r.list("base_models");
  card.datasets = r.list("datasets");
  card.languages = r.list("languages");
  card.base_model_relation = r.text("base_model_relation");
  card.pipeline_tag = r.text("pipeline_tag");
  card.library_name = r.text("library_name");
  card.new_version = r.text("new_version");
  card.source_datasets = r.list("source_datasets");
  card.evaluated_on = r.list("evaluated_on");
  card.models = r.list("models");
  card.problem = r.text("problem");
  if (!r.finish(0)) outer.fail("card");
  return card;
}
}  // namespace

json::object to_json(const NameRow& row) {
  return {{"kind", std::string(name_of(row.key.kind))},
          {"rid", row.key.rid.text()},
          {"name", row.name},
          {"former", strings(row.former)}};
}

json::object to_json(const CardFacts& card) {
  json::object out{{"licences", strings(card.licences)},
                   {"base_models", strings(card.base_models)},
                   {"datasets", strings(card.datasets)},
                   {"languages", strings(card.languages)}};
  for (const auto& [key, value] : {std::pair{"licence_name", &card.licence_name},
                                   {"licence_link", &card.licence_link},
                                   {"base_model_relation", &card.base_model_relation},
                                   {"pipeline_tag", &card.pipeline_tag},
                                   {"library_name", &card.library_name},
                                   {"new_version", &card.new_version},
                                   {"problem", &card.problem}})
    if (!value->empty()) out[key] = *value;
  for (const auto& [key, list] : {std::pair{"source_datasets", &card.source_datasets},
                                  {"evaluated_on", &card.evaluated_on},
                                  {"models", &card.models}})
    if (!list->empty()) out[key] = strings(*list);
  return out;
}

json::object to_json(const RepoRow& row) {
  json::object out{{"kind", std::string(name_of(row.repo.kind))},
                   {"id", row.repo.name},
                   {"rid", row.rid.text()},
                   {"src", row.src},
                   {"visibility", row.visibility},
                   {"first_seen_ms", row.first_seen_ms},
                   {"last_change_ms", row.last_change_ms},
                   {"upstream_modified_ms", row.upstream_modified_ms},
                   {"head", row.head},
                   {"former_names", strings(row.former_names)},
                   {"pins", strings(row.pins)},
                   {"removed", row.removed},
                   {"gone_status", row.gone_status},
                   {"last_entry", static_cast<std::int64_t>(row.last_entry)}};
  if (row.info_document) out["info"] = row.info_document->hex();
  if (row.refs_document) out["refs"] = row.refs_document->hex();
  return out;
}

json::object to_json(const SnapshotRow& row) {
  json::object out{{"commit", row.commit.hex()},
                   {"tree", row.tree.hex()},
                   {"manifest", row.manifest.hex()},
                   {"files", static_cast<std::int64_t>(row.files)},
                   {"bytes", static_cast<std::int64_t>(row.bytes)},
                   {"left_out_files", static_cast<std::int64_t>(row.left_out_files)},
                   {"left_out_bytes", static_cast<std::int64_t>(row.left_out_bytes)},
                   {"selection", row.selection},
                   {"observed_ms", row.observed_ms},
                   {"card", to_json(row.card)},
                   {"entry", static_cast<std::int64_t>(row.entry)}};
  if (row.said) out["said"] = row.said->hex();
  return out;
}

json::object to_json(const RefRow& row) {
  return {{"ref", row.ref}, {"target", row.target.hex()}, {"commit", row.commit.hex()}};
}

std::string pack(const json::object& row) {
  auto bytes = canonical_json(row);
  HM_CHECK(bytes.has_value());  // rows are built from checked UTF-8 and integers
  return std::move(bytes).assume_value();
}

Result<NameRow> unpack_name(std::string_view bytes) {
  HM_TRY(const json::object object, parse_row(bytes));
  RowReader r(object);
  NameRow row;
  row.key.kind = r.kind("kind");
  row.key.rid = r.required<Rid>("rid");
  row.name = r.text("name");
  row.former = r.list("former");
  return r.finish(std::move(row));
}

Result<RepoRow> unpack_repo(std::string_view bytes) {
  HM_TRY(const json::object object, parse_row(bytes));
  RowReader r(object);
  RepoRow row;
  row.repo.kind = r.kind("kind");
  row.repo.name = r.text("id");
  row.rid = r.required<Rid>("rid");
  row.src = r.text("src");
  row.visibility = r.text("visibility");
  row.first_seen_ms = r.integer("first_seen_ms");
  row.last_change_ms = r.integer("last_change_ms");
  row.upstream_modified_ms = r.integer("upstream_modified_ms");
  row.head = r.text("head");
  row.info_document = r.digest<Sha256>("info");
  row.refs_document = r.digest<Sha256>("refs");
  row.former_names = r.list("former_names");
  row.pins = r.list("pins");
  row.removed = r.flag("removed");
  row.gone_status = static_cast<int>(r.integer("gone_status"));
  row.last_entry = r.count("last_entry");
  return r.finish(std::move(row));
}

Result<SnapshotRow> unpack_snapshot(std::string_view bytes) {
  HM_TRY(const json::object object, parse_row(bytes));
  RowReader r(object);
  SnapshotRow row;
  row.commit = r.required<Commit>("commit");
  row.tree = r.required<GitOid>("tree");
  row.manifest = r.required<Sha256>("manifest");
  row.files = r.count("files");
  row.bytes = r.count("bytes");
  row.left_out_files = r.count("left_out_files");
  row.left_out_bytes = r.count("left_out_bytes");
  row.selection = r.text("selection");
  row.observed_ms = r.integer("observed_ms");
  row.entry = r.count("entry");
  if (const json::object* card = r.object("card")) row.card = read_card(*card, r);
  row.said = r.digest<Sha256>("said");
  return r.finish(std::move(row));
}

Result<RefRow> unpack_ref(std::string_view bytes) {
  HM_TRY(const json::object object, parse_row(bytes));
  RowReader r(object);
  RefRow row;
  row.ref = r.text("ref");
  row.target = r.required<GitOid>("target");
  row.commit = r.required<Commit>("commit");
  return r.finish(std::move(row));
}
}  // namespace hm::storage
