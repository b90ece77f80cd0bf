#include "provenance/licence/catalogue.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "config/toml_reading.hpp"
#include "provenance/embedded.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::licence {
namespace {
constexpr std::size_t kFilesMax = 1000;   // of an operator's folder; written by hand
constexpr std::size_t kFamiliesMax = 63;  // one bit each
constexpr std::string_view kRulesFile = "rules.toml";
constexpr std::array<std::string_view, 7> kCellNames{"fine",   "warning",  "drift", "conflict",
                                                     "listed", "stricter", "annex"};

constexpr std::array<std::string_view, 5> kCarryWords{"content", "outputs", "use", "data",
                                                      "nothing"};  // kCarryNames and none
constexpr std::size_t kEvidenceCount = 5;

/// The words of storage/edge_row.hpp, in the order of their values.
template <class Enum, std::size_t N>
std::array<std::string_view, N> names_of() {
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) names[i] = storage::name_of(static_cast<Enum>(i));
  return names;
}

Error bad(const std::string& place, std::string what) { return {Errc::BadInput, place + std::move(what)}; }

/// Which of the words it is. @returns BadInput: the place, the word, what was meant.
template <std::size_t N>
Result<std::size_t> number_of(const std::array<std::string_view, N>& words, const std::string& word,
                              const std::string& place, std::string_view key) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const std::vector<std::string> known(words.begin(), words.end());
  return bad(place,
             std::string(key) + " does not know \"" + printable(word) + "\"" + config::did_you_mean(word, known));
}
template <std::size_t N>
Result<Flags> flags_of(const std::array<std::string_view, N>& words, const std::vector<std::string>& given,
                       const std::string& place, std::string_view key) {
  Flags flags = 0;
  for (const std::string& word : given) {
    HM_TRY(const std::size_t i, number_of(words, word, place, key));
    flags |= 1U << i;
  }
  return flags;
}
std::string place_of(const config::TomlSection& section, std::string_view key) {
  for (const config::TomlKey& k : section.keys)
    if (k.name == key) return k.value_place;
  return section.place;
}
bool has(const config::TomlSection& section, std::string_view key) {
  return std::any_of(section.keys.begin(), section.keys.end(), [&](const auto& k) { return k.name == key; });
}

/// A section of a licence before its words are understood.
struct Written {
  Licence licence;
  std::string klass;
  std::vector<std::string> demands, restricts;
};
Result<Written> read_section(const config::TomlSection& section) {
  Written w;
  auto each = [&](Written& into, auto&& visit) {
    Licence& l = into.licence;
    const config::Rule any;
    visit(section.name, "name", l.name, any);
    visit(section.name, "class", into.klass, any);
    visit(section.name, "hub", l.hub, any);
    visit(section.name, "spellings", l.spellings, any);
    visit(section.name, "family", l.family, any);
    visit(section.name, "demands", into.demands, any);
    visit(section.name, "restricts", into.restricts, any);
    visit(section.name, "derivatives", l.derivatives, any);
    visit(section.name, "not_with", l.not_with, any);
    visit(section.name, "name_begins", l.name_begins, any);
    visit(section.name, "users_max", l.users_max, any);
    visit(section.name, "results_free", l.results_free, any);
    visit(section.name, "imprecise", l.imprecise, any);
    visit(section.name, "phrases", l.phrases, any);
    visit(section.name, "own_words", l.own_words, any);
    visit(section.name, "source", l.source, any);
    visit(section.name, "read", l.read, any);
    visit(section.name, "notes", l.notes, any);
  };
  HM_TRY(config::TomlReader(w, each).read({section}));
  return w;
}

