// provenance/licence/spdx.hpp: SPDX licence expressions: "A OR B", "A AND B", "A WITH exception", "A+", parentheses.
// Layer 4; values and pure functions; the input comes from strangers.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm::provenance::licence {
inline constexpr std::size_t kExpressionBytesMax = 4096;    ///< real ones have under a hundred
inline constexpr std::size_t kExpressionDepthMax = 32;      ///< of parentheses
inline constexpr std::size_t kExpressionAlternatives = 64;  ///< choices after multiplying out; more is nobody's licence
inline constexpr std::string_view kNoAssertion = "NOASSERTION";

/// A tree: a licence, or an operator with at least two operands.
struct Expression {
  enum class Kind { Licence, And, Or };
  Kind kind = Kind::Licence;
  std::string id{kNoAssertion};      ///< canonical case; "LicenseRef-..." as written
  bool plus = false;                 ///< "or later", for identifiers without such a form of their own
  std::string exception;             ///< after WITH; "" without
  std::vector<Expression> operands;  ///< of And and Or
  bool operator==(const Expression&) const = default;
};

/// Precedence: WITH, AND, OR. Identifiers are found in the SPDX list whatever their case; deprecated GNU ones become
/// "-only" or, with "+", "-or-later". @returns BadInput: what is wrong and at which byte; an identifier that is neither
/// in the list nor a LicenseRef; limits above.
Result<Expression> parse_expression(std::string_view text);
/// With the fewest parentheses that keep the meaning; parse_expression() reads the same tree from it.
std::string to_string(const Expression& expression);
/// Multiplied out: the alternatives a user may choose from, each a list of licences that hold together; no licence
/// twice in one, none with the licences of another. nullopt when there would be more than kExpressionAlternatives.
std::optional<std::vector<std::vector<Expression>>> alternatives_of(const Expression& expression);

/// The identifier as SPDX writes it; nullopt when its list lacks it.
std::optional<std::string_view> spdx_id(std::string_view any_case);
std::optional<std::string_view> spdx_exception(std::string_view any_case);
/// "LicenseRef-" and at least one of a-z, A-Z, 0-9, '.', '-'.
bool is_licence_ref(std::string_view id);
/// Other bytes become '-', letters small: for LicenseRef-hub-other-<slug>. At most 64 bytes.
std::string slug_of(std::string_view text);
}  // namespace hm::provenance::licence
