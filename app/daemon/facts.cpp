#include "app/daemon/facts.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <fstream>
#include <future>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::chrono::seconds kNetworkWait{1};

std::string text_of(hub::Bucket bucket) { return std::string(hub::name_of(bucket)); }

/// "VmRSS:  1234 kB" of /proc/self/status; 0 when there is none.
std::uint64_t number_of_status(std::string_view field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(field)) continue;
    const auto words = split(trim(std::string_view(line).substr(field.size() + 1)), ' ');
    return parse_u64(words.front()).value_or(0);
  }
  return 0;
}
}  // namespace

std::optional<hub::BudgetStatus> budget_status(NetworkServices& network) {
  auto promise = std::make_shared<std::promise<hub::BudgetStatus>>();
  auto answer = promise->get_future();
  boost::asio::post(*network.context, [promise, &network] { promise->set_value(network.budget.status()); });
  if (answer.wait_for(kNetworkWait) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

DaemonFigures::DaemonFigures(Metrics& metrics, WriteServices& store, NetworkServices& network)
    : metrics_(metrics), store_(store), network_(network) {
  metrics.gauge("hubmirror_process_start_timestamp_seconds", "When the daemon began.")
      .set(static_cast<double>(system_clock().unix_ms()) / 1000);
  refresh();
}

void DaemonFigures::refresh() {
  if (const auto status = budget_status(network_)) take_budget(*status);
  take_process();
  if (const auto space = real_file_system().space(store_.dir.root)) {
    metrics_.gauge("hubmirror_store_free_bytes", "Free on the disk of the data directory.")
        .set(static_cast<double>(space.assume_value().free_bytes));
    metrics_.gauge("hubmirror_store_size_bytes", "Size of the disk of the data directory.")
        .set(static_cast<double>(space.assume_value().total_bytes));
  }
  if (const auto entries = store_.journal.size())
    metrics_.counter("hubmirror_journal_entries_total", "Entries of the journal.").set(entries.assume_value());
}

void DaemonFigures::take_budget(const hub::BudgetStatus& status) {
  for (std::size_t i = 0; i < status.buckets.size(); ++i) {
    const hub::BucketStatus& bucket = status.buckets[i];
    const Metrics::Labels labels{{"bucket", text_of(static_cast<hub::Bucket>(i))}};
    metrics_
        .counter("hubmirror_upstream_requests_total", "Requests to the upstream, by the budget they count in.", labels)
        .set(bucket.admitted);
    metrics_.counter("hubmirror_upstream_waits_total", "Requests that waited for the upstream's budget.", labels)
        .set(bucket.waits);
    if (!bucket.limited) continue;
    metrics_.gauge("hubmirror_budget_remaining_requests", "What is left of the upstream's window.", labels)
        .set(static_cast<double>(bucket.remaining));
    metrics_.gauge("hubmirror_budget_quota_requests", "What the upstream grants in a window; 0: not known.", labels)
        .set(static_cast<double>(bucket.quota));
  }
  metrics_.counter("hubmirror_upstream_received_bytes_total", "Bytes of bodies that the upstream and its CDN sent.")
      .set(status.received_bytes);
  metrics_.counter("hubmirror_upstream_answers_429_total", "Answers 429: in a steady state there are none.")
      .set(status.answers_429);
}

void DaemonFigures::take_process() {
  metrics_.gauge("hubmirror_process_resident_bytes", "Memory of the process.")
      .set(static_cast<double>(number_of_status("VmRSS") * 1024));
  metrics_.gauge("hubmirror_process_threads", "Threads of the process.")
      .set(static_cast<double>(number_of_status("Threads")));
  const auto open = real_file_system().list("/proc/self/fd");
  if (open)
    metrics_.gauge("hubmirror_process_open_fds", "Open descriptors of the process.")
        .set(static_cast<double>(open.assume_value().size()));
}
}  // namespace hm::app
