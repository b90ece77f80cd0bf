// tests/unit/server/server_fixture.hpp: what the tests of who may read share: requests in one line, tokens by name.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "server/http/request.hpp"
#include "server/http/response.hpp"
#include "storage/access_rows.hpp"

namespace hm::test {
using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

inline server::Request request_for(std::string target, Fields fields = {}) {
  server::Request request;
  request.target = std::move(target);
  request.peer = "192.0.2.1";
  for (const auto& [name, value] : fields) request.add_field(name, value);
  return request;
}
inline std::string body_of(const server::Response& response) { return std::get<std::string>(response.body); }
/// "" when there is none.
inline std::string field_of(const server::Response& response, std::string_view name) {
  const std::string start = std::string(name) + ": ";
  std::size_t at = response.fields.starts_with(start) ? 0 : response.fields.find("\r\n" + start);
  if (at == std::string::npos) return {};
  at += (at == 0 ? 0 : 2) + start.size();
  return response.fields.substr(at, response.fields.find("\r\n", at) - at);
}
inline std::string mirror_token(std::string_view name) {
  return std::string(storage::kTokenPrefix) + std::string(name) + std::string(40, 'x');
}
inline storage::TokenRow token_row(const std::string& name) {
  storage::TokenRow row;
  row.name = name;
  row.hash = sha256(mirror_token(name));
  row.created_ms = 1'700'000'000'000;
  return row;
}
}  // namespace hm::test
