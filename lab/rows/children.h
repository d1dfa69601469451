// The commands by which rows start this program again, as a process that is killed, limited or watched. One
// table; none of them is in --help.
#pragma once

#include <functional>
#include <span>
#include <string_view>

namespace CLI {
class App;
}

namespace terrace::lab {

using RunChild = std::function<int()>;  // returns the exit code

struct ChildCommand {
  std::string_view name;
  std::string_view started_by;
  RunChild (*describe)(CLI::App& command);  // adds its options; what is returned runs it once they are parsed
};

std::span<const ChildCommand> child_commands();

// Adds them all; `chosen` is set when one of them was parsed.
void describe_children(CLI::App& app, RunChild& chosen);

}  // namespace terrace::lab
