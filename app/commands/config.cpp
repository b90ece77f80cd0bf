// hubmirror config check, config print, version: what is in force, and what this program is made of.
#include <curl/curl.h>
#include <git2/common.h>
#include <openssl/crypto.h>
#include <rocksdb/version.h>
#include <boost/version.hpp>

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "app/commands/commands.hpp"
#include "app/licences.hpp"
#include "app/origins.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "config/mirror_policy.hpp"
#include "config/settings.hpp"
#include "storage/data_dir.hpp"

namespace hm::app {
namespace {
/// The values by themselves, and what a run would make of them before it touches anything.
Result<> check_usable(const config::Config& config) {
  HM_TRY(config::check_config(config));
  HM_TRY(NetworkServices::plan(config));
  return ok();
}
/// @returns how many there are.
Result<std::size_t> check_policies(const config::Config& config, const std::string& config_file) {
  const std::string directory = config::policies_directory(config, config_file);
  if (directory.empty()) return std::size_t{0};
  auto policies = config::load_mirror_policies(directory);
  if (!policies) return Error{Errc::BadInput, policies.assume_error().what};
  return policies.assume_value().size();
}
}  // namespace

Result<Exit> run_command(Context& context, const ConfigCheckCommand& command) {
  std::string file = command.file;
  if (file.empty()) file = context.options.config_file ? *context.options.config_file : config::find_config_file();
  config::Config config;
  if (!file.empty()) {
    auto loaded = config::load_config_file(file);
    if (!loaded) return Error{Errc::BadInput, loaded.assume_error().what};
    config = std::move(loaded).assume_value();
  }
  if (command.file.empty()) {  // the configuration in force is more than its file
    HM_TRY(config::apply_environment(config));
  }
  HM_TRY(
      within(check_usable(config), [&] { return "checking " + (file.empty() ? "the environment" : printable(file)); }));
  HM_TRY(const std::size_t policies, check_policies(config, file));
  HM_TRY(origins_in_force(config, file));
  HM_TRY(licences_in_force(config, file));
  if (context.options.json) {
    print_json(context.io.out, json::object{{"file", json_text(file)}, {"policies", policies}, {"right", true}});
  } else if (!context.options.quiet) {
    context.io.out << (file.empty() ? "no configuration file; the defaults are in force" : printable(file) + ": right");
    if (policies != 0) context.io.out << "; policies: " << policies << ", all right";
    context.io.out << "\n";
  }
  return Exit::Done;
}

namespace {
json::value value_json(bool value) { return value; }
json::value value_json(int value) { return value; }
json::value value_json(std::int64_t value) { return value; }
json::value value_json(std::uint64_t value) { return value; }
json::value value_json(const std::string& value) { return json_text(value); }
json::value value_json(const std::vector<std::string>& value) {
  json::array out;
  for (const std::string& text : value) out.emplace_back(json_text(text));
  return out;
}
}  // namespace

Result<Exit> run_command(Context& context, const ConfigPrintCommand&) {
  const std::string text = config::print_config(context.config);
  if (!context.options.json) {
    context.io.out << text;
    return Exit::Done;
  }
  HM_TRY(config::Config shown, config::parse_config(text, "printed"));  // what print_config() hides is hidden here too
  json::object out;
  config::each_setting(shown,
                       [&](std::string_view section, std::string_view key, const auto& member, const config::Rule&) {
                         json::value& part = out[json::string_view(section.data(), section.size())];
                         if (part.is_null()) part = json::object();
                         part.get_object()[json::string_view(key.data(), key.size())] = value_json(member);
                       });
  print_json(context.io.out, out);
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const VersionCommand&) {
  int major = 0, minor = 0, revision = 0;
  ::git_libgit2_version(&major, &minor, &revision);
  const std::string git = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(revision);
  const std::string rocks =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH);
  const std::string boost = std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) +
                            "." + std::to_string(BOOST_VERSION % 100);
  const std::vector<std::pair<std::string, std::string>> libraries{
      {"boost", boost},
      {"curl", ::curl_version_info(CURLVERSION_NOW)->version},
      {"libgit2", git},
      {"openssl", ::OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"rocksdb", rocks}};
  std::string version = product_version();
  std::replace(version.begin(), version.end(), '/', ' ');
  if (context.options.json) {
    json::object parts;
    for (const auto& [name, text] : libraries) parts[name] = text;
    print_json(context.io.out, json::object{{"compiler", __VERSION__},
                                            {"data_dir_version", storage::kDataDirVersion},
                                            {"libraries", std::move(parts)},
                                            {"version", version.substr(version.find(' ') + 1)}});
    return Exit::Done;
  }
  context.io.out << version << "\n";
  for (const auto& [name, text] : libraries) context.io.out << "  " << name << " " << text << "\n";
  return Exit::Done;
}
}  // namespace hm::app
