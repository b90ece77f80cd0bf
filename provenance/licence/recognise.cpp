#include "provenance/licence/recognise.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "provenance/embedded.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::licence {
namespace {
constexpr std::size_t kShingle = 3;
constexpr std::size_t kDigestBytes = 16;
/// Spellings that the SPDX matching guidelines hold equal; those that matter in texts of the list.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kSpellings{{
    {"licence", "license"},
    {"licences", "licenses"},
    {"licenced", "licensed"},
    {"acknowledgment", "acknowledgement"},
    {"analog", "analogue"},
    {"authorisation", "authorization"},
    {"favour", "favor"},
    {"honour", "honor"},
    {"organisation", "organization"},
    {"recognised", "recognized"},
    {"sublicence", "sublicense"},
    {"https", "http"},
}};
/// Words that say more than a licence of the list which lacks the restriction: whoever added them changed its class.
struct Alarm {
  std::string_view words;
  Flags unless;
};
constexpr Flags kNonCommercial = 1U << 0, kResearchOnly = 1U << 1, kEither = kNonCommercial | kResearchOnly;
constexpr std::array kAlarms = std::to_array<Alarm>({
    {"non commercial", kNonCommercial},
    {"noncommercial", kNonCommercial},
    {"not for commercial", kNonCommercial},
    {"no commercial", kNonCommercial},
    {"for commercial purposes", kNonCommercial},
    {"for commercial use", kNonCommercial},
    {"used commercially", kNonCommercial},
    {"commercial use is not", kNonCommercial},
    {"commercial use is prohibited", kNonCommercial},
    {"commercial use is forbidden", kNonCommercial},
    {"commercial use prohibited", kNonCommercial},
    {"commercial use requires", kNonCommercial},
    {"personal use only", kEither},
    {"academic use only", kEither},
    {"academic purposes only", kEither},
    {"educational use only", kEither},
    {"educational purposes only", kEither},
    {"evaluation use only", kEither},
    {"evaluation purposes only", kEither},
    {"research purposes only", kResearchOnly},
    {"research use only", kResearchOnly},
    {"monthly active users", restriction::kUserCeiling},
});

bool is_copyright_line(std::string_view line) {
  while (!line.empty() && (line[0] == ' ' || line[0] == '\t' || line[0] == '*' || line[0] == '#' || line[0] == '/'))
    line.remove_prefix(1);
  const std::string head = ascii_lower(line.substr(0, 12));
  if (head.starts_with("(c)") || head.starts_with("\xc2\xa9")) return true;
  // "copyright (c) 2020 x" and "copyright 2020 x", not "copyright notice and this permission ..."
  if (!head.starts_with("copyright")) return false;
  const std::string_view rest = trim(line.substr(9));
  return rest.empty() || rest[0] == '(' || rest[0] == '<' || rest[0] == '[' || rest[0] == '{' ||
         rest.starts_with("\xc2\xa9") || (rest[0] >= '0' && rest[0] <= '9');
}

/// Words joined by one blank, with a blank at both ends, so that " phrase " is found as whole words.
std::string joined(const std::vector<std::string>& words) {
  std::string out = " ";
  for (const std::string& word : words) out += word + " ";
  return out;
}

std::uint32_t hash_of(const std::string* words) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < kShingle; ++i) {
    for (const char c : words[i]) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
    h = (h ^ ' ') * 0x100000001b3ULL;
  }
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  return static_cast<std::uint32_t>(h >> 16);
}

/// The licence that a text of these identifiers is reported as: one that the catalogue knows, the stricter "only".
const std::string& reported(const Catalogue& catalogue, const std::vector<std::string>& ids) {
  for (const std::string& id : ids)
    if (catalogue.find(id) != nullptr) return id;
  return ids.front();
}

/// @param text joined()
bool alarmed(const Catalogue& catalogue, const std::string& id, std::string text) {
  const Licence* licence = catalogue.find(id);
  if (licence != nullptr)
    for (const std::string& phrase : licence->own_words) {
      const std::string own = joined(licence_words(phrase));
      for (auto at = text.find(own); at != text.npos; at = text.find(own, at)) text.replace(at, own.size(), " | ");
    }
  for (const Alarm& alarm : kAlarms) {
    if (licence != nullptr && (licence->restricts & alarm.unless) != 0) continue;
    if (text.find(" " + std::string(alarm.words) + " ") != text.npos) return true;
  }
  return false;
}

