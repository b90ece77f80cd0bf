// hub/wire/json_reader.hpp: reads a JSON document field by field and says by path what is wrong with it. Layer 3;
// values, no I/O.
//   $.siblings[3].size: expected a non-negative integer, got a string
#pragma once
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::hub {
/// One value of a document and where it stands. Cheap to make: the path is put together only for an error.
/// The document, the parent reader and the text of the key outlive the reader.
class JsonReader {
 public:
  explicit JsonReader(const json::value& root) : value_(&root) {}

  const json::value& value() const { return *value_; }
  std::string path() const;                      ///< "$.lfs.size"
  Error wrong(std::string_view expected) const;  ///< BadInput: "<path>: expected <expected>, got <what is there>"

  Result<> expect_object() const;
  Result<> expect_array() const;
  std::size_t size() const;                  ///< of an array; 0 for anything else
  JsonReader item(std::size_t index) const;  ///< index < size()
  std::optional<JsonReader> find(
      std::string_view key) const;  ///< nullopt when absent or null, or when this is no object

  /// Each reads this value as the type of `into`, which stays as it was on failure.
  Result<> read(std::string& into) const;
  Result<> read(bool& into) const;
  Result<> read(std::uint64_t& into) const;  ///< integers only: "1", 1.0 and -1 are refused
  Result<> read(std::int64_t& into) const;
  Result<> read(GitOid& into) const;  ///< 40 lowercase hex digits
  Result<> read(Sha256& into)
      const;  ///< 64 lowercase hex digits; a "sha256:" before them, as third-party servers write it, is dropped
  Result<> read(json::object& into) const;
  Result<> read(std::vector<std::string>& into) const;
  Result<> read_time_ms(std::int64_t& into) const;  ///< "2026-09-22T17:25:10.000Z" as POSIX milliseconds

  /// A field that must be there: "<path>.<key>: missing, expected …".
  template <class T>
  Result<> need(std::string_view key, T& into) const {
    HM_TRY(const JsonReader field, needed(key));
    return field.read(into);
  }
  /// A field that may be absent or null; `into` is then left alone.
  template <class T>
  Result<> maybe(std::string_view key, T& into) const {
    const auto field = find(key);
    return field ? field->read(into) : Result<>(ok());
  }
  template <class T>
  Result<> maybe(std::string_view key, std::optional<T>& into) const {
    const auto field = find(key);
    if (!field) return ok();
    T value{};
    HM_TRY(field->read(value));
    into = std::move(value);
    return ok();
  }
  Result<> maybe_time_ms(std::string_view key, std::optional<std::int64_t>& into) const;
  /// The field's reader, or the error for a missing mandatory field.
  Result<JsonReader> needed(std::string_view key) const;

 private:
  JsonReader(const json::value& value, const JsonReader* parent, std::string_view key, std::size_t index)
      : value_(&value), parent_(parent), key_(key), index_(index) {}
  const json::value* value_;
  const JsonReader* parent_ = nullptr;
  std::string_view key_;  ///< of an object's field; empty data pointer for an array's item
  std::size_t index_ = 0;
};
}  // namespace hm::hub
