// hubmirror audit history.
#include <memory>
#include <optional>

#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/licences.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "mirror/git/repository.hpp"
#include "provenance/audit/history.hpp"

namespace hm::app {
namespace {
/// What the bare repositories here tell of commits. One is open at a time: questions come by repository.
class GitMemory {
 public:
  explicit GitMemory(const mirror::Catalog& catalog) : catalog_(catalog) {}
  std::optional<bool> descends(const RepoKey& repo, const GitOid& older, const GitOid& newer) {
    if (!open_ || *open_ != repo) open(repo);
    if (!repository_) return std::nullopt;
    for (const GitOid& commit : {older, newer}) {
      const auto here = repository_->contains(commit);
      if (!here || !here.assume_value()) return std::nullopt;
    }
    const auto answer = repository_->is_ancestor(older, newer);
    return answer ? std::optional(answer.assume_value()) : std::nullopt;
  }

 private:
  void open(const RepoKey& repo) {
    open_ = repo;
    repository_.reset();
    const auto row = catalog_.find(repo);
    if (!row || !row.assume_value()) return;
    auto opened = mirror::Repository::open(catalog_.git_path(*row.assume_value()));
    if (opened) repository_.emplace(std::move(opened.assume_value()));
  }
  const mirror::Catalog& catalog_;
  std::optional<RepoKey> open_;
  std::optional<mirror::Repository> repository_;
};
}  // namespace

Result<Exit> run_command(Context& context, const AuditHistoryCommand& command) {
  HM_TRY(check_form(context, command.form));
  std::int64_t since_ms = 0;
  if (!command.since.empty()) {
    HM_TRY(since_ms, within(parse_time(command.since), [] { return "reading --since"; }));
  }
  HM_TRY(const auto catalogue, licences_in_force(context.config, context.config_file));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(auto subjects, subjects_of(context, *services, command.subjects));
  if (subjects.all) {
    HM_TRY(subjects.keys, provenance::audit::changed_since(*services->index, since_ms));
    subjects.words += " of which more than one thing was seen";
  }
  GitMemory git(services->catalog);
  const provenance::audit::HistoryQuestion question{
      catalogue, since_ms,
      [&](const RepoKey& repo, const GitOid& older, const GitOid& newer) { return git.descends(repo, older, newer); }};
  HM_TRY(const auto report, provenance::audit::history(*services->index, question, subjects));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
