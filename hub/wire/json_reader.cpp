#include "hub/wire/json_reader.hpp"

#include "base/text.hpp"

namespace hm::hub {
namespace {
constexpr std::size_t kShownMax = 40;  // of a key or a value in a message: hostile documents must not flood a log line

std::string shown(std::string_view text) {
  if (text.size() <= kShownMax) return printable(text);
  return printable(text.substr(0, kShownMax)) + "…";
}

std::string what_is(const json::value& v) {
  switch (v.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return v.get_bool() ? "true" : "false";
    case json::kind::int64:
      return std::to_string(v.get_int64());
    case json::kind::uint64:
      return std::to_string(v.get_uint64());
    case json::kind::double_:
      return "a number that is no integer or out of range";
    case json::kind::string:
      return "a string (\"" + shown(v.get_string()) + "\")";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      break;
  }
  return "an object";
}
}  // namespace

std::string JsonReader::path() const {
  if (!parent_) return "$";
  std::string at = parent_->path();  // as deep as the readers are nested, which our code decides, not the document
  if (key_.data()) return at.append(".").append(shown(key_));
  return at.append("[").append(std::to_string(index_)).append("]");
}

Error JsonReader::wrong(std::string_view expected) const {
  return {Errc::BadInput, path() + ": expected " + std::string(expected) + ", got " + what_is(*value_)};
}

Result<> JsonReader::expect_object() const {
  if (!value_->is_object()) return wrong("an object");
  return ok();
}

Result<> JsonReader::expect_array() const {
  if (!value_->is_array()) return wrong("an array");
  return ok();
}

std::size_t JsonReader::size() const { return value_->is_array() ? value_->get_array().size() : 0; }

JsonReader JsonReader::item(std::size_t index) const { return {value_->get_array()[index], this, {}, index}; }

std::optional<JsonReader> JsonReader::find(std::string_view key) const {
  const json::object* object = value_->if_object();
  const json::value* field = object ? object->if_contains(json::string_view(key.data(), key.size())) : nullptr;
  if (!field || field->is_null()) return std::nullopt;
  return JsonReader(*field, this, key, 0);
}

Result<JsonReader> JsonReader::needed(std::string_view key) const {
  HM_TRY(expect_object());
  if (auto field = find(key)) return *field;
  return Error{Errc::BadInput, path() + "." + shown(key) + ": missing, it is mandatory"};
}

Result<> JsonReader::read(std::string& into) const {
  if (!value_->is_string()) return wrong("a string");
  into.assign(value_->get_string().data(), value_->get_string().size());
  return ok();
}

Result<> JsonReader::read(bool& into) const {
  if (!value_->is_bool()) return wrong("true or false");
  into = value_->get_bool();
  return ok();
}

Result<> JsonReader::read(std::uint64_t& into) const {
  if (value_->is_uint64()) {
    into = value_->get_uint64();
  } else if (value_->is_int64() && value_->get_int64() >= 0) {
    into = static_cast<std::uint64_t>(value_->get_int64());
  } else {
    return wrong("a non-negative integer");
  }
  return ok();
}

Result<> JsonReader::read(std::int64_t& into) const {
  if (!value_->is_int64()) return wrong("an integer");  // the parser makes int64 of all that fits
  into = value_->get_int64();
  return ok();
}

Result<> JsonReader::read(GitOid& into) const {
  const auto oid = value_->is_string() ? GitOid::parse(std::string_view(value_->get_string())) : std::nullopt;
  if (!oid) return wrong("40 lowercase hex digits");
  into = *oid;
  return ok();
}

Result<> JsonReader::read(Sha256& into) const {
  constexpr std::string_view kPrefix = "sha256:";
  std::string_view hex = value_->is_string() ? std::string_view(value_->get_string()) : std::string_view();
  if (hex.starts_with(kPrefix)) hex.remove_prefix(kPrefix.size());
  const auto digest = Sha256::parse(hex);
  if (!digest) return wrong("64 lowercase hex digits");
  into = *digest;
  return ok();
}

Result<> JsonReader::read(json::object& into) const {
  HM_TRY(expect_object());
  into = value_->get_object();
  return ok();
}

Result<> JsonReader::read(std::vector<std::string>& into) const {
  HM_TRY(expect_array());
  std::vector<std::string> read_so_far(size());
  for (std::size_t i = 0; i < read_so_far.size(); ++i) {
    HM_TRY(item(i).read(read_so_far[i]));
  }
  into = std::move(read_so_far);
  return ok();
}

Result<> JsonReader::read_time_ms(std::int64_t& into) const {
  const auto ms = value_->is_string() ? parse_iso8601(std::string_view(value_->get_string())) : std::nullopt;
  if (!ms) return wrong("a time like 2026-09-22T17:25:10.000Z");
  into = *ms;
  return ok();
}

Result<> JsonReader::maybe_time_ms(std::string_view key, std::optional<std::int64_t>& into) const {
  const auto field = find(key);
  if (!field) return ok();
  std::int64_t ms = 0;
  HM_TRY(field->read_time_ms(ms));
  into = ms;
  return ok();
}
}  // namespace hm::hub
