// provenance/audit/impact.hpp: everything that is affected if a repository, a file, a licence or an owner were bad
// news: among what is mirrored here, and in the whole Hub as far as it is known. Layer 4. Threads: safe; blocks on the
// index. docs/lineage.md
//
// Each repository that is mirrored here and affected is a finding: a warning, with the path on which it is.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/origin.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// What descends from it, and what uses it or one of these.
Result<report::Report> impact_of_repository(const storage::Index& index, const lineage::Node& node);
/// Who has the file, and what descends from them.
Result<report::Report> impact_of_file(const storage::Index& index, const Sha256& file);
/// Who stands under it, and what of the mirrored descends from such. @param id as cards write it, without case
Result<report::Report> impact_of_licence(const storage::Index& index, const std::string& id,
                                         const std::vector<std::string>& hub_ids = {});
/// What belongs to the owners that the table says are of a jurisdiction (two capitals), or to one owner.
/// @returns NotFound for a jurisdiction that nobody in the table has.
Result<report::Report> impact_of_origin(const storage::Index& index, const OriginTable& origins,
                                        const std::string& which);
}  // namespace hm::provenance::audit
