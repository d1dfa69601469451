// terrace server: the group, and its commands that change how the server runs.
#include "cli/server_commands.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include <terrace/sessions.h>

#include "base/duration.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "config/quotas.h"
#include "wire/default_socket.h"

namespace terrace::cli {
namespace {

// Of what was done, in a line or a document.
ExitCode report(const Json& document, const std::string& text, bool json) {
  json ? print_json(document) : print(text + "\n");
  return ExitCode::kOk;
}

// `what` is what the words named. The server's own words do not travel.
Failure failure_of(const Error& error, const std::string& what, const Store& store) {
  if (error.code != Code::kNotFound) return {error, what + ": " + to_string(error)};
  std::string names;
  for (const TierStats& tier : store.stats().tiers) names += (names.empty() ? "" : ", ") + tier.name;
  return {error, fmt::format("{}: no tier of this name; the server has {}", what, names)};
}

Outcome<ExitCode> set_quota(const ServerArguments& arguments, const std::string& text, bool json) {
  const auto quota = config::parse_quota(text);
  if (!quota) return std::unexpected(quota.error());
  const auto store = connect(client_options(arguments));
  if (!store) return std::unexpected(store.error());
  const auto above = (*store)->set_quota(quota->tenant, quota->quota);
  if (!above) return std::unexpected(failure_of(above.error(), text, **store));
  return report(Json{{"tenant", quota->tenant}, {"bytes_above", *above}},
                fmt::format("set; {} above it", base::format_size(*above)), json);
}

Outcome<ExitCode> set_limits(const ServerArguments& arguments, const std::string& reserved,
                             const std::string& leased, bool json) {
  const auto options = client_options(arguments);
  auto report_now = read_sessions(options);
  if (!report_now) return std::unexpected(report_now.error());
  SessionLimits limits = report_now->limits;
  for (const auto& [flag, text, bytes] : {std::tuple("--reserved", &reserved, &limits.reserved_bytes),
                                          std::tuple("--leased", &leased, &limits.leased_bytes)}) {
    if (text->empty()) continue;
    const auto parsed = base::parse_size(*text);
    if (!parsed) return failure(Code::kInvalidArgument, fmt::format("{}: {}", flag, parsed.error().message));
    *bytes = *parsed;
  }
  if (auto ok = set_session_limits(options, limits); !ok) return std::unexpected(ok.error());
  const auto shown = [](uint64_t bytes) {
    return bytes == 0 ? std::string("no limit") : base::format_size(bytes);
  };
  return report(Json{{"reserved_bytes", limits.reserved_bytes}, {"leased_bytes", limits.leased_bytes}},
                fmt::format("of a session: reserved {}, leased {}", shown(limits.reserved_bytes),
                            shown(limits.leased_bytes)),
                json);
}

Outcome<ExitCode> drain(const ServerArguments& arguments, const std::string& tier, const std::string& timeout,
                        bool json) {
  const auto within = base::parse_duration(timeout);
  if (!within) return failure(Code::kInvalidArgument, "--timeout: " + within.error().message);
  const auto store = connect(client_options(arguments));
  if (!store) return std::unexpected(store.error());
  const auto running = (*store)->drain_tier(tier, *within);
  if (!running) return std::unexpected(failure_of(running.error(), tier, **store));
  const std::string still =
      *running == 0 ? "nothing runs there" : count_of(*running, "operation") + " run still";
  report(Json{{"tier", tier}, {"running", *running}}, fmt::format("{} is drained; {}", tier, still), json);
  return *running == 0 ? ExitCode::kOk : ExitCode::kFailed;
}

Outcome<ExitCode> resume(const ServerArguments& arguments, const std::string& tier, bool json) {
  const auto store = connect(client_options(arguments));
  if (!store) return std::unexpected(store.error());
  const auto done = (*store)->resume_tier(tier);
  if (!done) return std::unexpected(failure_of(done.error(), tier, **store));
  return report(Json{{"tier", tier}}, fmt::format("{} is in use", tier), json);
}

Outcome<ExitCode> set_mode(const ServerArguments& arguments, const std::string& name, bool json) {
  const auto store = connect(client_options(arguments));
  if (!store) return std::unexpected(store.error());
  const auto kept = (*store)->set_l1_mode(name == "staging" ? L1Mode::kStaging : L1Mode::kCache);
  if (!kept) return std::unexpected(failure_of(kept.error(), name, **store));
  return report(Json{{"mode", name}, {"bytes_kept", *kept}},
                fmt::format("{}; leases and writes keep {}", name, base::format_size(*kept)), json);
}

}  // namespace

void add_socket(CLI::App& command, ServerArguments& arguments) {
  arguments.socket = wire::default_socket();
  command.add_option("--socket", arguments.socket, "the server's socket")
      ->type_name("PATH")
      ->capture_default_str();
}

ClientOptions client_options(const ServerArguments& arguments) {
  ClientOptions options;
  options.socket = arguments.socket;
  options.name = "terrace";
  return options;
}

void add_server_quota(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("quota", "set how much a tenant may use from now on");
  struct Words : ServerArguments {
    std::string quota;
  };
  auto words = std::make_shared<Words>();
  command->add_option("QUOTA", words->quota, "in one word, as the key `quotas` has it")
      ->required()
      ->type_name("");
  add_socket(*command, *words);
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace server quota 'none l1=8GiB tiers.nvme=200GiB'\n"
               "  terrace server quota none      # no limit\n");
  command->callback([&invocation, words] {
    invocation.run = [&invocation, words] { return set_quota(*words, words->quota, invocation.json); };
  });
}

