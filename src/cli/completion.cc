// terrace completion: the shell's completion script.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/output.h"

namespace terrace::cli {

extern const std::string_view kCompletionBash;  // completion_script.cc.in

void add_completion(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand("completion", "print the completion script of a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"bash"}).description(""));
  add_json(*command, invocation);
  add_examples(*command, "  source <(terrace completion bash)\n");
  command->callback([&invocation, shell] {
    invocation.run = [&invocation, shell]() -> Outcome<ExitCode> {
      if (invocation.json) {
        print_json(Json{{"shell", *shell}, {"script", kCompletionBash}});
      } else {
        print(kCompletionBash);
      }
      return ExitCode::kOk;
    };
  });
}

}  // namespace terrace::cli
