#include "hub/lfs_batch.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>

#include "base/text.hpp"
#include "hub/wire/json_reader.hpp"
#include "net/url.hpp"

namespace hm::hub {
namespace {
constexpr std::string_view kVersion = "https://git-lfs.github.com/spec/v1";
constexpr std::string_view kVersionsBefore2015[] = {"https://hawser.github.com/spec/v1", "http://git-media.io/v/2"};
constexpr std::string_view kOidPrefix = "sha256:";
constexpr std::size_t kActionHeadersMax = 64;  // the Hub sends none to three; a signed request needs about five
constexpr std::size_t kActionHeaderBytesMax = 8 << 10;  // what common servers take for one field
constexpr std::size_t kMessageBytesMax = 300;

/// The next line without its end, LF or CR LF, taken off the front; the last one may have none.
std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

struct KeyValue {
  std::string_view key, value;
};
/// "key value": the key of [a-z0-9.-], one blank, a value that is not empty.
std::optional<KeyValue> parse_line(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos || blank + 1 == line.size()) return std::nullopt;
  const KeyValue pair{line.substr(0, blank), line.substr(blank + 1)};
  const bool key_is_legal = std::all_of(pair.key.begin(), pair.key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
  const bool value_is_text =
      std::none_of(pair.value.begin(), pair.value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (!key_is_legal || !value_is_text) return std::nullopt;
  return pair;
}

bool is_version(const KeyValue& pair) {
  return pair.key == "version" && (pair.value == kVersion ||
                                   std::ranges::find(kVersionsBefore2015, pair.value) != std::end(kVersionsBefore2015));
}

/// Decimal as git-lfs reads it, into a signed number: leading zeros and one plus do not matter.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr auto kSizeMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto size_bytes = parse_u64(text);
  return size_bytes && *size_bytes <= kSizeMax ? size_bytes : std::nullopt;
}

/// Fields that describe the transfer itself. Ours to set: a server that sets them could turn the request into another
/// one.
bool belongs_to_the_transfer(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "host",       "range",           "if-range", "content-length", "transfer-encoding",
      "connection", "accept-encoding", "te",       "upgrade",        "expect"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view own) { return ascii_equal_fold(own, name); });
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenMarks.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

Result<> read_action_headers(const JsonReader& from, net::Headers& into) {
  HM_TRY(from.expect_object());
  const json::object& fields = from.value().get_object();
  if (fields.size() > kActionHeadersMax) return from.wrong("at most " + std::to_string(kActionHeadersMax) + " headers");
  for (const auto& field : fields) {
    const std::string_view name = field.key();
    const auto reader = from.find(name);
    if (!reader) continue;  // null
    std::string value;
    HM_TRY(reader->read(value));
    if (!is_header_name(name) || !is_header_value(value) || name.size() + value.size() > kActionHeaderBytesMax)
      return Error{Errc::BadInput,
                   reader->path() + ": expected a header field that may be sent"};  // its value may be a secret
    if (!belongs_to_the_transfer(name)) into.add(std::string(name), std::move(value));
  }
  return ok();
}

/// `expires_in` in seconds, else `expires_at`. Servers written in Go send the year 1 for "never".
Result<std::optional<std::int64_t>> read_expiry(const JsonReader& action, std::int64_t now_unix_ms) {
  constexpr std::int64_t kSecondsMax = 10LL * 366 * 86'400;  // ten years; keeps the sum in range
  if (const auto in = action.find("expires_in")) {
    std::int64_t seconds = 0;
    HM_TRY(in->read(seconds));
    if (seconds != 0) return std::optional(now_unix_ms + std::clamp<std::int64_t>(seconds, 0, kSecondsMax) * 1000);
  }
  const auto at = action.find("expires_at");
  if (!at) return std::optional<std::int64_t>();
  std::string text;
  HM_TRY(at->read(text));
  std::int64_t offset_ms = 0;
  if (text.size() > 6 && (text[text.size() - 6] == '+' || text[text.size() - 6] == '-') &&
      text[text.size() - 3] == ':') {  // …+02:00
    const auto hours = parse_u64(std::string_view(text).substr(text.size() - 5, 2)),
               minutes = parse_u64(std::string_view(text).substr(text.size() - 2));
    if (!hours || !minutes) return at->wrong("a time");
    offset_ms = static_cast<std::int64_t>(*hours * 60 + *minutes) * 60'000 * (text[text.size() - 6] == '-' ? -1 : 1);
    text.replace(text.size() - 6, 6, "Z");
  }
  const auto ms = parse_iso8601(text);
  if (!ms) return at->wrong("a time");
  if (*ms <= 0) return std::optional<std::int64_t>();
  return std::optional(*ms - offset_ms);
}

Result<LfsDownload> read_download(const JsonReader& action, std::int64_t now_unix_ms) {
  HM_TRY(action.expect_object());
  LfsDownload download;
  HM_TRY(const JsonReader href, action.needed("href"));
  HM_TRY(href.read(download.href));
  if (!net::parse_url(download.href)) return href.wrong("an absolute http or https URL");
  if (const auto headers = action.find("header")) {
    HM_TRY(read_action_headers(*headers, download.headers));
  }
  HM_TRY(download.expires_unix_ms, read_expiry(action, now_unix_ms));
  return download;
}

void set_error(LfsObject& object, int code, std::string_view message) {
  object.download.reset();
  object.error_code = code;
  object.error_message = printable(message.substr(0, kMessageBytesMax));
}

Result<> read_error(const JsonReader& error, LfsObject& object) {
  HM_TRY(error.expect_object());
  std::uint64_t code = 0;
  std::string message;
  HM_TRY(error.need("code", code));
  HM_TRY(error.maybe("message", message));
  set_error(object, code >= 1 && code <= 999 ? static_cast<int>(code) : 500, message);
  return ok();
}

Result<LfsObject> read_object(const JsonReader& from, std::int64_t now_unix_ms) {
  LfsObject object;
  HM_TRY(from.need("oid", object.oid));
  HM_TRY(from.maybe("size", object.size_bytes));  // some servers leave it out beside an error
  if (const auto error = from.find("error")) {
    HM_TRY(read_error(*error, object));
    return object;
  }
  const auto actions = from.find("actions");
  if (actions) {
    HM_TRY(actions->expect_object());
    if (const auto action = actions->find("download")) {
      HM_TRY(object.download, read_download(*action, now_unix_ms));
      return object;
    }
  }
  set_error(object, 404, "the server gave neither a download nor an error");
  return object;
}
}  // namespace