const Licence* by_phrases(const Catalogue& catalogue, const std::string& text) {
  const Licence* best = nullptr;
  std::size_t best_size = 0;
  for (const Licence& l : catalogue.licences()) {
    std::size_t size = 0;
    bool all = !l.phrases.empty();
    for (const std::string& phrase : l.phrases) {
      const std::string wanted = joined(licence_words(phrase));
      size += wanted.size();
      all = all && text.find(wanted) != text.npos;
    }
    if (all && size > best_size) best = &l, best_size = size;
  }
  return best;
}

Recognised unrecognised(double score, std::string nearest) { return {{}, Method::None, score, {}, std::move(nearest)}; }

/// Of those lines for which `wanted` holds.
template <class Wanted>
std::vector<std::string> words_of_lines(std::string_view text, const Wanted& wanted) {
  std::vector<std::string> words;
  std::string word;
  auto finish = [&] {
    if (word.empty()) return;
    for (const auto& [from, to] : kSpellings)
      if (word == from) word = to;
    words.push_back(std::move(word));
    word.clear();
  };
  for (const std::string_view line : split(text, '\n')) {
    if (!wanted(line)) continue;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c >= 'A' && c <= 'Z') {
        word += static_cast<char>(c - 'A' + 'a');
      } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
        word += c;
      } else if (c == '\xe2' && i + 2 < line.size() && line[i + 1] == '\x80') {
        i += 2;  // typographic quotes, dashes, bullets
        finish();
      } else if (c == '\xc2' && i + 1 < line.size()) {
        ++i;  // ©, «, no-break space
        finish();
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        word += c;
      } else {
        finish();
      }
    }
    finish();
  }
  return words;
}
}  // namespace

std::vector<std::string> licence_words(std::string_view text) {
  return words_of_lines(text, [](std::string_view line) { return !is_copyright_line(line); });
}

std::vector<std::uint32_t> shingles_of(const std::vector<std::string>& words) {
  std::vector<std::uint32_t> hashes;
  for (std::size_t i = 0; i + kShingle <= words.size(); ++i) hashes.push_back(hash_of(&words[i]));
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return hashes;
}

Fingerprint fingerprint_of(const std::vector<std::string>& words) {
  Fingerprint f;
  f.digest = sha256(joined(words)).hex().substr(0, 2 * kDigestBytes);
  const auto hashes = shingles_of(words);
  auto below = [&](unsigned shift) {
    const std::uint64_t limit = 1ULL << (32 - shift);
    return static_cast<std::size_t>(std::lower_bound(hashes.begin(), hashes.end(), limit) - hashes.begin());
  };
  while (below(f.shift) > kSampleMax) ++f.shift;
  f.sample.assign(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(below(f.shift)));
  return f;
}

/// "T MIT,X digest shift" and the sample's differences, 7 bits a byte, in hex.
std::string to_line(const Fingerprint& f) {
  std::string ids;
  for (const std::string& id : f.ids) ids += (ids.empty() ? "" : ",") + id;
  std::vector<std::uint8_t> bytes;
  std::uint32_t last = 0;
  for (const std::uint32_t hash : f.sample) {
    std::uint32_t rest = hash - std::exchange(last, hash);
    for (; rest >= 0x80; rest >>= 7) bytes.push_back(static_cast<std::uint8_t>(rest | 0x80));
    bytes.push_back(static_cast<std::uint8_t>(rest));
  }
  return "T " + ids + " " + f.digest + " " + std::to_string(f.shift) + " " + to_hex(bytes);
}

