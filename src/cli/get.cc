// terrace get: one block back into a file.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/file_bytes.h"
#include "cli/open_store.h"
#include "cli/output.h"

namespace terrace::cli {
namespace {

struct GetArguments {
  StoreArguments store;
  std::string name, hex, output;
};

// What became of the key: its bytes, or why not.
struct Got {
  MissReason reason = MissReason::kUnknown;
  std::string source = {};        // the tier that had them
  std::vector<std::byte> memory;  // page-aligned bytes somewhere inside
  std::span<std::byte> bytes;
};

// The length of a stored block; absent when the store does not have it.
std::optional<uint64_t> stored_bytes(const Store& store, const Key& root, const Key& key) {
  Key before = key;  // list() answers what comes after it
  for (size_t i = before.bytes.size(); i-- > 0 && before.bytes[i]-- == 0;) {
  }
  const auto blocks = store.list(root, before, 1);
  if (blocks.empty() || blocks.front().key != key) return std::nullopt;
  return blocks.front().bytes;
}

Result<MissReason> why_not(Store& store, const Key& key) {
  const auto answer = store.lookup(std::span(&key, 1));
  if (!answer) return std::unexpected(answer.error());
  return answer->reasons.empty() ? MissReason::kUnknown : answer->reasons.front();
}

// Loads straight into our memory, so that --l1 need not hold the block.
Result<Got> load(Store& store, const Key& key, uint64_t bytes) {
  Got got;
  got.memory.resize(base::round_up(bytes, base::kPage) + base::kPage);
  const auto address = reinterpret_cast<uintptr_t>(got.memory.data());
  got.bytes = std::span(got.memory).subspan(base::round_up(address, base::kPage) - address, bytes);
  const auto region = store.register_region(got.bytes.data(), base::round_up(bytes, base::kPage));
  if (!region) return std::unexpected(region.error());
  const RegionSlice slice{*region, 0, bytes};
  const GetOptions options{.timeout = kOperationTimeout, .write_back = WriteBack::kNever};
  const auto operation = store.get_into(std::span(&key, 1), std::span(&slice, 1), options);
  if (!operation) return std::unexpected(operation.error());
  if (!store.wait(*operation, kOperationTimeout + kOperationTimeout)) {
    static auto* const abandoned = new std::vector<std::byte>();  // never freed: IO may still touch the bytes
    *abandoned = std::move(got.memory);
    return fail(Code::kDeadline, "the device did not answer");
  }
  const IntoResult result = operation->result();
  got.reason = result.delivered == 1 ? MissReason::kNone : result.reasons.front();
  if (result.delivered == 1) got.source = store.stats().tiers.at(result.source.front()).name;
  if (auto ended = store.unregister_region(*region); !ended) return std::unexpected(ended.error());
  return got;
}

Result<Got> find(Store& store, const Key& root, const Key& key) {
  if (const auto bytes = stored_bytes(store, root, key)) return load(store, key, *bytes);
  const auto reason = why_not(store, key);
  if (!reason) return std::unexpected(reason.error());
  return Got{.reason = *reason, .source = {}, .memory = {}, .bytes = {}};
}

void report(const GetArguments& arguments, const BlockName& name, const Got& got, bool json) {
  const bool found = got.reason == MissReason::kNone;
  if (json) {
    Json document{{"digest", to_hex(name.digest)}, {"key", to_hex(name.key)}, {"found", found}};
    if (found) {
      document["bytes"] = got.bytes.size();
      document["source"] = got.source;
      document["output"] = arguments.output;
    } else {
      document["reason"] = to_string(got.reason);
    }
    print_json(document);
  } else if (!found) {
    complain(fmt::format("miss: key {} of namespace '{}': {}", arguments.hex, arguments.name,
                         to_string(got.reason)));
  }
}

Outcome<ExitCode> get(const GetArguments& arguments, bool json) {
  if (json && arguments.output == "-") {
    return failure(Code::kInvalidArgument, "--json and -o - both need standard output; name a file");
  }
  const auto fields = parse_namespace(arguments.name);
  if (!fields) return std::unexpected(fields.error());
  const Key root = *namespace_root(*fields);
  const auto name = parse_block_name(root, arguments.hex);
  if (!name) return std::unexpected(name.error());

  auto store = open_store(arguments.store, {});
  if (!store) return std::unexpected(store.error());
  const auto got = find(**store, root, name->key);
  if (!got)
    return failure(got.error().code,
                   fmt::format("{}: {}", arguments.store.directory, to_string(got.error())));
  store->reset();  // the directory is free again before a slow reader takes the bytes
  if (got->reason == MissReason::kNone) {
    if (auto written = write_output(arguments.output, got->bytes); !written)
      return std::unexpected(written.error());
  }
  report(arguments, *name, *got, json);
  return got->reason == MissReason::kNone ? ExitCode::kOk : ExitCode::kMiss;
}

}  // namespace

void add_get(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand("get", "get a block back into a file");
  auto arguments = std::make_shared<GetArguments>();
  add_store(*command, arguments->store);
  add_namespace(*command, arguments->name);
  command->add_option("--key", arguments->hex, "the engine's digest of the block, 64 hexadecimal digits")
      ->required()
      ->type_name("HEX64");
  command->add_option("-o,--output", arguments->output, "file to write; - is standard output")
      ->required()
      ->type_name("FILE");
  add_engine(*command, arguments->store, "32MiB");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace get /var/cache/kv --namespace llama-3-8b --key $DIGEST -o block.bin\n"
               "  terrace get /var/cache/kv --namespace llama-3-8b --key $DIGEST -o - | sha256sum\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return get(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
