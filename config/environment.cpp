// The environment's part of the configuration: overrides, where files are, and the token.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/suggest.hpp"
#include "config/value.hpp"

namespace hm::config {
namespace {
constexpr std::size_t kTokenBytesMax = 4096;  // Hub tokens have some 40 bytes, signed ones up to some 2,000
constexpr std::string_view kOwnPrefix = "HUBMIRROR_";

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}
std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}
std::string variable_of(std::string_view section, std::string_view key) {
  return std::string(kOwnPrefix) + upper(section) + "_" + upper(key);
}

/// The prefix that all share does not count as likeness.
std::string nearest_own(const std::string& name, std::vector<std::string> known) {
  for (std::string& one : known) one.erase(0, kOwnPrefix.size());
  return nearest(std::string_view(name).substr(kOwnPrefix.size()), known);
}

/// A misspelt HUBMIRROR_MIRROR_… would otherwise be obeyed by nobody and missed by nobody.
Result<> refuse_unknown_variables(Config& config) {
  std::vector<std::string> known{"HUBMIRROR_CONFIG", "HUBMIRROR_DATA_DIR"}, prefixes;
  each_setting(config, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    known.push_back(variable_of(section, key));
    prefixes.push_back(variable_of(section, ""));
  });
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view whole(*entry);
    const std::string name(whole.substr(0, whole.find('=')));
    if (!name.starts_with(kOwnPrefix) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const bool of_a_section =
        std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& p) { return name.starts_with(p); });
    if (!of_a_section && nearest_own(name, known).empty()) continue;  // somebody else's, as far as one can tell
    return Error{Errc::BadInput, "environment: unknown setting " + printable(name) + did_you_mean(name, known)};
  }
  return ok();
}

Result<> apply_variable(Config& config, const std::string& name, std::string_view wanted_section,
                        std::string_view wanted_key) {
  const std::string text = variable(name);
  if (text.empty()) return ok();  // set but empty is how shells unset a variable for one command
  Result<> result = ok();
  each_setting(config, [&](std::string_view section, std::string_view key, auto& member, const Rule& rule) {
    if (section == wanted_section && key == wanted_key) result = assign(member, rule, raw_from_text(member, text));
  });
  if (!result) result.assume_error().what = "environment: " + name + " " + result.assume_error().what;
  return result;
}

Result<std::string> checked_token(std::string_view text, const std::string& source) {
  text = trim(text);
  auto bad = [&](const std::string& why) {
    return Error{Errc::BadInput,
                 "the token in " + printable(source) + " " + why + "; write the token alone, on one line"};
  };
  if (text.size() > kTokenBytesMax) return bad("is longer than " + std::to_string(kTokenBytesMax) + " bytes");
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; }))
    return bad("holds blanks, line ends or other bytes that no token has");
  return std::string(text);
}

Result<std::string> token_from_file(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    log(LogLevel::Warning, "token file can be read by others; chmod 600 it", {{"path", path}});
  }
  const auto text = read_operators_file(path, 2 * kTokenBytesMax);
  if (!text)
    return Error{Errc::BadInput, "the Hub's token cannot be read: " + text.assume_error().what +
                                     "; correct upstream.token_file or set HF_TOKEN"};
  return checked_token(text.assume_value(), path);
}

bool is_the_hub(const std::string& url) {
  std::string_view host(url);
  if (!host.starts_with("https://")) return false;
  host.remove_prefix(8);
  host = host.substr(0, host.find('/'));
  return host == "huggingface.co" || host == "huggingface.co:443";
}

std::string client_token_path() {
  if (const std::string path = variable("HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/token";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/huggingface/token";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/huggingface/token";
  return {};
}

/// An empty variable counts as none, except here: HUBMIRROR_DATA_DIR="$UNSET" would fill another disk.
Result<> refuse_empty_data_dir() {
  for (const char* name : {"HUBMIRROR_DATA_DIR", "HUBMIRROR_STORAGE_DATA_DIR"}) {
    if (const char* value = std::getenv(name); value && *value == '\0')
      return Error{Errc::BadInput, "environment: " + std::string(name) +
                                       " is set and empty; write the path of the data directory, or unset it"};
  }
  return ok();
}
}  // namespace

std::string find_config_file() {
  if (const std::string named = variable("HUBMIRROR_CONFIG"); !named.empty()) return named;
  std::vector<std::string> places;
  if (const std::string xdg = variable("XDG_CONFIG_HOME"); !xdg.empty())
    places.push_back(xdg + "/hubmirror/hubmirror.toml");
  else if (const std::string home = variable("HOME"); !home.empty())
    places.push_back(home + "/.config/hubmirror/hubmirror.toml");
  places.emplace_back("/etc/hubmirror/hubmirror.toml");
  for (const std::string& place : places) {
    if (real_file_system().exists(place)) return place;
  }
  return {};
}

Result<> apply_environment(Config& config) {
  HM_TRY(refuse_unknown_variables(config));
  HM_TRY(refuse_empty_data_dir());
  HM_TRY(apply_variable(config, "HF_ENDPOINT", "upstream", "url"));
  HM_TRY(apply_variable(config, "HUBMIRROR_DATA_DIR", "storage", "data_dir"));
  Result<> result = ok();
  std::vector<std::pair<std::string, std::string>> keys;
  each_setting(config, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    keys.emplace_back(section, key);
  });
  for (const auto& [section, key] : keys) {
    HM_TRY(apply_variable(config, variable_of(section, key), section, key));
  }
  return result;
}

Result<std::string> data_dir_of(const Config& config) {
  std::string path = config.storage.data_dir;
  if (path.empty()) {
    if (const std::string xdg = variable("XDG_DATA_HOME"); !xdg.empty())
      path = xdg + "/hubmirror";
    else if (const std::string home = variable("HOME"); !home.empty())
      path = home + "/.local/share/hubmirror";
    else
      return Error{Errc::BadInput,
                   "no data directory: neither --data-dir, HUBMIRROR_DATA_DIR, storage.data_dir nor HOME is set"};
  }
  std::error_code ec;
  const std::filesystem::path absolute = std::filesystem::absolute(path, ec);
  if (ec) return Error{Errc::Io, "data directory " + printable(path) + ": " + ec.message()};
  std::string text = absolute.lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Result<std::string> load_token(const Config& config) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    const std::string text = variable(name);
    if (!trim(text).empty()) return checked_token(text, name);
  }
  if (!config.upstream.token_file.empty()) {
    HM_TRY(std::string token, token_from_file(config.upstream.token_file));
    if (token.empty())
      return Error{Errc::BadInput, "the token file " + printable(config.upstream.token_file) +
                                       " is empty; write the token into it, or leave upstream.token_file out to ask "
                                       "without one"};
    return token;
  }
  if (!is_the_hub(config.upstream.url)) return std::string();
  const std::string path = client_token_path();
  if (path.empty() || !real_file_system().exists(path)) return std::string();
  return token_from_file(path);
}
}  // namespace hm::config
