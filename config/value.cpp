#include "config/value.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <type_traits>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "config/address_range.hpp"
#include "config/policy.hpp"

namespace hm::config {
namespace {
constexpr std::size_t kTextBytesMax = 4096;    // longest text value: as long as a path may be
constexpr std::size_t kListEntriesMax = 1000;  // patterns and hosts are looked at one after the other for every file

std::string kind_of(const Raw& raw) {
  static constexpr std::array kNames{"a boolean", "a whole number", "a fraction", "a text", "a list of texts"};
  return kNames[raw.index()];
}
Error wrong_type(const char* wanted, const Raw& raw) {
  return {Errc::BadInput, std::string("must be ") + wanted + ", not " + kind_of(raw)};
}

constexpr std::uint64_t kDayMs = 86'400'000;

std::string bound_text(std::uint64_t value, const Rule& rule) {
  if (rule.form == Form::Duration)
    return value % kDayMs == 0 ? std::to_string(value / kDayMs) + "d" : std::to_string(value / (kDayMs / 1440)) + "min";
  return rule.form == Form::Bytes && value >= kKiB ? std::to_string(value) + " (" + human_bytes(value) + ")"
                                                   : std::to_string(value);
}
Error out_of_range(const std::string& value, const Rule& rule) {
  const std::string low =
      rule.min < 0 ? std::to_string(rule.min) : bound_text(static_cast<std::uint64_t>(rule.min), rule);
  return {Errc::BadInput, value + " is out of range; allowed are " + low + " to " + bound_text(rule.max, rule) +
                              (rule.unit.empty() ? "" : " ") + std::string(rule.unit)};
}

template <class T>
bool in_range(T value, const Rule& rule) {
  if constexpr (std::is_signed_v<T>) {
    return value >= rule.min && (value < 0 || static_cast<std::uint64_t>(value) <= rule.max);
  } else {
    return value <= rule.max && (rule.min <= 0 || value >= static_cast<std::uint64_t>(rule.min));
  }
}

Result<> check_text_bytes(std::string_view text) {
  if (text.size() > kTextBytesMax)
    return Error{Errc::BadInput, "is longer than " + std::to_string(kTextBytesMax) + " bytes"};
  if (printable(text) != text)
    return Error{Errc::BadInput, "holds control characters or invalid UTF-8: \"" + printable(text) + "\""};
  return ok();
}

/// Scheme and the absence of credentials; what the rest means is for net/ to decide.
Result<> check_url(std::string_view url) {
  const bool http = url.starts_with("http://"), https = url.starts_with("https://");
  const std::string_view rest = url.substr(http ? 7 : https ? 8 : 0);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if ((!http && !https) || authority.empty() || url.find(' ') != std::string_view::npos) {
    return Error{Errc::BadInput,
                 "\"" + printable(url) + "\" is no http or https URL; write e.g. \"https://huggingface.co\""};
  }
  if (authority.find('@') != std::string_view::npos) {
    return Error{Errc::BadInput,
                 "has a user name or password in the URL; put the token into HF_TOKEN or upstream.token_file"};
  }
  return ok();
}

Result<> check_host(std::string_view host) {
  const bool bracketed = host.starts_with("[");  // IPv6 with a port: "[::1]:8080"
  const std::size_t close = bracketed ? host.find(']') : std::string_view::npos;
  std::string_view name = host, port;
  if (bracketed && close != std::string_view::npos) {
    name = host.substr(1, close - 1);
    port = host.substr(close + 1);
  } else if (const std::size_t colon = host.find(':');
             !bracketed && colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  bool fine = !name.empty() && name.find_first_of("/@[]?# ,") == std::string_view::npos;
  if (!port.empty()) {
    const auto number = port.starts_with(":") ? parse_u64(port.substr(1)) : std::nullopt;
    fine = fine && number && *number >= 1 && *number <= 65535;
  }
  if (!fine)
    return Error{Errc::BadInput,
                 "\"" + printable(host) + "\" is no \"host\" or \"host:port\"; write e.g. \"10.1.2.3:8080\""};
  return ok();
}

template <class T>
Result<> check_number(T value, const Rule& rule) {
  if (!in_range(value, rule)) return out_of_range(std::to_string(value), rule);
  return ok();
}
template <class T>
Result<> assign_number(T& into, const Rule& rule, std::int64_t value) {
  const bool fits = std::is_signed_v<T> ? value >= std::numeric_limits<T>::min() : value >= 0;
  if (!fits || !in_range(value, rule)) return out_of_range(std::to_string(value), rule);
  into = static_cast<T>(value);
  return ok();
}
/// What a text means in those forms of numbers that are written as one.
Result<std::uint64_t> number_of_text(std::string_view text, Form form) {
  if (form == Form::Bytes) return parse_bytes(text);
  if (form == Form::Count) return parse_count(text);
  HM_TRY(const std::int64_t ms, parse_duration(text));
  return static_cast<std::uint64_t>(ms);
}
const char* wanted_number(Form form) {
  if (form == Form::Bytes) return "a number of bytes or a size like \"1.5GiB\"";
  if (form == Form::Count) return "a whole number or a count like \"7B\"";
  if (form == Form::Duration) return "a duration like \"12h\" or \"90d\"";
  return form == Form::Depth ? "true, false or a number of levels" : "a whole number";
}
template <class T>
Result<> assign_any_number(T& into, const Rule& rule, const Raw& raw) {
  const bool from_text = rule.form == Form::Bytes || rule.form == Form::Count || rule.form == Form::Duration;
  if (const auto* text = std::get_if<std::string>(&raw); text != nullptr && from_text) {
    HM_TRY(const std::uint64_t number, number_of_text(*text, rule.form));
    if (!in_range(number, rule)) return out_of_range(printable(*text), rule);
    into = static_cast<T>(number);
    return ok();
  }
  if (const auto* all = std::get_if<bool>(&raw); all != nullptr && rule.form == Form::Depth)
    return assign_number(into, rule, *all ? static_cast<std::int64_t>(rule.max) : 0);
  if (!std::holds_alternative<std::int64_t>(raw) || rule.form == Form::Duration)
    return wrong_type(wanted_number(rule.form), raw);
  return assign_number(into, rule, std::get<std::int64_t>(raw));
}

Result<> check_choice(const std::string& text, const Rule& rule) {
  std::string names;
  for (const std::string_view choice : rule.choices) {
    if (choice.empty()) break;
    if (choice == text) return ok();
    names.append(names.empty() ? "" : ", ").append(choice);
  }
  return Error{Errc::BadInput, "\"" + printable(text) + "\" is unknown; allowed are " + names};
}
/// A day or a time, or an age when it is a duration.
Result<> check_since(const std::string& text) {
  if (parse_duration(text) || parse_time(text)) return ok();
  return Error{Errc::BadInput, "\"" + printable(text) +
                                   "\" is neither a time nor an age; write e.g. 2026-11-20, "
                                   "2026-11-20T15:20:00Z or 90d"};
}

std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> list;
  if (trim(text).empty()) return list;
  for (const std::string_view part : split(text, ',')) list.emplace_back(trim(part));
  return list;
}
Raw number_or_text(const std::string& text) {
  const bool negative = text.starts_with('-');
  const auto digits = parse_u64(std::string_view(text).substr(negative ? 1 : 0));
  if (!digits || *digits > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return text;
  const auto value = static_cast<std::int64_t>(*digits);
  return negative ? -value : value;
}
}  // namespace

Result<> check_value(const std::string& text, const Rule& rule) {
  HM_TRY(check_text_bytes(text));
  if (rule.form == Form::UrlOrNone && text.empty()) return ok();
  if (rule.form == Form::Url || rule.form == Form::UrlOrNone) return check_url(text);
  if (rule.form == Form::Since) return check_since(text);
  return rule.form == Form::Choice ? check_choice(text, rule) : ok();
}
Result<> check_value(const std::vector<std::string>& list, const Rule& rule) {
  if (list.size() > kListEntriesMax)
    return Error{Errc::BadInput, "has more than " + std::to_string(kListEntriesMax) + " entries"};
  for (const std::string& text : list) {
    HM_TRY(check_text_bytes(text));
    if (text.empty()) return Error{Errc::BadInput, "has an empty entry"};
    if (rule.form == Form::Hosts) {
      HM_TRY(check_host(text));
    } else if (rule.form == Form::Choice) {
      HM_TRY(check_choice(text, rule));
    } else if (rule.form == Form::Repos) {
      HM_TRY(parse_repo_spec(text));
    } else if (rule.form == Form::Ranges) {
      HM_TRY(AddressRange::parse(text));
    }
  }
  if (rule.form == Form::Formats) return check_formats(list);
  return ok();
}

Result<> check_value(bool, const Rule&) { return ok(); }
Result<> check_value(int value, const Rule& rule) { return check_number(value, rule); }
Result<> check_value(std::int64_t value, const Rule& rule) { return check_number(value, rule); }
Result<> check_value(std::uint64_t value, const Rule& rule) { return check_number(value, rule); }

Result<> assign(bool& into, const Rule&, const Raw& raw) {
  if (!std::holds_alternative<bool>(raw)) return wrong_type("true or false", raw);
  into = std::get<bool>(raw);
  return ok();
}
Result<> assign(std::string& into, const Rule& rule, const Raw& raw) {
  if (!std::holds_alternative<std::string>(raw)) return wrong_type("a text in quotes", raw);
  HM_TRY(check_value(std::get<std::string>(raw), rule));
  into = std::get<std::string>(raw);
  return ok();
}
Result<> assign(std::vector<std::string>& into, const Rule& rule, const Raw& raw) {
  if (!std::holds_alternative<std::vector<std::string>>(raw))
    return wrong_type("a list of texts, e.g. [\"a\", \"b\"]", raw);
  HM_TRY(check_value(std::get<std::vector<std::string>>(raw), rule));
  into = std::get<std::vector<std::string>>(raw);
  return ok();
}
Result<> assign(int& into, const Rule& rule, const Raw& raw) { return assign_any_number(into, rule, raw); }
Result<> assign(std::int64_t& into, const Rule& rule, const Raw& raw) { return assign_any_number(into, rule, raw); }
Result<> assign(std::uint64_t& into, const Rule& rule, const Raw& raw) { return assign_any_number(into, rule, raw); }

Raw raw_from_text(const bool&, const std::string& text) {
  const std::string lower = ascii_lower(text);
  if (lower == "1" || lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "0" || lower == "false" || lower == "no" || lower == "off") return false;
  return text;
}
Raw raw_from_text(const std::string&, const std::string& text) { return text; }
Raw raw_from_text(const std::vector<std::string>&, const std::string& text) { return parts_of(text); }
Raw raw_from_text(const int&, const std::string& text) { return number_or_text(text); }
Raw raw_from_text(const std::int64_t&, const std::string& text) { return number_or_text(text); }
Raw raw_from_text(const std::uint64_t&, const std::string& text) { return number_or_text(text); }

std::string path_beside(const std::string& folder, const std::string& path) {
  const char* home = std::getenv("HOME");
  if (path.starts_with("~/")) return (home != nullptr ? std::string(home) : std::string()) + path.substr(1);
  return path.starts_with('/') ? path : folder + "/" + path;
}

Result<std::string> read_operators_file(const std::string& path, std::size_t size_max) {
  std::error_code absent;
  const std::filesystem::path real = std::filesystem::canonical(path, absent);
  return read_small_file(real_file_system(), absent ? path : real.string(), size_max);
}
}  // namespace hm::config
