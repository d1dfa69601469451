// terrace server stats and watch: what a server holds and who uses it, and what changes there.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include <terrace/sessions.h>

#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/server_commands.h"
#include "cli/stats_report.h"
#include "report/stats_document.h"

namespace terrace::cli {
namespace {

Json sessions_document(const SessionReport& report) {
  Json list = Json::array();
  for (const SessionUsage& session : report.sessions) {
    list.push_back(Json{{"number", session.number},
                        {"client", session.client},
                        {"process", session.process},
                        {"user", session.user},
                        {"quarantined", session.quarantined},
                        {"reserved_bytes", session.reserved_bytes},
                        {"leased_bytes", session.leased_bytes},
                        {"requests", session.requests}});
  }
  return Json{
      {"sessions", std::move(list)},
      {"session_limits",
       {{"reserved_bytes", report.limits.reserved_bytes}, {"leased_bytes", report.limits.leased_bytes}}}};
}

std::string sessions_text(const SessionReport& report) {
  Table table({"SESSION", "CLIENT", ">PROCESS", ">USER", "STATE", ">RESERVED", ">LEASED", ">REQUESTS"});
  for (const SessionUsage& session : report.sessions) {
    table.add({fmt::to_string(session.number), session.client, fmt::to_string(session.process),
               fmt::to_string(session.user), session.quarantined ? "quarantined" : "connected",
               base::format_size(session.reserved_bytes), base::format_size(session.leased_bytes),
               fmt::to_string(session.requests)});
  }
  return "\n" + table.text();
}

Outcome<ExitCode> server_stats(const ServerArguments& arguments, bool json) {
  const auto options = client_options(arguments);
  const auto store = connect(options);
  if (!store) return std::unexpected(store.error());
  const auto sessions = read_sessions(options);
  if (!sessions) return std::unexpected(sessions.error());
  if (json) {
    Json document = report::store_document(**store);
    document.update(sessions_document(*sessions));
    print_json(document);
    return ExitCode::kOk;
  }
  const StoreStats stats = (*store)->stats();
  print(stats_text(stats) + namespaces_text((*store)->namespaces()) +
        tenants_text((*store)->tenants(), stats) + sessions_text(*sessions));
  return ExitCode::kOk;
}

std::string_view name_of(ChangeKind kind) {
  constexpr std::array<std::string_view, 4> kNames{"stored", "removed", "tier", "lost"};
  return kNames.at(static_cast<size_t>(kind));
}

void tell(const Change& change, std::span<const TierStats> tiers, bool json) {
  const std::string tier = change.tier < tiers.size() ? tiers[change.tier].name : fmt::to_string(change.tier);
  Json document{{"change", name_of(change.kind)}};
  std::string text(name_of(change.kind));
  if (change.kind == ChangeKind::kLost) {
    document["changes"] = change.lost;
    text += change.lost == 0 ? " some changes" : " " + count_of(change.lost, "change");
  } else if (change.kind == ChangeKind::kTierState) {
    document["tier"] = tier;
    document["state"] = to_string(change.condition);
    text += fmt::format(" {} {}", tier, to_string(change.condition));
  } else {
    document["tier"] = tier;
    document["key"] = to_hex(change.key);
    document["root"] = to_hex(change.root);
    text += fmt::format(" {} {}", tier, to_hex(change.key));
  }
  json ? print_json_line(document) : print(text + "\n");
}

Outcome<ExitCode> watch(const ServerArguments& arguments, uint64_t count, bool json) {
  const auto store = connect(client_options(arguments));
  if (!store) return std::unexpected(store.error());
  const auto subscription = (*store)->subscribe();
  const auto tiers = (*store)->stats().tiers;
  complain("watching " + arguments.socket);
  std::array<Change, 256> changes;
  for (uint64_t told = 0; count == 0 || told < count;) {
    const size_t most = count == 0 ? changes.size() : std::min<uint64_t>(count - told, changes.size());
    const size_t came = subscription->wait(std::span(changes).first(most), std::chrono::hours(1));
    for (const Change& change : std::span(changes).first(came)) tell(change, tiers, json);
    told += came;
    if (!flush_output()) return failure(Code::kIo, "standard output cannot be written");
  }
  return ExitCode::kOk;
}

}  // namespace

void add_server_stats(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("stats", "show tiers, namespaces, tenants and sessions");
  auto arguments = std::make_shared<ServerArguments>();
  add_socket(*command, *arguments);
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace server stats\n"
               "  terrace server stats --socket /run/terrace/socket --json\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return server_stats(*arguments, invocation.json); };
  });
}

void add_server_watch(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("watch", "print what is stored and removed, and tiers' states");
  struct Words : ServerArguments {
    uint64_t count = 0;
  };
  auto words = std::make_shared<Words>();
  command->add_option("--count", words->count, "end after so many changes; 0: never")->type_name("N");
  add_socket(*command, *words);
  command->add_flag("--json", invocation.json, "print one JSON document a line instead of text");
  add_examples(*command,
               "  terrace server watch\n"
               "  terrace server watch --count 100 --json\n");
  command->callback([&invocation, words] {
    invocation.json_lines = true;
    invocation.run = [&invocation, words] { return watch(*words, words->count, invocation.json); };
  });
}

}  // namespace terrace::cli
