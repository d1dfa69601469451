#include "lab/rows/children.h"

#include <array>

#include <CLI/CLI.hpp>

#include "lab/rows/crash.h"
#include "lab/rows/idle.h"
#include "lab/rows/memory.h"
#include "lab/rows/network.h"
#include "lab/rows/prefill.h"
#include "lab/rows/restart.h"
#include "lab/rows/server_process.h"

namespace terrace::lab {
namespace {

constexpr std::array<ChildCommand, 7> kChildren{{
    {"child", "rows 2 and 3", describe_crash_child},
    {"memory-child", "row 12", describe_memory_child},
    {"network-child", "row 13", describe_network_child},
    {"prefill-child", "row 15", describe_prefill_child},
    {"restart-child", "row 19", describe_restart_child},
    {"idle-child", "row 20", describe_idle_child},
    {"server-child", "rows with a server", describe_server_child},
}};

}  // namespace

std::span<const ChildCommand> child_commands() {
  return kChildren;
}

void describe_children(CLI::App& app, RunChild& chosen) {
  for (const ChildCommand& child : child_commands()) {
    CLI::App* command =
        app.add_subcommand(std::string(child.name), "started by " + std::string(child.started_by));
    command->group("");  // not in --help
    command->callback([&chosen, run = child.describe(*command)] { chosen = run; });
  }
}

}  // namespace terrace::lab
