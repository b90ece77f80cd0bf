#include "app/output.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ostream>

#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kErrorWordColumns = 200, kErrorColumns = 1500;

struct Rune {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
};
/// Reads one code point of valid UTF-8; a stray byte counts as one column of its own.
Rune rune_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(at);
  const std::size_t length = first < 0x80         ? 1
                             : (first >> 5) == 6  ? 2
                             : (first >> 4) == 14 ? 3
                             : (first >> 3) == 30 ? 4
                                                  : 1;
  if (length == 1 || at + length > text.size()) return {first, 1};
  std::uint32_t value = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (byte(at + i) & 0x3f);
  return {value, length};
}
std::size_t columns_of(std::uint32_t rune) {
  struct Range {
    std::uint32_t first, last;
  };
  static constexpr std::array kNone{Range{0x300, 0x36f}, Range{0x200b, 0x200f}, Range{0xfe00, 0xfe0f},
                                    Range{0x20d0, 0x20ff}};
  static constexpr std::array kWide{Range{0x1100, 0x115f},   Range{0x2e80, 0xa4cf},  Range{0xac00, 0xd7a3},
                                    Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},  Range{0xff00, 0xff60},
                                    Range{0x1f300, 0x1faff}, Range{0x20000, 0x3fffd}};
  const auto within = [rune](const Range& r) { return rune >= r.first && rune <= r.last; };
  if (std::any_of(kNone.begin(), kNone.end(), within)) return 0;
  return std::any_of(kWide.begin(), kWide.end(), within) ? 2 : 1;
}
void sort_keys(json::value& value) {
  if (value.is_array()) {
    for (json::value& entry : value.get_array()) sort_keys(entry);
  } else if (value.is_object()) {
    const auto& object = value.get_object();
    if (std::ranges::is_sorted(object, {}, [](const auto& field) { return field.key(); })) {
      for (auto& field : value.get_object()) sort_keys(field.value());
      return;
    }
    std::vector<std::pair<std::string, json::value>> fields;
    for (auto& field : value.get_object()) fields.emplace_back(field.key(), std::move(field.value()));
    std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    json::object sorted;
    for (auto& [key, field] : fields) {
      sort_keys(field);
      sorted.emplace(key, std::move(field));
    }
    value = std::move(sorted);
  }
}
/// How much of the beginning is ASCII without DEL.
std::size_t plain_bytes(std::string_view text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x7f; });
  return static_cast<std::size_t>(end - text.begin());
}
/// In serialised JSON such characters can only stand inside strings, where the escape means the same.
std::string harmless(std::string_view serialised) {
  std::string out;
  out.reserve(serialised.size());
  for (std::size_t i = 0; i < serialised.size();) {
    const std::size_t plain = plain_bytes(serialised.substr(i));
    out.append(serialised, i, plain);
    i += plain;
    if (i == serialised.size()) break;
    const Rune rune = rune_at(serialised, i);
    const bool control = rune.value == 0x7f || (rune.bytes > 1 && rune.value >= 0x80 && rune.value < 0xa0);
    const bool direction =
        (rune.value >= 0x202a && rune.value <= 0x202e) || (rune.value >= 0x2066 && rune.value <= 0x2069);
    if (control || direction) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(rune.value));
      out += escape.data();
    } else {
      out.append(serialised.substr(i, rune.bytes));
    }
    i += rune.bytes;
  }
  return out;
}
/// True when no byte sequence of `text` is invalid UTF-8: printable() then escapes only what JSON can escape itself.
bool is_utf8(std::string_view text) {
  return plain_bytes(text) == text.size() ||
         static_cast<bool>(canonical_json(json::value(json::string(text.data(), text.size()))));
}

const char* hint_of(const Error& error) {
  switch (error.code) {
    case Errc::Gated:
      return "ask for access on the Hub with your account and set HF_TOKEN";
    case Errc::RateLimited:
      return "wait, then run the same command again";
    case Errc::Unreachable:
      return "check the network and --upstream, then run the same command again; what is here is kept";
    case Errc::NoSpace:
      return "free some space, then run the same command again; what is here is kept";
    default:
      return "";
  }
}
}  // namespace

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::render(bool with_titles) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = with_titles ? display_width(columns_[c].title) : 0;
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[c]));
    widths.push_back(widest);
  }
  std::string out;
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string& cell = cell_of(c);
      const std::string pad(widths[c] - std::min(widths[c], display_width(cell)), ' ');
      text += (c == 0 ? "" : "  ") + (columns_[c].align == Align::Right ? pad + cell : cell + pad);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  if (with_titles) line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
  for (const auto& row : rows_) line([&](std::size_t c) -> const std::string& { return row[c]; });
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    width += columns_of(rune.value);
    i += rune.bytes;
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  const std::string_view dots = width >= 5 ? "..." : "";
  const std::size_t room = width - dots.size(), head_room = room - room / 2, tail_room = room / 2;
  std::string head;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    if (used + columns_of(rune.value) > head_room) break;
    used += columns_of(rune.value);
    head.append(text.substr(i, rune.bytes));
    i += rune.bytes;
  }
  std::size_t start = text.size();
  while (start > 0) {  // the longest suffix that fits, at a character's begin
    std::size_t before = start - 1;
    while (before > 0 && (static_cast<unsigned char>(text[before]) & 0xc0) == 0x80) --before;
    if (display_width(text.substr(before)) > tail_room) break;
    start = before;
  }
  return head + std::string(dots) + std::string(text.substr(start));
}

json::string json_text(std::string_view text) {
  if (is_utf8(text)) return json::string(text.data(), text.size());
  const std::string shown = printable(text);
  return json::string(shown.data(), shown.size());
}

std::string json_line(json::value value) {
  sort_keys(value);
  return harmless(json::serialize(value));
}

void print_json(std::ostream& out, json::value value) {
  sort_keys(value);
  std::string text = pretty_json(value);
  value = nullptr;  // the tree of a repository with many files is several times as large as its text
  out << harmless(text);
}

namespace {
/// A word (an argument, a URL, a path) that is too long to be read loses its middle; so does the whole message.
std::string readable(std::string_view text) {
  std::string out;
  for (const std::string_view word : split(text, ' ')) out += (out.empty() ? "" : " ") + fit(word, kErrorWordColumns);
  return fit(out, kErrorColumns);
}
}  // namespace

std::string error_line(const Error& error) {
  std::string what = error.what.empty() ? std::string(name_of(error.code)) : error.what;
  const std::string hint = hint_of(error);
  const bool advised = error.code == Errc::NoSpace && what.find("free some space") != std::string::npos;
  if (!hint.empty() && !advised && what.find(hint) == std::string::npos) what += "; " + hint;
  return "hubmirror: error: " + readable(printable(what));
}

void add_field(std::string& out, std::size_t width, std::string_view name, std::string_view text) {
  std::string label(name);
  label.resize(width, ' ');
  out += "  " + label + printable(text) + "\n";
}

std::string time_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return "-";
  std::string text = iso8601(unix_ms);
  if (text.size() < 19) return text;
  text.resize(19);
  text[10] = ' ';
  return text;
}

std::string duration_text(std::int64_t ms) {
  if (ms >= 10'000) return human_seconds(static_cast<std::uint64_t>(ms / 1000));
  return std::to_string(ms / 1000) + "." + std::to_string(ms / 100 % 10) + " s";
}
}  // namespace hm::app
