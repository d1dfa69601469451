// terrace serve: the store of a node, for its processes, in the foreground.
#include <cstdlib>
#include <future>

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "cli/arguments.h"
#include "cli/serve_options.h"
#include "cli/serve_report.h"
#include "cli/stop_signals.h"

namespace terrace::cli {
namespace {

// A wrapper sends its child what their process group got already: that is one request to stop, not two.
constexpr auto kRepeats = std::chrono::milliseconds(200);

// At once: who started the server waits for the line.
void tell(const Json& document, const std::string& text, bool json) {
  json ? print_json_line(document) : print(text);
  flush_output();
}

// All that takes long, or for ever with a device that hangs. The server's figures when it was asked to stop.
server::ServerStats end(std::unique_ptr<server::Server> server, std::future<void> running) {
  const server::ServerStats stats = server->stats();
  server->stop();
  running.get();
  return stats;
}

Outcome<ExitCode> serve(const ServeArguments& arguments, bool json) {
  const auto options = serve_options(arguments);
  if (!options) return std::unexpected(options.error());
  // It runs for long, and nobody asks it: what the library warns of is told as it comes.
  if (std::getenv("TERRACE_LOG") == nullptr) base::log::set_level(base::log::Level::kWarn);
  StopSignals signals;
  auto server = server::Server::open(*options);
  if (!server) return std::unexpected(server.error());
  auto running = std::async(std::launch::async, [&serving = **server] { serving.run(); });
  const base::SteadyClock clock;
  const base::TimePoint ready = clock.now();
  tell(ready_document(*options), ready_text(*options), json);

  Stop stop;
  stop.signal = signals.wait();
  stop.after = clock.now() - ready;
  auto ending = std::async(std::launch::async, end, *std::move(server), std::move(running));
  if (ending.wait_for(kRepeats) == std::future_status::timeout) signals.let_the_next_end();
  stop.stats = ending.get();
  tell(stopped_document(stop), stopped_text(stop), json);  // socket and directories are free
  return ExitCode::kOk;
}

}  // namespace

void add_serve(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("serve", "serve one store to the processes of this machine, until SIGTERM");
  auto arguments = std::make_shared<ServeArguments>();
  add_serve_flags(*command, *arguments);
  command->add_flag("--json", invocation.json, "print one JSON document a line instead of text");
  add_examples(*command,
               "  terrace serve\n"
               "  terrace serve --l1 60GiB --dir /nvme/terrace --capacity 2TiB\n"
               "  terrace serve terrace.yaml --socket /run/terrace/socket --json\n"
               "\nPrints a line when clients can connect, and one at the end. SIGTERM and SIGINT stop it; a\n"
               "second one ends it at once. Flags count more than the environment and the file.\n");
  command->callback([&invocation, arguments] {
    invocation.json_lines = true;
    invocation.run = [&invocation, arguments] { return serve(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
