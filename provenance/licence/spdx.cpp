#include "provenance/licence/spdx.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "provenance/embedded.hpp"

namespace hm::provenance::licence {
namespace {
constexpr std::string_view kRefPrefix = "LicenseRef-";
constexpr std::size_t kSlugBytesMax = 64;

bool is_id_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':';
}

using Names = std::unordered_map<std::string, std::string_view>;  // lower case → as SPDX writes it
/// First words of the lines that begin with `mark` in the embedded list: "L MIT ...", "E LLVM-exception".
Names names_marked(char mark) {
  Names names;
  for (const EmbeddedFile& file : embedded::licences()) {
    if (file.name != "spdx.txt") continue;
    for (const std::string_view line : split(file.bytes, '\n')) {
      if (line.size() < 3 || line[0] != mark || line[1] != ' ') continue;
      const std::string_view id = line.substr(2, line.find(' ', 2) - 2);
      names.emplace(ascii_lower(id), id);
    }
  }
  return names;
}
std::optional<std::string_view> look_up(const Names& names, std::string_view any_case) {
  const auto found = names.find(ascii_lower(any_case));
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

/// GNU identifiers that SPDX has replaced because they do not say whether a later version may be chosen.
bool is_vague_gnu(std::string_view id) {
  const auto dash = id.find('-');
  const std::string_view family = id.substr(0, dash), rest = dash == id.npos ? "" : id.substr(dash + 1);
  const bool gnu = family == "GPL" || family == "LGPL" || family == "AGPL" || family == "GFDL";
  return gnu && rest.size() == 3 && rest[1] == '.';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}
  Result<Expression> run() {
    HM_TRY(Expression all, either(0));
    skip_blanks();
    if (at_ != text_.size()) return bad("expected AND, OR, WITH or the end");
    return all;
  }

 private:
  Error bad(std::string_view what) const {
    return {Errc::BadInput,
            std::string(what) + " at byte " + std::to_string(at_ + 1) + " of licence \"" + printable(text_) + "\""};
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  std::string_view peek_word() const {
    std::size_t end = at_;
    while (end < text_.size() && is_id_byte(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  bool take_operator(std::string_view name) {
    skip_blanks();
    if (!ascii_equal_fold(peek_word(), name)) return false;
    at_ += name.size();
    return true;
  }
  Result<Expression> chain(std::size_t depth, Expression::Kind kind, std::string_view name,
                           Result<Expression> (Parser::*operand)(std::size_t)) {
    HM_TRY(Expression first, (this->*operand)(depth));
    if (!take_operator(name)) return first;
    Expression all;
    all.kind = kind;
    all.id.clear();
    add(all, std::move(first));
    do {
      HM_TRY(Expression next, (this->*operand)(depth));
      add(all, std::move(next));
    } while (take_operator(name));
    return all;
  }
  /// "(A OR B) OR C" is one choice of three.
  static void add(Expression& into, Expression operand) {
    if (operand.kind != into.kind) return into.operands.push_back(std::move(operand));
    for (Expression& inner : operand.operands) into.operands.push_back(std::move(inner));
  }
  Result<Expression> either(std::size_t depth) { return chain(depth, Expression::Kind::Or, "OR", &Parser::both); }
  Result<Expression> both(std::size_t depth) { return chain(depth, Expression::Kind::And, "AND", &Parser::one); }
  Result<Expression> one(std::size_t depth) {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '(') {
      if (depth == kExpressionDepthMax) return bad("too many parentheses within each other");
      ++at_;
      HM_TRY(Expression inner, either(depth + 1));
      skip_blanks();
      if (at_ >= text_.size() || text_[at_] != ')') return bad("expected )");
      ++at_;
      return inner;
    }
    HM_TRY(Expression licence, identifier());
    if (take_operator("WITH")) {
      skip_blanks();
      const auto exception = spdx_exception(peek_word());
      if (!exception) return bad("expected an exception of the SPDX list");
      at_ += exception->size();
      licence.exception = *exception;
    }
    return licence;
  }
  Result<Expression> identifier() {
    const std::string_view word = peek_word();
    if (word.empty()) return bad("expected a licence");
    Expression licence;
    if (is_licence_ref(word)) {
      licence.id = word;
    } else if (ascii_equal_fold(word, kNoAssertion) || ascii_equal_fold(word, "NONE")) {
      licence.id = kNoAssertion;
    } else if (const auto known = spdx_id(word)) {
      licence.id = *known;
    } else {
      return bad("neither an SPDX identifier nor a LicenseRef");
    }
    at_ += word.size();
    if (at_ < text_.size() && text_[at_] == '+') {
      ++at_;
      licence.plus = true;
    }
    if (is_vague_gnu(licence.id)) licence.id += std::exchange(licence.plus, false) ? "-or-later" : "-only";
    // "GPL-2.0-or-later+" says nothing more
    if (licence.id.ends_with("-or-later") || licence.id == kNoAssertion || is_licence_ref(licence.id))
      licence.plus = false;
    return licence;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};
}  // namespace

std::optional<std::string_view> spdx_id(std::string_view any_case) {
  static const Names names = names_marked('L');
  return look_up(names, any_case);
}
std::optional<std::string_view> spdx_exception(std::string_view any_case) {
  static const Names names = names_marked('E');
  return look_up(names, any_case);
}

bool is_licence_ref(std::string_view id) {
  if (!id.starts_with(kRefPrefix) || id.size() == kRefPrefix.size()) return false;
  return std::all_of(id.begin() + kRefPrefix.size(), id.end(), [](char c) { return is_id_byte(c) && c != ':'; });
}

std::string slug_of(std::string_view text) {
  std::string slug;
  for (const char c : text.substr(0, kSlugBytesMax)) {
    if (is_id_byte(c) && c != ':')
      slug += c;
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return ascii_lower(slug);
}

Result<Expression> parse_expression(std::string_view text) {
  if (text.size() > kExpressionBytesMax)
    return Error{Errc::BadInput, "licence expression of more than " + std::to_string(kExpressionBytesMax) + " bytes"};
  return Parser(text).run();
}

std::string to_string(const Expression& expression) {
  if (expression.kind == Expression::Kind::Licence) {
    std::string out = expression.id + (expression.plus ? "+" : "");
    if (!expression.exception.empty()) out += " WITH " + expression.exception;
    return out;
  }
  std::string out;
  const bool is_and = expression.kind == Expression::Kind::And;
  for (const Expression& operand : expression.operands) {
    if (!out.empty()) out += is_and ? " AND " : " OR ";
    const bool loose = is_and && operand.kind == Expression::Kind::Or;
    out += loose ? "(" + to_string(operand) + ")" : to_string(operand);
  }
  return out;
}

namespace {
using Choice = std::vector<Expression>;

void add_once(Choice& choice, const Expression& licence) {
  if (std::find(choice.begin(), choice.end(), licence) == choice.end()) choice.push_back(licence);
}
/// Choices of the same licences, in whatever order, are one.
class Choices {
 public:
  /// False: there would be too many.
  bool add(Choice choice) {
    std::vector<std::string> licences;
    for (const Expression& licence : choice) licences.push_back(to_string(licence));
    std::sort(licences.begin(), licences.end());
    if (!known_.insert(std::move(licences)).second) return true;
    if (all_.size() == kExpressionAlternatives) return false;
    all_.push_back(std::move(choice));
    return true;
  }
  std::vector<Choice> take() { return std::move(all_); }

 private:
  std::vector<Choice> all_;
  std::set<std::vector<std::string>> known_;
};

std::optional<std::vector<Choice>> product_of(std::vector<Choice> left, const std::vector<Choice>& right) {
  if (right.size() == 1) {
    for (Choice& choice : left)
      for (const Expression& licence : right.front()) add_once(choice, licence);
    return left;
  }
  Choices product;
  for (const Choice& one : left)
    for (const Choice& other : right) {
      Choice both = one;
      for (const Expression& licence : other) add_once(both, licence);
      if (!product.add(std::move(both))) return std::nullopt;
    }
  return product.take();
}
}  // namespace

std::optional<std::vector<std::vector<Expression>>> alternatives_of(const Expression& expression) {
  if (expression.kind == Expression::Kind::Licence) return std::vector<Choice>{{expression}};
  const bool is_and = expression.kind == Expression::Kind::And;
  std::optional<std::vector<Choice>> product(std::in_place, 1);
  Choices all;
  for (const Expression& operand : expression.operands) {
    auto of_one = alternatives_of(operand);
    if (!of_one) return std::nullopt;
    if (is_and) {
      product = product_of(std::move(*product), *of_one);
      if (!product) return std::nullopt;
    } else {
      for (Choice& choice : *of_one)
        if (!all.add(std::move(choice))) return std::nullopt;
    }
  }
  if (is_and)  // (A OR B) AND A AND B is one choice
    for (Choice& choice : *product) all.add(std::move(choice));
  return all.take();
}
}  // namespace hm::provenance::licence
