// provenance/formats/header_claims.hpp: what the header of a weight file claims. Layer 4; pure functions.
#pragma once
#include "provenance/formats/claims.hpp"
#include "provenance/formats/model_header.hpp"

namespace hm::provenance::formats {
/// Adds the claims and findings of a header, also of one that was read in part.
void claim_header(const ModelHeader& header, FileClaims& into);
}  // namespace hm::provenance::formats
