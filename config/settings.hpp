// config/settings.hpp: every key once: section, name, member, unit, bounds. Layer 1; values.
// Reading files, the environment, checking and printing all walk this one table, so a key cannot exist in one and lack
// in another.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "config/config.hpp"

namespace hm::config {
enum class Form : std::uint8_t {
  Plain,      ///< numbers, booleans and text as they are
  Bytes,      ///< an integer or a text like "1.5GiB"
  Path,       ///< "~/" is the home directory; relative paths in a file start at the file's folder
  Url,        ///< http or https, no user name or password inside
  UrlOrNone,  ///< like Url, or empty
  Proxy,      ///< like Url, other schemes of proxies too; credentials are hidden when printed
  Choice,     ///< one of `choices`; of a list, each
  Formats,    ///< list of weight formats (config/policy.hpp)
  Hosts,      ///< list of "host" or "host:port"
  Count,      ///< an integer or a text like "7B", powers of 1000
  Depth,      ///< an integer; true is the largest, false 0
  Duration,   ///< a text like "90d", as milliseconds; messages give bounds in days
  Since,      ///< text: a day, a time, or an age like "90d"
  Repos,      ///< list of repositories as parse_repo_spec() reads them
  Ranges,     ///< list of addresses and networks, config/address_range.hpp
};
struct Rule {
  Form form = Form::Plain;
  std::string_view unit{};  ///< for messages: "ms", "bytes", …
  std::int64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  std::array<std::string_view, 6> choices{};
};

inline constexpr std::uint64_t kDaysMax = 36'500;  ///< of a retention: a hundred years
inline constexpr std::uint64_t kKiB = 1ULL << 10, kMiB = 1ULL << 20, kGiB = 1ULL << 30, kTiB = 1ULL << 40,
                               kPiB = 1ULL << 50;

/// Calls `visit(section, key, member, rule)` for every setting, in the order of config/hubmirror.toml.
template <class ConfigType, class Visit>
void each_setting(ConfigType& c, Visit&& visit) {
  using enum Form;
  visit("upstream", "url", c.upstream.url, Rule{Url});
  visit("upstream", "token_file", c.upstream.token_file, Rule{Path});
  visit("upstream", "allow_private", c.upstream.allow_private, Rule{Hosts});
  visit("upstream", "ca_file", c.upstream.ca_file, Rule{Path});
  visit("upstream", "proxy", c.upstream.proxy, Rule{Proxy});
  visit("upstream", "user_agent_contact", c.upstream.user_agent_contact, Rule{});

  visit("network", "connections_per_host_max", c.network.connections_per_host_max, Rule{Plain, "connections", 1, 256});
  visit("network", "connections_max", c.network.connections_max, Rule{Plain, "connections", 1, 1024});
  visit("network", "connect_timeout_ms", c.network.connect_timeout_ms, Rule{Plain, "ms", 100, 300'000});
  visit("network", "stall_timeout_ms", c.network.stall_timeout_ms, Rule{Plain, "ms", 100, 3'600'000});
  visit("network", "retries_max", c.network.retries_max, Rule{Plain, "retries", 0, 100});
  visit("network", "retry_wait_ms_max", c.network.retry_wait_ms_max, Rule{Plain, "ms", 0, 86'400'000});

  visit("budget", "requests_per_second_max", c.budget.requests_per_second_max,
        Rule{Plain, "requests per second", 0, kRequestsPerSecondMax});
  visit("budget", "bytes_per_second_max", c.budget.bytes_per_second_max, Rule{Bytes, "bytes per second", 0, kPiB});
  visit("budget", "hours", c.budget.hours, Rule{});
  visit("budget", "time_zone", c.budget.time_zone, Rule{Choice, {}, 0, 0, {"local", "utc"}});

  visit("storage", "data_dir", c.storage.data_dir, Rule{Path});
  visit("storage", "reserve_bytes", c.storage.reserve_bytes, Rule{Bytes, "bytes", 0, kPiB});
  visit("storage", "index_cache_bytes", c.storage.index_cache_bytes, Rule{Bytes, "bytes", kMiB, kTiB});

  visit("mirror", "repos_parallel", c.mirror.repos_parallel, Rule{Plain, "repositories", 1, 64});
  visit("mirror", "files_parallel", c.mirror.files_parallel, Rule{Plain, "files", 1, 256});
  visit("mirror", "ranges_per_file", c.mirror.ranges_per_file, Rule{Plain, "ranges", 1, 64});
  visit("mirror", "bytes_in_flight_max", c.mirror.bytes_in_flight_max, Rule{Bytes, "bytes", kMiB, kTiB});
  visit("mirror", "git_pack_bytes_max", c.mirror.git_pack_bytes_max, Rule{Bytes, "bytes", kKiB, kPiB});
  visit("mirror", "git_object_bytes_max", c.mirror.git_object_bytes_max, Rule{Bytes, "bytes", kKiB, kTiB});
  visit("mirror", "git_objects_max", c.mirror.git_objects_max, Rule{Plain, "objects", 1, 10'000'000'000});
  visit("mirror", "git_refs_max", c.mirror.git_refs_max, Rule{Plain, "refs", 1, 100'000'000});
  visit("mirror", "git_tree_depth_max", c.mirror.git_tree_depth_max, Rule{Plain, "levels", 1, 4096});
  visit("mirror", "pull_requests", c.mirror.pull_requests, Rule{});
  visit("mirror", "all_history", c.mirror.all_history, Rule{});
  visit("mirror", "include", c.mirror.include, Rule{});
  visit("mirror", "exclude", c.mirror.exclude, Rule{});
  visit("mirror", "formats", c.mirror.formats, Rule{Formats});
  visit("mirror", "file_bytes_max", c.mirror.file_bytes_max, Rule{Bytes, "bytes", 0, kPiB});

  visit("crawl", "tail_every_seconds", c.crawl.tail_every_seconds, Rule{Plain, "seconds", 10, 86'400});
  visit("crawl", "sweep_every_hours", c.crawl.sweep_every_hours, Rule{Plain, "hours", 1, 8'760});
  visit("crawl", "visits_per_day_max", c.crawl.visits_per_day_max, Rule{Plain, "repositories", 0, 86'400'000});
  visit("crawl", "attention_days", c.crawl.attention_days, Rule{Plain, "days", 1, 3'650});
  visit("crawl", "revisit_days", c.crawl.revisit_days, Rule{Plain, "days", 1, 3'650});

  visit("sync", "policies", c.sync.policies, Rule{Path});

  visit("report", "origins", c.report.origins, Rule{Path});
  visit("report", "licences", c.report.licences, Rule{Path});

  visit("serve", "listen", c.serve.listen, Rule{});
  visit("serve", "tls_certificate", c.serve.tls_certificate, Rule{Path});
  visit("serve", "tls_key", c.serve.tls_key, Rule{Path});
  visit("serve", "public_url", c.serve.public_url, Rule{UrlOrNone});
  visit("serve", "trusted_proxies", c.serve.trusted_proxies, Rule{Ranges});
  visit("serve", "access", c.serve.access, Rule{Choice, {}, 0, 0, {"open", "tokens"}});
  visit("serve", "gated", c.serve.gated, Rule{Choice, {}, 0, 0, {"check", "granted"}});
  visit("serve", "on_demand", c.serve.on_demand, Rule{Choice, {}, 0, 0, {"off", "metadata", "files"}});
  visit("serve", "max_age_seconds", c.serve.max_age_seconds, Rule{Plain, "seconds", 0, 31'536'000});
  visit("serve", "threads", c.serve.threads, Rule{Plain, "threads", 0, 256});
  visit("serve", "connections_max", c.serve.connections_max, Rule{Plain, "connections", 1, 1'000'000});
  visit("serve", "connections_per_address_max", c.serve.connections_per_address_max,
        Rule{Plain, "connections", 1, 1'000'000});
  visit("serve", "header_timeout_ms", c.serve.header_timeout_ms, Rule{Plain, "ms", 100, 600'000});
  visit("serve", "stall_timeout_ms", c.serve.stall_timeout_ms, Rule{Plain, "ms", 100, 3'600'000});
  visit("serve", "idle_timeout_ms", c.serve.idle_timeout_ms, Rule{Plain, "ms", 100, 3'600'000});
  visit("serve", "drain_timeout_ms", c.serve.drain_timeout_ms, Rule{Plain, "ms", 0, 3'600'000});
  visit("serve", "cache_bytes", c.serve.cache_bytes, Rule{Bytes, "bytes", kMiB, kTiB});
  visit("serve", "git_processes_max", c.serve.git_processes_max, Rule{Plain, "processes", 1, 1024});
  visit("serve", "git_seconds_max", c.serve.git_seconds_max, Rule{Plain, "seconds", 1, 604'800});
  visit("serve", "access_log", c.serve.access_log, Rule{Path});

  visit("verify", "bytes_per_second_max", c.verify.bytes_per_second_max, Rule{Bytes, "bytes per second", 0, kPiB});
  visit("verify", "threads", c.verify.threads, Rule{Plain, "threads", 0, 256});

  visit("retention", "superseded_days", c.retention.superseded_days, Rule{Plain, "days", -1, kDaysMax});
  visit("retention", "grace_hours", c.retention.grace_hours, Rule{Plain, "hours", 0, 87'600});
  visit("retention", "quarantine_days", c.retention.quarantine_days, Rule{Plain, "days", 0, 3'650});

  visit("log", "level", c.log.level, Rule{Choice, {}, 0, 0, {"debug", "info", "warning", "error", "off"}});
  visit("log", "format", c.log.format, Rule{Choice, {}, 0, 0, {"text", "json"}});
}
}  // namespace hm::config
