#include "config/ceilings.hpp"

#include <algorithm>
#include <ctime>

#include "base/text.hpp"

namespace hm::config {
namespace {
constexpr int kMinutesOfDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::string_view kExample = R"(; write e.g. "mon-fri 08:00-18:00 requests=2 bytes=20MiB")";

struct Entry {
  int first_day = 0, last_day = 6;  ///< 0: Monday; the last may lie before the first
  int from = 0, to = 0;             ///< minutes of a day
  Ceilings ceilings;
};

Error wrong(const std::string& what) { return {Errc::BadInput, what + std::string(kExample)}; }

std::optional<int> day_of(std::string_view name) {
  for (std::size_t i = 0; i < kDays.size(); ++i)
    if (ascii_equal_fold(name, kDays[i])) return static_cast<int>(i);
  return std::nullopt;
}

/// "08:00", also "8:00"; 24:00 is the end of a day.
std::optional<int> minute_of_day(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 2 || text.size() - colon != 3) return std::nullopt;
  const auto hour = parse_u64(text.substr(0, colon)), minute = parse_u64(text.substr(colon + 1));
  if (!hour || !minute || *hour > 24 || *minute > 59 || (*hour == 24 && *minute != 0)) return std::nullopt;
  return static_cast<int>(*hour * 60 + *minute);
}

Result<> read_days(std::string_view word, Entry& entry) {
  const auto ends = split(word, '-');
  const auto first = day_of(ends.front()), last = day_of(ends.back());
  if (ends.size() > 2 || !first || !last)
    return wrong("\"" + printable(word) + "\" are no days; known are mon, tue, wed, thu, fri, sat, sun");
  entry.first_day = *first;
  entry.last_day = *last;
  return ok();
}

Result<> read_times(std::string_view word, Entry& entry) {
  const auto ends = split(word, '-');
  const auto from = minute_of_day(ends.front()), to = minute_of_day(ends.back());
  if (ends.size() != 2 || !from || !to || *from == kMinutesOfDay)
    return wrong("\"" + printable(word) + "\" is no time of day from 00:00 to 24:00");
  if (*from == *to) return wrong("begins when it ends; the whole day is 00:00-24:00");
  entry.from = *from;
  entry.to = *to;
  return ok();
}

Result<> read_ceiling(std::string_view word, Entry& entry, std::vector<std::string_view>& named) {
  const std::size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  if (equals == std::string_view::npos || (key != "requests" && key != "bytes"))
    return wrong("\"" + printable(word) + "\" is no ceiling; known are requests= and bytes=");
  if (std::find(named.begin(), named.end(), key) != named.end())
    return wrong(std::string(key) + "= stands there twice");
  named.push_back(key);
  const std::string_view value = word.substr(equals + 1);
  if (key == "requests") {
    const auto number = parse_u64(value);
    if (!number || *number > kRequestsPerSecondMax)
      return wrong("\"" + printable(word) + "\": allowed are 0 to " + std::to_string(kRequestsPerSecondMax) +
                   " requests per second, 0: no ceiling");
    entry.ceilings.requests_per_second = *number;
    return ok();
  }
  HM_TRY(entry.ceilings.bytes_per_second, within(parse_bytes(value), [] { return "reading bytes="; }));
  return check_bytes_per_second(entry.ceilings.bytes_per_second);
}

/// @param usual what the entry does not name
Result<Entry> parse_entry(std::string_view text, Ceilings usual) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split(text, ' '))
    if (!word.empty()) words.push_back(word);
  Entry entry;
  entry.ceilings = usual;
  std::size_t next = 0;
  const bool begins_with_days = !words.empty() && (words[0][0] < '0' || words[0][0] > '9');
  if (begins_with_days) {
    HM_TRY(read_days(words[next++], entry));
  }
  if (next == words.size()) return wrong("names no time of day");
  HM_TRY(read_times(words[next++], entry));
  if (next == words.size()) return wrong("names no ceiling");
  std::vector<std::string_view> named;
  for (; next < words.size(); ++next) {
    HM_TRY(read_ceiling(words[next], entry, named));
  }
  return entry;
}

std::string shown_minute(int minute_of_week) {
  const int minute = minute_of_week % kMinutesOfDay;
  const auto two = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return std::string(kDays[static_cast<std::size_t>(minute_of_week / kMinutesOfDay)]) + " " + two(minute / 60) + ":" +
         two(minute % 60);
}
}  // namespace

Result<> check_bytes_per_second(std::uint64_t bytes) {
  if (bytes == 0 || bytes >= kBytesPerSecondMin) return ok();
  return Error{Errc::BadInput, std::to_string(bytes) + " bytes per second are too few for a large file to arrive; " +
                                   "allowed are 0, for no ceiling, and " + std::to_string(kBytesPerSecondMin) +
                                   " or more"};
}

int minute_of_week(std::int64_t unix_ms, TimeZone zone) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  if (zone == TimeZone::Utc)
    gmtime_r(&seconds, &parts);
  else
    localtime_r(&seconds, &parts);
  return (parts.tm_wday + 6) % 7 * kMinutesOfDay + parts.tm_hour * 60 + parts.tm_min;
}

Result<CeilingPlan> CeilingPlan::parse(Ceilings usual, const std::vector<std::string>& hours, TimeZone zone) {
  CeilingPlan plan(usual);
  plan.zone_ = zone;
  for (std::size_t number = 0; number < hours.size(); ++number) {
    HM_TRY(const Entry entry,
           within(parse_entry(hours[number], usual), [&] { return "reading \"" + printable(hours[number]) + "\""; }));
    plan.sets_.push_back(entry.ceilings);
    const int length = (entry.to - entry.from + kMinutesOfDay - 1) % kMinutesOfDay + 1;
    const int days = (entry.last_day - entry.first_day + 7) % 7 + 1;
    for (int day = 0; day < days; ++day) {
      for (int i = 0; i < length; ++i) {
        const int minute = ((entry.first_day + day) * kMinutesOfDay + entry.from + i) % kMinutesOfWeek;
        std::uint16_t& set = plan.set_of_minute_[static_cast<std::size_t>(minute)];
        if (set != 0)
          return Error{Errc::BadInput, "\"" + printable(hours[number]) + "\" overlaps \"" +
                                           printable(hours[static_cast<std::size_t>(set - 1)]) + "\" at " +
                                           shown_minute(minute) + "; give each time one entry"};
        set = static_cast<std::uint16_t>(number + 1);
      }
    }
  }
  return plan;
}

const Ceilings& CeilingPlan::at(std::int64_t unix_ms) const {
  return sets_.size() == 1 ? sets_.front() : at_minute(minute_of_week(unix_ms, zone_));
}

bool CeilingPlan::open() const {
  return std::all_of(sets_.begin(), sets_.end(), [](const Ceilings& set) { return set == Ceilings{}; });
}

std::uint64_t CeilingPlan::lowest_bytes_per_second() const {
  std::uint64_t lowest = 0;
  for (const Ceilings& set : sets_)
    if (set.bytes_per_second != 0) lowest = lowest == 0 ? set.bytes_per_second : std::min(lowest, set.bytes_per_second);
  return lowest;
}
}  // namespace hm::config
