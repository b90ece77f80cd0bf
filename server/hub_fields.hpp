// server/hub_fields.hpp: which fields the Hub has for which kind of repository, and what listings know of one. Layer 5.
// docs/hub_protocol.md
#pragma once
#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "provenance/selection.hpp"
#include "server/http/response.hpp"

namespace hm::server {
/// May `expand` name it.
bool is_expandable(RepoKind kind, std::string_view field);
/// 400 with the list of those that may.
Response unknown_field(RepoKind kind, std::string_view field);
/// What an item of a listing has by itself, and what `full=true` adds.
std::span<const std::string_view> listing_fields(RepoKind kind);
std::span<const std::string_view> full_listing_fields(RepoKind kind);

/// All that listings know of a repository, as an item of the Hub's.
boost::json::object listed_json(const provenance::Found& found);
}  // namespace hm::server