void add_server_limit(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("limit", "set what one session may take from now on");
  struct Words : ServerArguments {
    std::string reserved, leased;
  };
  auto words = std::make_shared<Words>();
  command->add_option("--reserved", words->reserved, "bytes it may have reserved; 0B: no limit")
      ->type_name("SIZE");
  command->add_option("--leased", words->leased, "bytes it may hold leased; 0B: no limit")->type_name("SIZE");
  add_socket(*command, *words);
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace server limit --reserved 2GiB --leased 8GiB\n"
               "  terrace server limit           # shows them\n");
  command->callback([&invocation, words] {
    invocation.run = [&invocation, words] {
      return set_limits(*words, words->reserved, words->leased, invocation.json);
    };
  });
}

void add_server_drain(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("drain", "take a tier out of use until it is resumed");
  struct Words : ServerArguments {
    std::string tier, timeout = "30s";
  };
  auto words = std::make_shared<Words>();
  command->add_option("TIER", words->tier, "its name")->required()->type_name("");
  command->add_option("--timeout", words->timeout, "how long to wait for what runs there")
      ->type_name("DURATION")
      ->capture_default_str();
  add_socket(*command, *words);
  add_json(*command, invocation);
  add_examples(*command, "  terrace server drain nvme --timeout 10s\n");
  command->callback([&invocation, words] {
    invocation.run = [&invocation, words] {
      return drain(*words, words->tier, words->timeout, invocation.json);
    };
  });
}

void add_server_resume(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("resume", "use a drained tier again");
  struct Words : ServerArguments {
    std::string tier;
  };
  auto words = std::make_shared<Words>();
  command->add_option("TIER", words->tier, "its name")->required()->type_name("");
  add_socket(*command, *words);
  add_json(*command, invocation);
  add_examples(*command, "  terrace server resume nvme\n");
  command->callback([&invocation, words] {
    invocation.run = [&invocation, words] { return resume(*words, words->tier, invocation.json); };
  });
}

void add_server_mode(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("mode", "switch host memory between cache and staging");
  struct Words : ServerArguments {
    std::string mode;
  };
  auto words = std::make_shared<Words>();
  command->add_option("MODE", words->mode, "cache or staging")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"cache", "staging"}));
  add_socket(*command, *words);
  add_json(*command, invocation);
  add_examples(*command, "  terrace server mode staging\n");
  command->callback([&invocation, words] {
    invocation.run = [&invocation, words] { return set_mode(*words, words->mode, invocation.json); };
  });
}

void add_server(CLI::App& program, Invocation& invocation) {
  CLI::App* group = program.add_subcommand("server", "look at a server that runs, and set what it allows");
  group->require_subcommand(1);
  add_server_stats(*group, invocation);
  add_server_watch(*group, invocation);
  add_server_quota(*group, invocation);
  add_server_limit(*group, invocation);
  add_server_drain(*group, invocation);
  add_server_resume(*group, invocation);
  add_server_mode(*group, invocation);
  add_examples(*group,
               "  terrace server stats\n"
               "  terrace server watch --socket /run/terrace/socket\n"
               "  terrace server quota 'none l1=8GiB'\n"
               "  terrace server limit --reserved 2GiB\n"
               "  terrace server drain nvme\n"
               "\nEach has --json, and its own --help.\n");
}

}  // namespace terrace::cli
