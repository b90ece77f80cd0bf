// app/audit_subjects.hpp: which repositories an audit is about. Layer 6; main thread.
#pragma once
#include <string>
#include <vector>

#include "app/cli.hpp"
#include "app/context.hpp"
#include "app/services.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/lineage/graph.hpp"

namespace hm::app {
using provenance::audit::Subjects;
/// @returns BadInput for options that exclude each other or a policy that is not there; NotFound for a repository that
/// nobody told of.
Result<Subjects> subjects_of(const Context& context, const ReadServices& services, const AuditSubjects& asked);
/// One repository as typed, by its name, a former name or its id. @returns BadInput, also for a revision; NotFound.
Result<RepoKey> known_key(const storage::Index& index, const std::string& typed);
/// The same, or a name that nobody has here and that others name: a base that was deleted.
Result<provenance::lineage::Node> known_node(const storage::Index& index, const std::string& typed);
}  // namespace hm::app
