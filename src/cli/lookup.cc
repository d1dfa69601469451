// terrace lookup: how long a prefix of a chain of keys the store has, and where.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/open_store.h"
#include "cli/output.h"
#include "cli/where.h"

namespace terrace::cli {
namespace {

struct LookupArguments {
  StoreArguments store;
  std::string name;
  std::vector<std::string> hex;
};

Outcome<std::vector<BlockName>> parse_names(const LookupArguments& arguments) {
  const auto fields = parse_namespace(arguments.name);
  if (!fields) return std::unexpected(fields.error());
  const Key root = *namespace_root(*fields);
  std::vector<BlockName> names;
  for (const std::string& hex : arguments.hex) {
    const auto name = parse_block_name(root, hex);
    if (!name) return std::unexpected(name.error());
    names.push_back(*name);
  }
  return names;
}

void report_json(std::span<const BlockName> names, const LookupResult& answer,
                 std::span<const TierStats> tiers) {
  Json keys = Json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    Json key{{"digest", to_hex(names[i].digest)}, {"key", to_hex(names[i].key)}};
    if (i < answer.found) {
      key["where"] = tiers_of(answer.where[i], tiers);
    } else {
      key["reason"] = to_string(answer.reasons[i - answer.found]);
    }
    keys.push_back(std::move(key));
  }
  print_json(Json{{"asked", names.size()}, {"found", answer.found}, {"keys", std::move(keys)}});
}

void report_text(std::span<const BlockName> names, const LookupResult& answer,
                 std::span<const TierStats> tiers) {
  print(fmt::format("found {} of {}\n", answer.found, names.size()));
  Table table({"KEY", "WHERE", "REASON"});
  for (size_t i = 0; i < names.size(); ++i) {
    const bool found = i < answer.found;
    table.add({to_hex(names[i].digest),
               found ? fmt::format("{}", fmt::join(tiers_of(answer.where[i], tiers), ",")) : "-",
               found ? "" : std::string(to_string(answer.reasons[i - answer.found]))});
  }
  print(table.text());
}

Outcome<ExitCode> lookup(const LookupArguments& arguments, bool json) {
  const auto names = parse_names(arguments);
  if (!names) return std::unexpected(names.error());
  auto store = open_store(arguments.store, {});
  if (!store) return std::unexpected(store.error());
  std::vector<Key> keys;
  for (const BlockName& name : *names) keys.push_back(name.key);
  const auto answer = (*store)->lookup(keys);
  if (!answer) return failure(answer.error().code, "--key: " + to_string(answer.error()));
  const StoreStats stats = (*store)->stats();
  if (json) {
    report_json(*names, *answer, stats.tiers);
  } else {
    report_text(*names, *answer, stats.tiers);
  }
  return answer->found == names->size() ? ExitCode::kOk : ExitCode::kMiss;
}

}  // namespace

void add_lookup(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("lookup", "say how many of a chain's first keys are stored, and where");
  auto arguments = std::make_shared<LookupArguments>();
  add_store(*command, arguments->store);
  add_namespace(*command, arguments->name);
  command
      ->add_option("--key", arguments->hex,
                   "digests of the chain's blocks, in order; 64 hexadecimal digits each")
      ->required()
      ->type_name("HEX64");
  add_engine(*command, arguments->store, "32MiB");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace lookup /var/cache/kv --namespace llama-3-8b --key $FIRST $SECOND $THIRD\n"
               "\nExit code 0 says that all keys are there, 3 that at least one is missing.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return lookup(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