std::optional<LfsPointer> parse_lfs_pointer(std::string_view text) {
  if (text.size() > kLfsPointerBytesMax) return std::nullopt;
  text = trim(text);
  const auto version = parse_line(take_line(text));
  if (!version || !is_version(*version)) return std::nullopt;
  std::optional<Sha256> oid;
  std::optional<std::uint64_t> size_bytes;
  for (std::string_view last_key; !text.empty();) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    const auto pair = parse_line(line);
    if (!pair || pair->key <= last_key || pair->key == "version") return std::nullopt;  // sorted, so none comes twice
    last_key = pair->key;
    if (pair->key == "oid") {
      if (!pair->value.starts_with(kOidPrefix)) return std::nullopt;
      oid = Sha256::parse(pair->value.substr(kOidPrefix.size()));
      if (!oid) return std::nullopt;
    } else if (pair->key == "size") {
      size_bytes = parse_size(pair->value);
      if (!size_bytes) return std::nullopt;
    }
  }
  if (!oid || !size_bytes) return std::nullopt;
  return LfsPointer{*oid, *size_bytes};
}

std::string render_lfs_pointer(const LfsPointer& pointer) {
  std::string text("version ");
  text.append(kVersion).append("\noid ").append(kOidPrefix).append(pointer.oid.hex());
  return text.append("\nsize ").append(std::to_string(pointer.size_bytes)).append("\n");
}

std::string render_lfs_batch_request(std::span<const LfsPointer> objects) {
  std::string body = R"({"operation":"download","transfers":["basic"],"objects":[)";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    body.append(i ? "," : "").append(R"({"oid":")").append(objects[i].oid.hex());
    body.append(R"(","size":)").append(std::to_string(objects[i].size_bytes)).append("}");
  }
  return body.append(R"(],"hash_algo":"sha256"})");
}

Result<std::vector<LfsObject>> parse_lfs_batch(std::string_view body, std::int64_t now_unix_ms) {
  HM_TRY(const json::value document, parse_json(body));
  const JsonReader root(document);
  HM_TRY(root.expect_object());
  for (const auto& [key, only] :
       {std::pair<std::string_view, std::string_view>{"transfer", "basic"}, {"hash_algo", "sha256"}}) {
    const auto field = root.find(key);
    if (!field) continue;
    std::string value;
    HM_TRY(field->read(value));
    if (value != only) return field->wrong("\"" + std::string(only) + "\", which is what was offered");
  }
  HM_TRY(const JsonReader list, root.needed("objects"));
  HM_TRY(list.expect_array());
  std::vector<LfsObject> objects;
  objects.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    HM_TRY(auto object, read_object(list.item(i), now_unix_ms));
    objects.push_back(std::move(object));
  }
  return objects;
}

std::vector<LfsObject> match_lfs_answer(std::span<const LfsPointer> asked, std::vector<LfsObject> answer) {
  std::unordered_map<Sha256, const LfsObject*> by_oid;
  for (const LfsObject& object : answer) by_oid.emplace(object.oid, &object);  // the first one counts
  std::vector<LfsObject> matched;
  matched.reserve(asked.size());
  for (const LfsPointer& pointer : asked) {
    const auto found = by_oid.find(pointer.oid);
    LfsObject object;
    if (found == by_oid.end()) {
      set_error(object, 404, "the server's answer leaves this object out");
    } else {
      object = *found->second;
      if (object.download && object.size_bytes != pointer.size_bytes)
        set_error(object, 422,
                  "the server has it with " + std::to_string(object.size_bytes) + " bytes, the pointer says " +
                      std::to_string(pointer.size_bytes));
    }
    object.oid = pointer.oid;
    object.size_bytes = pointer.size_bytes;
    matched.push_back(std::move(object));
  }
  return matched;
}
}  // namespace hm::hub
