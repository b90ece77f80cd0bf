// config/config.hpp: all settings, one plain struct per section, units in names. Layer 1; values. Every key is
// explained in config/hubmirror.toml.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/ceilings.hpp"

namespace hm::config {
struct Upstream {
  std::string url = "https://huggingface.co";
  std::string token_file;                  ///< read at start; HF_TOKEN wins over it
  std::vector<std::string> allow_private;  ///< "host" or "host:port"
  std::string ca_file, proxy, user_agent_contact;
};
struct Network {
  int connections_per_host_max = 16, connections_max = 64;
  std::int64_t connect_timeout_ms = 10'000, stall_timeout_ms = 30'000;
  int retries_max = 5;
  std::int64_t retry_wait_ms_max = 600'000;
};
struct Budget {
  std::uint64_t requests_per_second_max = 0, bytes_per_second_max = 0;  ///< 0: no ceiling
  std::vector<std::string> hours;                                       ///< config/ceilings.hpp
  std::string time_zone = "local";                                      ///< of `hours`: local, utc
};
struct Storage {
  std::string data_dir;  ///< empty: HUBMIRROR_DATA_DIR, else $XDG_DATA_HOME/hubmirror, else ~/.local/share/hubmirror
  std::uint64_t reserve_bytes = 1ULL << 30;  ///< free space that downloads leave untouched
  std::uint64_t index_cache_bytes = 32ULL << 20;
};
struct Mirror {
  int repos_parallel = 2;  ///< --jobs
  int files_parallel = 8, ranges_per_file = 4;
  std::uint64_t bytes_in_flight_max = 48ULL << 20;
  std::uint64_t git_pack_bytes_max = 16ULL << 30, git_object_bytes_max = 256ULL << 20;
  std::uint64_t git_objects_max = 50'000'000, git_refs_max = 1'000'000;
  int git_tree_depth_max = 256;
  bool pull_requests = false, all_history = false;
  std::vector<std::string> include, exclude, formats;
  std::uint64_t file_bytes_max = 0;  ///< 0: no limit
};
struct Crawl {
  int tail_every_seconds = 60;
  int sweep_every_hours = 24;
  std::uint64_t visits_per_day_max = 50'000;  ///< repositories looked into; 0: none
  int attention_days = 42;                    ///< a change is news for so long
  int revisit_days = 90;                      ///< looked into again though nothing speaks for a change
  bool operator==(const Crawl&) const = default;
};
struct Sync {
  std::string policies;  ///< directory; empty: `policies` beside the configuration file, config/mirror_policy.hpp
};
struct Report {
  std::string origins;   ///< directory of CSV files; empty: `origins` beside the configuration file
  std::string licences;  ///< directory of TOML files; empty: `licences` beside the configuration file
};
struct Serve {
  std::vector<std::string> listen{"127.0.0.1:8080"};  ///< "address:port", "[v6]:port", "unix:/path"
  std::string tls_certificate, tls_key;               ///< PEM files; both empty: plain HTTP
  std::string public_url;                             ///< "": what the client called us
  std::vector<std::string> trusted_proxies;           ///< addresses or networks whose X-Forwarded-* count
  std::string access = "open";                        ///< open, tokens
  std::string gated = "check";                        ///< check, granted
  std::string on_demand = "off";                      ///< off, metadata, files
  std::int64_t max_age_seconds = 300;                 ///< how long a name is believed without asking upstream
  int threads = 0;                                    ///< event loops; 0: one per core
  int connections_max = 20'000, connections_per_address_max = 1'024;
  std::int64_t header_timeout_ms = 10'000, stall_timeout_ms = 30'000, idle_timeout_ms = 75'000,
               drain_timeout_ms = 30'000;
  std::uint64_t cache_bytes = 64ULL << 20;  ///< small files and answers held in memory
  int git_processes_max = 16;
  std::int64_t git_seconds_max = 3'600;  ///< of one git upload-pack
  std::string access_log;                ///< file; "": none
};
struct Verify {
  std::uint64_t bytes_per_second_max = 0;  ///< 0: as fast as the machine
  int threads = 0;                         ///< 0: one per core
};
struct Retention {
  std::int64_t superseded_days = -1;  ///< revisions no ref names any more: dropped by gc after so many days; -1: never
  std::int64_t grace_hours = 24;      ///< unreferenced blobs and abandoned downloads younger than this stay
  std::int64_t quarantine_days = 30;  ///< bytes that were found bad are evidence for so long
};
struct Log {
  std::string level = "warning";  ///< debug, info, warning, error, off
  std::string format = "text";    ///< text, json
};
struct Config {
  Upstream upstream;
  Network network;
  Budget budget;
  Storage storage;
  Mirror mirror;
  Crawl crawl;
  Sync sync;
  Report report;
  Serve serve;
  Verify verify;
  Retention retention;
  Log log;
};
/// Relative paths in the file start at its folder, "~/" at the home directory.
/// @returns BadInput `file:line:column: unknown key "x" in [section]; did you mean "y"?`, with bounds and unit for
/// values out of range; NotFound, Io.
Result<Config> load_config_file(const std::string& path);
Result<Config> parse_config(std::string_view toml, std::string_view source_name);
/// A folder that a setting names, or the one of this name beside the configuration file; "" when there is neither.
std::string named_or_beside(const std::string& setting, const std::string& config_file, std::string_view name);
/// The file to read when none is named: HUBMIRROR_CONFIG, $XDG_CONFIG_HOME/hubmirror/hubmirror.toml,
/// ~/.config/hubmirror/hubmirror.toml, /etc/hubmirror/hubmirror.toml: the first that exists; HUBMIRROR_CONFIG even if
/// it does not. "" when there is none.
std::string find_config_file();
/// HF_ENDPOINT, HUBMIRROR_DATA_DIR and HUBMIRROR_<SECTION>_<KEY> (lists with commas) are applied over the file. Reads
/// the environment through `getenv`.
/// @returns BadInput naming the variable: a value out of bounds, or a name that is no setting of a known section.
Result<> apply_environment(Config& config);
/// Checks bounds and forms of all values.
Result<> check_config(const Config& config);
/// The section [budget], read. @returns BadInput.
Result<CeilingPlan> ceilings_of(const Config& config);
/// The effective configuration as TOML; secrets are never part of it (a proxy's password is hidden).
std::string print_config(const Config& config);
/// storage.data_dir, or its default, as an absolute path. @returns BadInput when neither it nor HOME is set.
Result<std::string> data_dir_of(const Config& config);
/// HF_TOKEN, HUGGING_FACE_HUB_TOKEN, token_file, else the file the Hub's own client keeps ($HF_TOKEN_PATH,
/// $HF_HOME/token,
/// ~/.cache/huggingface/token) when the upstream is huggingface.co; "" if none. Warns in the log when others may read
/// the file.
/// @returns BadInput for a token that holds blanks, line ends or other bytes no token has (the token itself is never
/// quoted).
Result<std::string> load_token(const Config& config);
}  // namespace hm::config
