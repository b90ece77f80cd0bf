// app/mirror_run.hpp: several repositories through the pipeline at once, from the first to the last or to Ctrl-C.
// Layer 6. Threads: run() waits on the main thread and draws; everything else happens on the network thread.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "app/progress.hpp"
#include "app/services.hpp"
#include "crawler/pipeline.hpp"

namespace hm::app {
struct Context;
/// How a run of several repositories shows its progress: bars, lines, or not at all.
ProgressDisplay::Mode display_mode(const Context& context);

/// A URL names a host too: that of the Hub, of whom the upstream may be a mirror, or the upstream's own. Any other
/// would silently become the upstream's repository of that name. @returns BadInput.
Result<> check_url_host(const std::string& text, const std::string& upstream);

/// What happened to one repository of a run. `begun` is false when the run ended before its turn.
struct MirrorOutcome {
  bool begun = false;
  crawler::MirrorReport report;
  bool complete() const { return begun && !report.error && report.problems.empty(); }
};

struct MirrorRunOptions {
  int parallel = 2;
  /// On the git pool, after a repository ended; may block. The run ends after the last of them.
  std::function<void(std::size_t slot, const MirrorOutcome& outcome)> on_end;
  /// The line that the display prints when a repository is through; "" for none.
  std::function<std::string(const MirrorOutcome& outcome)> summary;
};

/// Runs all requests, at most `parallel` at once and one repository never twice at once; a failure does not stop the
/// others unless none could succeed (disk full). When `stop` fires, what runs is cancelled and nothing new is begun.
/// Outcomes in the order of the requests.
std::vector<MirrorOutcome> run_mirror(NetworkServices& network, const std::vector<crawler::MirrorRequest>& requests,
                                      MirrorRunOptions options, ProgressDisplay& display, std::stop_token stop);
}  // namespace hm::app