std::optional<Fingerprint> fingerprint_from(std::string_view line) {
  const auto parts = split(line, ' ');
  if (parts.size() != 5 || parts[0] != "T" || parts[1].empty() || parts[2].size() != 2 * kDigestBytes)
    return std::nullopt;
  Fingerprint f;
  for (const std::string_view id : split(parts[1], ',')) f.ids.emplace_back(id);
  f.digest = parts[2];
  const auto shift = parse_u64(parts[3]);
  std::vector<std::uint8_t> bytes(parts[4].size() / 2);
  if (!shift || *shift > 31 || !from_hex(parts[4], bytes)) return std::nullopt;
  f.shift = static_cast<unsigned>(*shift);
  std::uint32_t last = 0, value = 0;
  unsigned at = 0;
  for (const std::uint8_t byte : bytes) {
    if (at > 28) return std::nullopt;
    value |= static_cast<std::uint32_t>(byte & 0x7F) << at;
    at += 7;
    if ((byte & 0x80) != 0) continue;
    f.sample.push_back(last += value);
    value = 0, at = 0;
  }
  return f;
}

const std::vector<Fingerprint>& spdx_fingerprints() {
  static const std::vector<Fingerprint> all = [] {
    std::vector<Fingerprint> out;
    for (const EmbeddedFile& file : embedded::licences()) {
      if (file.name != "spdx.txt") continue;
      for (const std::string_view line : split(file.bytes, '\n'))
        if (auto f = fingerprint_from(line)) out.push_back(std::move(*f));
    }
    return out;
  }();
  return all;
}

double similarity(const std::vector<std::uint32_t>& hashes, const Fingerprint& f) {
  const std::uint64_t limit = 1ULL << (32 - f.shift);
  const auto end = std::lower_bound(hashes.begin(), hashes.end(), limit);
  std::size_t both = 0;
  auto at = hashes.begin();
  for (const std::uint32_t hash : f.sample) {
    at = std::lower_bound(at, end, hash);
    if (at != end && *at == hash) ++both;
  }
  const auto total = f.sample.size() + static_cast<std::size_t>(end - hashes.begin());
  return total == 0 ? 0 : 2.0 * static_cast<double>(both) / static_cast<double>(total);
}

Recognised recognise(const Catalogue& catalogue, std::string_view text) {
  if (text.size() > kLicenceTextBytesMax) return {};
  const std::vector<std::string> words = licence_words(text);
  const std::string all = joined(words);
  const std::string digest = sha256(all).hex().substr(0, 2 * kDigestBytes);
  auto result = [&](const Fingerprint& f, Method method, double score) {
    Recognised r{reported(catalogue, f.ids), method, score, {}, {}};
    for (const std::string& id : f.ids)
      if (id != r.id) r.same_text.push_back(id);
    return r;
  };
  // A restriction may stand in a line of copyright, which does not count as text.
  for (const Fingerprint& f : spdx_fingerprints()) {
    if (f.digest != digest) continue;
    const Recognised r = result(f, Method::Digest, 1);
    return alarmed(catalogue, r.id, joined(words_of_lines(text, is_copyright_line))) ? unrecognised(1, r.id) : r;
  }
  const std::string with_copyright = joined(words_of_lines(text, [](std::string_view) { return true; }));
  if (const Licence* known = by_phrases(catalogue, all)) {
    if (alarmed(catalogue, known->id, with_copyright)) return unrecognised(1, known->id);
    return {known->id, Method::Phrases, 1, {}, {}};
  }

  const auto hashes = shingles_of(words);
  const Fingerprint* best = nullptr;
  double best_score = 0, next_score = 0;
  auto class_of = [&](const Fingerprint& f) {
    const Licence* l = catalogue.find(reported(catalogue, f.ids));
    return l == nullptr ? Class::Unknown : l->klass;
  };
  for (const Fingerprint& f : spdx_fingerprints()) {
    const double score = similarity(hashes, f);
    if (score <= best_score) continue;
    best = &f, best_score = score;
  }
  if (best == nullptr) return {};
  for (const Fingerprint& f : spdx_fingerprints())
    if (&f != best && class_of(f) != class_of(*best)) next_score = std::max(next_score, similarity(hashes, f));
  Recognised r = result(*best, Method::Similar, best_score);
  if (best_score < kSimilarMin || best_score - next_score < kSimilarMargin || alarmed(catalogue, r.id, with_copyright))
    return unrecognised(best_score, r.id);
  return r;
}
}  // namespace hm::provenance::licence
