#include "provenance/licence/normalise.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::licence {
namespace {
constexpr std::string_view kOtherRef = "LicenseRef-hub-other";  // and "-<slug>" of a name that nobody knows

/// GNU licences "only" and "or later" have one text.
std::string_view text_id(std::string_view id) {
  for (const std::string_view suffix : {std::string_view("-only"), std::string_view("-or-later")})
    if (id.ends_with(suffix)) return id.substr(0, id.size() - suffix.size());
  return id;
}
void add_once(std::vector<std::string>& list, const std::string& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

class Normaliser {
 public:
  Normaliser(const Catalogue& catalogue, const Declared& declared) : catalogue_(catalogue), declared_(declared) {}
  Normalised run() {
    read_card();
    read_files();
    if (parts_.empty()) {
      if (out_.findings.empty()) found("licence-undeclared", "no licence is declared, and no text was recognised");
      return std::move(out_);
    }
    out_.expression = joined(" AND ", " OR ");
    std::erase(parts_, kNoAssertion);  // nobody offers what is not said
    if (parts_.size() > 1) out_.offered = joined(" OR ", " AND ");
    return std::move(out_);
  }

 private:
  /// @param weaker what binds less than `with`, or is read otherwise beside it
  std::string joined(std::string_view with, std::string_view weaker) const {
    std::string all;
    for (const std::string& part : parts_) {
      const bool group = parts_.size() > 1 && part.find(weaker) != part.npos;
      if (!all.empty()) all += with;
      all += group ? "(" + part + ")" : part;
    }
    const auto parsed = parse_expression(all);
    return parsed ? to_string(parsed.assume_value()) : std::string(kNoAssertion);
  }
  void found(std::string_view id, std::string what) { out_.findings.push_back({id, std::move(what)}); }

  void read_card() {
    std::vector<std::string> ids;
    for (const std::string& id : declared_.ids)
      if (const std::string_view word = trim(id); !word.empty()) add_once(ids, std::string(word));
    if (ids.size() > kDeclaredMax) {
      found("licence-several", std::to_string(ids.size()) + " licences are declared, more than are looked at");
      ids.resize(kDeclaredMax);
      parts_.emplace_back(kNoAssertion);
    }
    if (ids.empty() && !trim(declared_.name).empty()) ids.emplace_back("other");
    for (const std::string& id : ids) add_once(parts_, one(id));
    if (parts_.size() > 1)
      found("licence-several",
            "the card names several licences and does not say whether one may choose: all are taken to hold");
  }

  /// One value of the card's `license`.
  std::string one(const std::string& id) {
    if (ascii_equal_fold(id, "unknown")) {
      found("licence-undeclared", "the card says \"unknown\"");
      return std::string(kNoAssertion);
    }
    if (ascii_equal_fold(id, "other")) return other();
    if (const Licence* known = catalogue_.by_hub_id(id)) return hub_licence(id, *known);
    if (const auto parsed = parse_expression(id)) {
      found("licence-unknown-id", "\"" + printable(id) + "\" is no identifier of the Hub; read as an SPDX expression");
      return to_string(parsed.assume_value());
    }
    if (const Licence* known = catalogue_.by_spelling(id)) {
      found("licence-unknown-id", "\"" + printable(id) + "\" is no identifier of the Hub; taken for " + known->id);
      return known->id;
    }
    found("licence-unknown-id", "\"" + printable(id) + "\" is neither an identifier of the Hub nor of SPDX");
    return other_ref(id);
  }
  static std::string other_ref(std::string_view name) {
    const std::string slug = slug_of(name);
    return std::string(kOtherRef) + (slug.empty() ? "" : "-" + slug);
  }

  std::string hub_licence(const std::string& id, const Licence& known) {
    if (known.imprecise) found("licence-imprecise", "\"" + printable(id) + "\" is a family and names no text");
    if (known.id.ends_with("-only"))
      found(
          "licence-version-assumed",
          "\"" + printable(id) + "\" does not say whether a later version may be chosen; " + known.id + " is assumed");
    if (ascii_equal_fold(id, "bsl-1.0"))
      found("bsl-is-boost", "bsl-1.0 is the Boost licence; the Business Source License is BUSL-1.1");
    return known.id;
  }

  std::string other() {
    if (trim(declared_.link).empty()) found("licence-link-missing", "\"other\" without license_link");
    const std::string_view name = trim(declared_.name);
    if (name.empty()) {
      found("licence-imprecise", "\"other\" without license_name");
      return other_ref({});
    }
    const Licence* known = catalogue_.by_hub_id(name);
    if (known == nullptr) known = catalogue_.by_spelling(name);
    if (known == nullptr) return other_ref(name);
    found("licence-other-named", "\"other\" with license_name \"" + printable(name) + "\"; taken for " + known->id);
    return known->id;
  }

  bool card_names(const Recognised& text) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const std::string& part) {
      const auto parsed = parse_expression(part);
      return parsed && names(parsed.assume_value(), text);
    });
  }
  static bool names(const Expression& e, const Recognised& text) {
    if (e.kind != Expression::Kind::Licence)
      return std::any_of(e.operands.begin(), e.operands.end(), [&](const Expression& o) { return names(o, text); });
    return text_id(e.id) == text_id(text.id) ||
           std::any_of(text.same_text.begin(), text.same_text.end(), [&](const std::string& id) { return id == e.id; });
  }

  /// Texts, and what metadata of files say, against the card.
  void read_files() {
    const std::size_t of_card = parts_.size();
    std::vector<std::string> unnamed;
    bool confirmed = false, unread_text = false;
    for (const TextFinding& text : declared_.texts) {
      if (text.recognised.id.empty()) {
        unread_text = true;
        found("licence-text-unrecognised", printable(text.file) + " is no text that is known");
      } else if (card_names(text.recognised)) {
        confirmed = true;
      } else {
        add_once(unnamed, text.recognised.id);
      }
    }
    const bool by_text = !unnamed.empty();
    std::string says = unnamed.empty() ? "" : "a text says " + listed(unnamed);
    for (const FileClaim& claim : declared_.claims) {
      const std::string id = claimed(claim);
      if (id.empty()) continue;
      if (card_names({id, Method::None, 0, {}, {}})) {
        confirmed = true;
      } else if (std::find(unnamed.begin(), unnamed.end(), id) == unnamed.end()) {
        unnamed.push_back(id);
        says += (says.empty() ? "" : ", ") + printable(claim.file) + " says " + id;
      }
    }
    if (unnamed.empty()) return;
    // "bsd" and the text of BSD-3-Clause: the text says which one. A second text may say anything. Metadata grant
    // nothing: beside them a licence with a name of its own stays.
    const bool vague =
        !confirmed && of_card == 1 && is_vague(parts_[0], unnamed) && (by_text || !has_own_name(parts_[0]));
    if (of_card == 0 || (vague && !unread_text)) {
      parts_ = unnamed;
      if (unread_text) parts_.emplace_back(kNoAssertion);
      return;
    }
    if (!vague)
      found("licence-inconsistent", "the card says " + parts_.front() + (of_card > 1 ? " and more" : "") + ", " + says +
                                        "; all are taken to hold");
    for (const std::string& id : unnamed) add_once(parts_, id);
  }
  static std::string listed(const std::vector<std::string>& ids) {
    std::string list;
    for (const std::string& id : ids) list += (list.empty() ? "" : ", ") + id;
    return list;
  }
  /// The one licence that metadata name; "" when they name none, or none that is known.
  std::string claimed(const FileClaim& claim) const {
    for (const std::string& word : {claim.id, claim.name}) {
      const std::string_view text = trim(word);
      if (text.empty() || ascii_equal_fold(text, "other")) continue;
      const Licence* known = catalogue_.by_hub_id(text);
      if (known == nullptr) known = catalogue_.by_spelling(text);
      if (known != nullptr && !known->imprecise && known->klass != Class::Unknown) return known->id;
    }
    return {};
  }
  /// The card names nothing, or a family to whose class the texts belong.
  bool is_vague(const std::string& part, const std::vector<std::string>& texts) const {
    if (part == kNoAssertion || part.starts_with(kOtherRef)) return true;
    const Licence* declared = catalogue_.find(part);
    const Licence* text = catalogue_.find(texts.front());
    return declared != nullptr && declared->imprecise && texts.size() == 1 && text != nullptr &&
           (declared->klass == text->klass || declared->klass == Class::Unknown);
  }

  static bool has_own_name(const std::string& part) { return part.starts_with(kOtherRef) && part != kOtherRef; }

  const Catalogue& catalogue_;
  const Declared& declared_;
  std::vector<std::string> parts_;  ///< of the expression; all hold
  Normalised out_;
};
}  // namespace

Normalised normalise(const Catalogue& catalogue, const Declared& declared) {
  return Normaliser(catalogue, declared).run();
}
}  // namespace hm::provenance::licence
