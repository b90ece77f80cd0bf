#include "provenance/audit/licence_changes.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "provenance/licence/judge.hpp"
#include "provenance/licence/normalise.hpp"

namespace hm::provenance::audit {
namespace {
using licence::Flags;

std::vector<std::string> as_set(std::vector<std::string> licences) {
  std::sort(licences.begin(), licences.end());
  licences.erase(std::unique(licences.begin(), licences.end()), licences.end());
  return licences;
}

/// What it means, as the catalogue knows it.
struct Meaning {
  std::string expression;
  bool none = false;     ///< "unknown" and the like: it permits nothing
  bool unknown = false;  ///< it cannot be compared
  Flags restricts = 0, demands = 0;
};

class Comparer {
 public:
  explicit Comparer(const licence::Catalogue& catalogue) : catalogue_(catalogue), judge_(catalogue) {}

  Meaning meaning_of(const LicenceStatement& s) {
    Meaning out;
    out.expression = licence::normalise(catalogue_, {s.licences, s.name, s.link, {}}).expression;
    out.none = out.expression == "NOASSERTION";
    for (const licence::Licence* l : judge_.alternatives(judge_.intern(out.expression)).front()) {
      out.unknown = out.unknown || l->klass == licence::Class::Unknown;
      out.restricts |= l->restricts;
      out.demands |= l->demands;
    }
    return out;
  }

  /// Between two that are stated and differ.
  std::pair<LicenceMove, std::string> compare(const LicenceStatement& before, const LicenceStatement& after) {
    const Meaning was = meaning_of(before), is = meaning_of(after);
    const bool by_name = is.unknown && !is.none;  // what such a licence is, its name and link tell alone
    if (was.expression == is.expression && !(by_name && before.link != after.link)) return {LicenceMove::Respelled, ""};
    if (is.none) return {LicenceMove::Withdrawn, ""};
    if (was.none) return {LicenceMove::Stated, ""};
    if (was.unknown || is.unknown) return {LicenceMove::Other, ""};
    const Flags forbids = is.restricts & ~was.restricts, asks = is.demands & ~was.demands;
    std::string words = licence::words_of(forbids, licence::kRestrictionNames);
    const std::string duties = licence::words_of(asks, licence::kDemandNames);
    if (!words.empty() && !duties.empty()) words += ", ";
    words += duties;
    if (forbids != 0) return {LicenceMove::Stricter, std::move(words)};
    if (asks != 0) return {LicenceMove::MoreDuties, std::move(words)};
    return {LicenceMove::Looser, ""};
  }

 private:
  const licence::Catalogue& catalogue_;
  licence::Judge judge_;
};

/// Names and links of a licence that has an identifier are read by nobody else: only that of "other" changes it.
bool same(const LicenceStatement& a, const LicenceStatement& b) {
  return a.readable == b.readable && as_set(a.licences) == as_set(b.licences) && a.name == b.name && a.link == b.link;
}
}  // namespace

LicenceStatement statement_of(const storage::CardFacts& card, std::string commit, std::int64_t time_ms) {
  // A card that is broken elsewhere still states its licence.
  const bool readable = card.problem.empty() || !card.licences.empty();
  return {std::move(commit), time_ms, card.licences, card.licence_name, card.licence_link, readable};
}

std::string text_of(const LicenceStatement& statement) {
  if (!statement.readable) return "not readable";
  if (!statement.stated()) return "none";
  std::string out;
  for (const std::string& licence : as_set(statement.licences)) out += (out.empty() ? "" : ", ") + printable(licence);
  if (statement.name.empty()) return out;
  return out.empty() ? printable(statement.name) : out + " (" + printable(statement.name) + ")";
}

std::string_view name_of(LicenceMove move) {
  constexpr std::array<std::string_view, 9> kNames{"stated", "withdrawn", "stricter",   "more-duties", "looser",
                                                   "other",  "respelled", "unreadable", "read-again"};
  return kNames[static_cast<std::size_t>(move)];
}

report::Severity severity_of(LicenceMove move) {
  switch (move) {
    case LicenceMove::Withdrawn:
    case LicenceMove::Stricter:
      return report::Severity::Problem;
    case LicenceMove::MoreDuties:
    case LicenceMove::Other:
    case LicenceMove::Unreadable:
      return report::Severity::Warning;
    default:
      return report::Severity::Note;
  }
}

std::vector<LicenceChange> licence_changes(const licence::Catalogue& catalogue,
                                           const std::vector<LicenceStatement>& statements) {
  std::vector<LicenceChange> out;
  Comparer comparer(catalogue);
  std::optional<std::size_t> last;  // that could be read
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const LicenceStatement& now = statements[i];
    const bool was_readable = i == 0 || statements[i - 1].readable;
    if (!now.readable) {
      if (i != 0 && was_readable) out.push_back({*last, i, LicenceMove::Unreadable, ""});
      continue;
    }
    if (last && same(statements[*last], now)) {
      if (!was_readable) out.push_back({*last, i, LicenceMove::ReadAgain, ""});
    } else if (last) {
      const LicenceStatement& before = statements[*last];
      if (!before.stated() || !now.stated()) {
        // A link without a licence is none, whatever it points at.
        if (before.stated() != now.stated())
          out.push_back({*last, i, now.stated() ? LicenceMove::Stated : LicenceMove::Withdrawn, ""});
        else if (!was_readable)
          out.push_back({*last, i, LicenceMove::ReadAgain, ""});
      } else {
        auto [move, what] = comparer.compare(before, now);
        out.push_back({*last, i, move, std::move(what)});
      }
    } else if (i != 0) {
      out.push_back({i - 1, i, LicenceMove::ReadAgain, ""});
    }
    last = i;
  }
  return out;
}
}  // namespace hm::provenance::audit
