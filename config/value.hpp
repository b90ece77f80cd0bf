// config/value.hpp: one setting's value: from TOML or text, into its member, within its bounds. Layer 1; pure
// functions; used by config/ and by provenance/licence/.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"

namespace hm::config {
/// A value as TOML or the environment gave it, before it is known to fit.
using Raw = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// @returns BadInput that continues the name of the setting: "must be a whole number, not a text".
Result<> assign(bool& into, const Rule& rule, const Raw& raw);
Result<> assign(int& into, const Rule& rule, const Raw& raw);
Result<> assign(std::int64_t& into, const Rule& rule, const Raw& raw);
Result<> assign(std::uint64_t& into, const Rule& rule, const Raw& raw);
Result<> assign(std::string& into, const Rule& rule, const Raw& raw);
Result<> assign(std::vector<std::string>& into, const Rule& rule, const Raw& raw);
template <class T>
Result<> assign(std::optional<T>& into, const Rule& rule, const Raw& raw) {
  T value{};
  HM_TRY(assign(value, rule, raw));
  into = value;
  return ok();
}

Result<> check_value(bool value, const Rule& rule);
Result<> check_value(int value, const Rule& rule);
Result<> check_value(std::int64_t value, const Rule& rule);
Result<> check_value(std::uint64_t value, const Rule& rule);
Result<> check_value(const std::string& value, const Rule& rule);
Result<> check_value(const std::vector<std::string>& value, const Rule& rule);

/// What a variable's text means for a member of the first argument's type: lists are separated by commas; true, yes, on
/// and 1 are true.
Raw raw_from_text(const bool&, const std::string& text);
Raw raw_from_text(const int&, const std::string& text);
Raw raw_from_text(const std::int64_t&, const std::string& text);
Raw raw_from_text(const std::uint64_t&, const std::string& text);
Raw raw_from_text(const std::string&, const std::string& text);
Raw raw_from_text(const std::vector<std::string>&, const std::string& text);

/// A path as it stands in a file of that folder: "~/" is the home directory, relative ones start at the folder.
std::string path_beside(const std::string& folder, const std::string& path);
/// A small file that belongs to the operator: symbolic links are followed, which those of the store never are.
Result<std::string> read_operators_file(const std::string& path, std::size_t size_max);
}  // namespace hm::config