/// What one licence says about itself must hold together.
Result<> check(const config::TomlSection& section, const Licence& l) {
  if (l.name.empty()) return bad(section.place, "[" + printable(l.id) + "] lacks name");
  const bool share_alike = (l.demands & demand::kShareAlike) != 0;
  if (!l.derivatives.empty() && !share_alike)
    return bad(place_of(section, "derivatives"), "derivatives has no effect unless demands names \"share-alike\"");
  if (((l.demands & demand::kName) != 0) != !l.name_begins.empty())
    return bad(place_of(section, "demands"), "demands \"name\" and name_begins belong together");
  if (((l.restricts & restriction::kUserCeiling) != 0) != !l.users_max.empty())
    return bad(place_of(section, "restricts"), "restricts \"user-ceiling\" and users_max belong together");
  if (!l.read.empty() && (l.read.size() != 10 || !parse_iso8601(l.read + "T00:00:00Z")))
    return bad(place_of(section, "read"), "read must be a day like \"2026-11-28\"");
  return ok();
}

std::string file_name(std::string_view source) {
  return std::string(source.substr(source.rfind('/') == source.npos ? 0 : source.rfind('/') + 1));
}
}  // namespace

std::string loose(std::string_view text) {
  std::string out;
  for (const char c : ascii_lower(text))
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+') out += c;
  return out;
}

Result<> Catalogue::add_licence(const config::TomlSection& section) {
  const auto id = spdx_id(section.name);
  if (id && *id != section.name)
    return bad(section.place, "[" + printable(section.name) + "] is written " + std::string(*id) + " in the SPDX list");
  if (!id && !is_licence_ref(section.name))
    return bad(section.place, "[" + printable(section.name) + "] is neither an SPDX identifier nor a LicenseRef-...");
  if (!has(section, "demands") || !has(section, "class"))
    return bad(section.place, "[" + section.name + "] lacks " + (has(section, "class") ? "demands" : "class"));
  HM_TRY(Written w, read_section(section));
  Licence& l = w.licence;
  l.id = section.name;
  l.place = section.place;
  HM_TRY(const std::size_t klass, number_of(kClassNames, w.klass, place_of(section, "class"), "class"));
  l.klass = static_cast<Class>(klass);
  HM_TRY(l.demands, flags_of(kDemandNames, w.demands, place_of(section, "demands"), "demands"));
  HM_TRY(l.restricts, flags_of(kRestrictionNames, w.restricts, place_of(section, "restricts"), "restricts"));
  HM_TRY(check(section, l));
  const auto [at, is_new] = by_id_.emplace(l.id, licences_.size());
  if (is_new)
    licences_.push_back(std::move(l));
  else
    licences_[at->second] = std::move(l);
  return ok();
}

Result<> Catalogue::add_rule(const config::TomlSection& section) {
  for (const config::TomlKey& key : section.keys) {
    if (!key.raw) return bad(key.value_place, section.name + "." + key.name + " " + key.raw.assume_error().what);
    const auto* text = std::get_if<std::string>(&key.raw.assume_value());
    if (text == nullptr) return bad(key.value_place, section.name + "." + key.name + " must be a text");
    if (section.name == "relations") {
      HM_TRY(const std::size_t relation,
             number_of(names_of<Relation, storage::kRelationCount>(), key.name, key.key_place, "[relations]"));
      HM_TRY(const std::size_t carry, number_of(kCarryWords, *text, key.value_place, key.name));
      rules_.carries[relation] = carry == kCarryNames.size() ? std::nullopt : std::optional(static_cast<Carry>(carry));
    } else if (section.name == "evidence") {
      if (key.name != "possible_up_to")
        return bad(key.key_place,
                   "unknown key \"" + printable(key.name) + "\" in [evidence]; did you mean \"possible_up_to\"?");
      HM_TRY(const std::size_t level,
             number_of(names_of<Evidence, kEvidenceCount>(), *text, key.value_place, key.name));
      rules_.possible_up_to = static_cast<Evidence>(level);
    } else {
      HM_TRY(const std::size_t row, number_of(kClassNames, section.name, section.place, "rules.toml"));
      if (key.name == "clause") {
        rules_.clauses[row] = *text;
        continue;
      }
      HM_TRY(const std::size_t column, number_of(kColumnNames, key.name, key.key_place, "[" + section.name + "]"));
      HM_TRY(const std::size_t cell, number_of(kCellNames, *text, key.value_place, key.name));
      rules_.table[row][column] = static_cast<Cell>(cell);
    }
  }
  return ok();
}

