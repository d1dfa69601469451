#include "cli/serve_options.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/bytes.h"
#include "cli/offline_store.h"
#include "cli/open_store.h"
#include "io/posix_file_system.h"
#include "wire/default_socket.h"

namespace terrace::cli {
namespace {

constexpr const char* kCapacityKey = "tiers[0].disk.capacity";

void add_flags(const ServeArguments& arguments, config::Source& source) {
  const auto add = [&source](const char* flag, const char* key, const std::optional<std::string>& text) {
    if (text) source.settings.push_back({key, {*text}, false, flag});
  };
  add("--socket", "server.socket", arguments.socket);
  add("--l1", "l1.budget", arguments.l1);
  add("--dir", "tiers[0].disk.paths", arguments.directory);
  add("--capacity", kCapacityKey, arguments.capacity);
  if (!arguments.allow_uids.empty()) {
    source.settings.push_back({"server.also_allow", arguments.allow_uids, true, "--allow-uid"});
  }
}

// What a directory is opened with when nobody says: as it is.
config::Source capacity_as_recorded(std::string directory) {
  config::Source source;
  constexpr std::string_view kScheme = "file://";
  if (directory.starts_with(kScheme)) directory.erase(0, kScheme.size());
  io::PosixFileSystem files;
  const uint64_t bytes = recorded_capacity(files, directory).value_or(kNewCapacity);
  source.settings.push_back({kCapacityKey, {fmt::format("{}B", bytes)}, false, "--dir"});
  return source;
}

}  // namespace

void add_serve_flags(CLI::App& command, ServeArguments& arguments) {
  command
      .add_option("CONFIG", arguments.config.file, "configuration file (default $TERRACE_CONFIG, else none)")
      ->type_name("");
  command
      .add_option("--socket", arguments.socket,
                  fmt::format("where to listen (default {})", wire::default_socket()))
      ->type_name("PATH");
  command
      .add_option("--allow-uid", arguments.allow_uids,
                  "a user, by number, that may connect besides this one; may be repeated")
      ->type_name("UID")
      ->allow_extra_args(false);
  command
      .add_option("--l1", arguments.l1,
                  fmt::format("host memory for blocks (default {})", base::format_size(L1Options{}.budget)))
      ->type_name("SIZE");
  command.add_option("--dir", arguments.directory, "directory of the first tier, a disk (default none)")
      ->type_name("DIR");
  command
      .add_option("--capacity", arguments.capacity,
                  fmt::format("bytes that tier may take (default as DIR has it, {} when it is new)",
                              base::format_size(kNewCapacity)))
      ->type_name("SIZE");
  add_sets(command, arguments.config);
}

Outcome<server::ServerOptions> serve_options(const ServeArguments& arguments) {
  std::vector<config::Source> sources = config::read_sources({.file = config_file(arguments.config),
                                                              .environment = config::process_environment(),
                                                              .sets = arguments.config.sets});
  add_flags(arguments, sources.back());
  if (arguments.directory) {  // whoever else says it, counts more
    sources.insert(sources.begin(), capacity_as_recorded(*arguments.directory));
  }
  auto loaded = config::load(std::move(sources));
  if (!loaded) return config::failure_of(loaded.error());
  server::ServerOptions options;
  options.store = std::move(loaded->options);
  options.socket = std::move(loaded->server.socket);
  if (options.socket.empty()) options.socket = wire::default_socket();
  options.auth = loaded->server.auth;
  options.limits = {loaded->server.session_reserved_bytes, loaded->server.session_leased_bytes};
  options.also_allow.assign(loaded->server.also_allow.begin(), loaded->server.also_allow.end());
  return options;
}

}  // namespace terrace::cli
