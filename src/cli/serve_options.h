// From the words of `terrace serve` to the options of a server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/config_commands.h"
#include "server/server.h"

namespace terrace::cli {

struct ServeArguments {
  ConfigArguments config;
  // Each stands for a key of the configuration.
  std::optional<std::string> socket, l1, directory, capacity;
  std::vector<std::string> allow_uids;
};

void add_serve_flags(CLI::App& command, ServeArguments& arguments);

// Defaults, the file, the environment, flags. Every problem of them in one failure.
Outcome<server::ServerOptions> serve_options(const ServeArguments& arguments);

}  // namespace terrace::cli