Result<> Catalogue::add(const Source& source) {
  HM_TRY(const config::TomlFile file, config::read_toml(source.text, source.name));
  if (!file.outside.empty())
    return bad(file.outside.front().key_place,
               "\"" + printable(file.outside.front().name) + "\" stands outside of any [section]");
  const bool rules = file_name(source.name) == kRulesFile;
  for (const config::TomlSection& section : file.sections) {
    HM_TRY(rules ? add_rule(section) : add_licence(section));
  }
  return ok();
}

Result<> Catalogue::finish() {
  for (std::size_t i = 0; i < licences_.size(); ++i) {
    Licence& l = licences_[i];
    for (const std::string& hub : l.hub)
      if (const auto [at, is_new] = by_hub_.emplace(ascii_lower(hub), i); !is_new)
        return bad(l.place, "hub id \"" + printable(hub) + "\" belongs to " + licences_[at->second].id + " already");
    std::vector<std::string> spellings = l.spellings;
    spellings.insert(spellings.end(), {l.id, l.name});
    for (const std::string& spelling : spellings)
      if (const auto [at, is_new] = by_spelling_.emplace(loose(spelling), i); !is_new && at->second != i)
        return bad(l.place, "\"" + printable(spelling) + "\" means " + licences_[at->second].id + " already");
    for (const auto* list : {&l.derivatives, &l.not_with})
      for (const std::string& other : *list)
        if (!by_id_.contains(other))
          return bad(l.place,
                     "\"" + printable(other) + "\" in derivatives or not_with of [" + l.id + "] has no section");
    if (l.family.empty() && l.klass == Class::Community) l.family = l.id;  // an agreement is its own family
    if (l.family.empty()) continue;
    const std::size_t number = families_.emplace(l.family, families_.size()).first->second;
    if (number >= kFamiliesMax) return bad(l.place, "more than " + std::to_string(kFamiliesMax) + " families");
    l.family_bit = static_cast<std::uint32_t>(number + 1);
  }
  return ok();
}

Result<Catalogue> Catalogue::with_sources(const std::vector<Source>& sources) {
  Catalogue catalogue;
  for (const EmbeddedFile& file : embedded::licences()) {
    if (!file.name.ends_with(".toml")) continue;
    HM_TRY(catalogue.add({"(built in)/" + std::string(file.name), std::string(file.bytes)}));
  }
  for (const Source& source : sources) {
    HM_TRY(catalogue.add(source));
  }
  HM_TRY(catalogue.finish());
  return catalogue;
}

Result<Catalogue> Catalogue::built_in() { return with_sources({}); }

Result<Catalogue> Catalogue::with_folder(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().extension() == ".toml") paths.push_back(it->path().string());
    if (paths.size() > kFilesMax)
      return Error{Errc::BadInput, folder + ": more than " + std::to_string(kFilesMax) + " files of licences"};
  }
  if (ec) return errno_error("list", folder, ec.value());
  std::sort(paths.begin(), paths.end());
  std::vector<Source> sources;
  for (const std::string& path : paths) {
    HM_TRY(std::string text, config::read_operators_file(path, config::kTomlBytesMax));
    sources.push_back({path, std::move(text)});
  }
  return with_sources(sources);
}

const Licence* Catalogue::find(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? nullptr : &licences_[found->second];
}
const Licence* Catalogue::by_hub_id(std::string_view hub_id) const {
  const auto found = by_hub_.find(ascii_lower(hub_id));
  return found == by_hub_.end() ? nullptr : &licences_[found->second];
}
const Licence* Catalogue::by_spelling(std::string_view spelling) const {
  const auto found = by_spelling_.find(loose(spelling));
  return found == by_spelling_.end() ? nullptr : &licences_[found->second];
}
}  // namespace hm::provenance::licence
