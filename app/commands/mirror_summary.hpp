// app/commands/mirror_summary.hpp: what `mirror` says of its run, as text and as JSON. Layer 6; pure functions.
#pragma once
#include <string>
#include <vector>

#include "app/mirror_run.hpp"
#include "base/canonical_json.hpp"
#include "mirror/catalog.hpp"

namespace hm::app {
/// "org/name: complete, 3 files fetched, 1.2 GiB in 12 s".
std::string summary_line(const crawler::MirrorReport& report);
/// A block per repository, then totals when there are several. The catalog tells what is published now.
std::string summary_text(const std::vector<MirrorOutcome>& outcomes, const mirror::Catalog& catalog);
json::object summary_json(const std::vector<MirrorOutcome>& outcomes, bool stopped);
}  // namespace hm::app
