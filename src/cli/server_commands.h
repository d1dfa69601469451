// The commands of the group `terrace server`, which talk to a server that runs.
#pragma once

#include <memory>
#include <string>

#include <terrace/client.h>

#include "cli/command.h"

namespace terrace::cli {

struct ServerArguments {
  std::string socket;
};

// --socket and --json, which each has.
void add_socket(CLI::App& command, ServerArguments& arguments);
ClientOptions client_options(const ServerArguments& arguments);

void add_server_stats(CLI::App& group, Invocation& invocation);
void add_server_watch(CLI::App& group, Invocation& invocation);
void add_server_quota(CLI::App& group, Invocation& invocation);
void add_server_limit(CLI::App& group, Invocation& invocation);
void add_server_drain(CLI::App& group, Invocation& invocation);
void add_server_resume(CLI::App& group, Invocation& invocation);
void add_server_mode(CLI::App& group, Invocation& invocation);

}  // namespace terrace::cli
