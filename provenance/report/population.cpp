#include "provenance/report/population.hpp"

#include <algorithm>
#include <chrono>

#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::report {
using storage::Column;

namespace {
std::chrono::year_month_day day_of(std::uint32_t unix_s) {
  return std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(unix_s)));
}
}  // namespace

int year_of(std::uint32_t unix_s) { return static_cast<int>(day_of(unix_s).year()); }
int month_of(std::uint32_t unix_s) {
  const auto day = day_of(unix_s);
  return static_cast<int>(day.year()) * 12 + static_cast<int>(static_cast<unsigned>(day.month())) - 1;
}

Result<Population> Population::read(const storage::Index& index, const OriginTable& origins) {
  Population out;
  out.index_ = &index;
  HM_TRY(const std::uint32_t size, storage::column_size(index, Column::State));
  out.state_.resize(size);
  out.downloads_.resize(size);
  out.created_.resize(size);
  out.owner_.assign(size, kNobody);
  HM_TRY(out.read_numbers());
  HM_TRY(out.read_gone());
  HM_TRY(out.read_owners(origins));
  for (std::uint32_t i = 0; i < size; ++i) {
    for (const RepoKind kind : kAllKinds) {
      if (!out.is_public(i, kind)) continue;
      ++out.counts_[index_of(kind)];
      out.downloads_of_[index_of(kind)] += out.downloads_[i];
    }
  }
  return out;
}

Result<> Population::read_numbers() {
  HM_TRY(each_number(*index_, Column::State, size(),
                     [&](std::uint32_t i, std::uint64_t value) { state_[i] = static_cast<std::uint8_t>(value); }));
  HM_TRY(each_number(*index_, Column::Downloads, size(),
                     [&](std::uint32_t i, std::uint64_t value) { downloads_[i] = value; }));
  return each_number(*index_, Column::Created, size(),
                     [&](std::uint32_t i, std::uint64_t value) { created_[i] = static_cast<std::uint32_t>(value); });
}

/// What a visit found gone; listings may not tell of that for days.
Result<> Population::read_gone() {
  Result<> outcome = ok();
  HM_TRY(index_->scan(storage::Family::Repos, {}, [&](std::string_view k, std::string_view bytes) {
    outcome = [&]() -> Result<> {
      HM_TRY(const storage::RepoRow row, storage::unpack_repo(bytes));
      const auto key = storage::key::parse_repo(k);
      if (row.gone_status == 0 || !key) return ok();
      HM_TRY(const auto listed, storage::find_listing(*index_, *key));
      if (listed && listed->ordinal < size()) state_[listed->ordinal] |= storage::kStateGone;
      return ok();
    }();
    return outcome.has_value();
  }));
  return outcome;
}

Result<> Population::read_owners(const OriginTable& origins) {
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> known;
  return each_text(*index_, Column::Name, size(), [&](std::uint32_t i, std::string_view name) {
    const std::size_t slash = name.find('/');
    if (slash == name.npos) return;
    const std::string_view owner = name.substr(0, slash);
    auto it = known.find(owner);
    if (it == known.end()) {
      it = known.emplace(owner, static_cast<std::uint32_t>(owners_.size())).first;
      owners_.push_back({i, origins.find(owner)});
    }
    owner_[i] = it->second;
  });
}

int Population::created_year(std::uint32_t i) const { return created_[i] == 0 ? 0 : year_of(created_[i]); }

Result<std::string> Population::name(std::uint32_t i) const {
  storage::ColumnReader columns(*index_);
  HM_TRY(const std::string stored, columns.bytes(Column::Key, i));
  const auto key = storage::key::parse_repo(stored);
  if (!key) return Error{Errc::Corrupt, "the index holds a malformed key of a column; run: hubmirror index rebuild"};
  HM_TRY(const auto row, storage::find_listing(*index_, *key));
  if (!row)
    return Error{Errc::Corrupt, "the listing row of " + key->text() + " is missing; put back index/ from a backup"};
  return row->name;
}

Result<std::string> Population::owner_name(std::uint32_t owner) const {
  HM_TRY(std::string full, name(owners_[owner].example));
  return full.substr(0, full.find('/'));
}
}  // namespace hm::provenance::report
