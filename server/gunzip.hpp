// server/gunzip.hpp: compressed request bodies. Layer 5; pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm::server {
/// One gzip stream, whole. @returns BadInput: not gzip, cut short, something behind it; Refused: it makes more than
/// `bytes_max`.
Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);
}  // namespace hm::server
