// provenance/formats/template_check.hpp: what in a chat template (Jinja) reaches for more than the messages. Layer 4;
// pure functions. No parser of Jinja: it looks at the text between {{ }} and {% %}.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hm::provenance::formats {
/// One line for each kind of trouble: names with two underscores on both sides, the attr filter, import and include,
/// attributes of objects that lead to a module's globals, escapes that could spell one of these.
std::vector<std::string> template_troubles(std::string_view source);
}  // namespace hm::provenance::formats
