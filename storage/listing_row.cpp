#include "storage/listing_row.hpp"

#include "base/check.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr char kRowVersion = 1;
constexpr std::size_t kTextBytesMax = 0xffff;  // of src and name

void put_number(std::string& out, std::uint64_t value, std::size_t width) {
  out.append(key::u64(value).substr(8 - width));
}
void put_text(std::string& out, std::string_view text) {
  HM_CHECK(text.size() <= kTextBytesMax);  // a host and a repository's name, both checked before
  put_number(out, text.size(), 2);
  out.append(text);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    for (const char c : text(width)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view text(std::size_t size) {
    if (size > bytes_.size()) {
      short_ = true;
      return {};
    }
    const auto out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::string_view rest() const { return bytes_; }
  bool ok() const { return !short_; }

 private:
  std::string_view bytes_;
  bool short_ = false;
};
}  // namespace

std::string pack_listing(const ListingRow& row) {
  std::string out(1, kRowVersion);
  out.reserve(64 + row.src.size() + row.name.size() + row.facts.size());
  put_number(out, row.ordinal, 4);
  put_number(out, static_cast<std::uint64_t>(row.first_seen_ms), 8);
  put_number(out, static_cast<std::uint64_t>(row.changed_ms), 8);
  put_number(out, static_cast<std::uint64_t>(row.missing_since_ms), 8);
  put_number(out, static_cast<std::uint64_t>(row.gone_status), 2);
  put_text(out, row.src);
  put_text(out, row.name);
  return out.append(row.facts);
}

Result<ListingRow> unpack_listing(std::string_view bytes) {
  const Error corrupt{Errc::Corrupt, "the index holds a malformed listing row; put back index/ from a backup"};
  if (bytes.empty() || bytes[0] != kRowVersion) return corrupt;
  Reader in(bytes.substr(1));
  ListingRow row;
  row.ordinal = static_cast<std::uint32_t>(in.number(4));
  row.first_seen_ms = static_cast<std::int64_t>(in.number(8));
  row.changed_ms = static_cast<std::int64_t>(in.number(8));
  row.missing_since_ms = static_cast<std::int64_t>(in.number(8));
  row.gone_status = static_cast<int>(in.number(2));
  row.src = in.text(in.number(2));
  row.name = in.text(in.number(2));
  if (!in.ok()) return corrupt;
  row.facts = in.rest();
  return row;
}

Result<std::optional<ListingRow>> find_listing(const Index& index, const RepoKey& key) {
  HM_TRY(const auto bytes, index.get(Family::Listings, key::repo(key)));
  if (!bytes) return std::optional<ListingRow>{};
  HM_TRY(auto row, unpack_listing(*bytes));
  return std::optional(std::move(row));
}

Result<> each_listing(const Index& index, const std::function<bool(const RepoKey&, const ListingRow&)>& visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Listings, {}, [&](std::string_view k, std::string_view bytes) {
    const auto key = key::parse_repo(k);
    auto row = unpack_listing(bytes);
    if (!key) row = Error{Errc::Corrupt, "the index holds a listing row under a malformed key"};
    if (!row) {
      outcome = row.error();
      return false;
    }
    return visit(*key, row.assume_value());
  }));
  return outcome;
}
}  // namespace hm::storage
