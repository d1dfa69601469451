// terrace put: files into a store, one block each.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/block_writer.h"
#include "cli/file_bytes.h"
#include "cli/manifest.h"
#include "cli/open_store.h"
#include "cli/output.h"

namespace terrace::cli {
namespace {

struct PutArguments {
  StoreArguments store;
  std::string name, hex, file, manifest;
  bool chain = false, verbose = false;
};

struct Totals {
  size_t stored = 0, evicted = 0, present = 0, failed = 0;
  uint64_t bytes = 0;  // of the stored
};

Outcome<void> check(const PutArguments& arguments) {
  const bool one = !arguments.hex.empty() || !arguments.file.empty();
  if (!arguments.manifest.empty() && one) {
    return failure(Code::kInvalidArgument, "--manifest excludes --key and FILE");
  }
  if (arguments.manifest.empty() && (arguments.hex.empty() || arguments.file.empty())) {
    return failure(Code::kInvalidArgument, "give --key HEX64 and FILE, or --manifest FILE");
  }
  if (arguments.chain && arguments.manifest.empty()) {
    return failure(Code::kInvalidArgument, "--chain needs --manifest");
  }
  return {};
}

Outcome<std::vector<PutItem>> items_of(const PutArguments& arguments, const Key& root) {
  std::vector<PutItem> items;
  if (arguments.manifest.empty()) {
    const auto name = parse_block_name(root, arguments.hex);
    if (!name) return std::unexpected(name.error());
    items.push_back({.name = *name, .path = arguments.file});
    return items;
  }
  const auto text = read_manifest(arguments.manifest);
  if (!text) return std::unexpected(text.error());
  auto lines = parse_manifest(*text, arguments.manifest, root);
  if (!lines) return std::unexpected(lines.error());
  for (ManifestLine& line : *lines) items.push_back({.name = line.name, .path = std::move(line.path)});
  return items;
}

// Measures the files, so that the store can be opened for the largest; those that cannot be put fail here.
void measure(std::span<PutItem> items) {
  for (PutItem& item : items) {
    const auto bytes = InputFile::size_of(item.path);
    if (bytes) {
      item.bytes = *bytes;
    } else {
      item.state = PutState::kFailed;
      item.failure = bytes.error();
    }
  }
}

// What a person watches while files are put: the bar, and with --verbose a line for each block.
class Watch {
 public:
  Watch(std::span<const PutItem> items, bool verbose, const base::Clock& clock) : verbose_(verbose) {
    uint64_t total = 0;
    for (const PutItem& item : items) total += item.bytes;
    if (items.size() > 1) progress_.emplace("put", total, clock);
  }
  void ended(const PutItem& item) {
    if (progress_) progress_->advance(item.bytes);
    if (verbose_ && item.state != PutState::kFailed) {
      // A line is an acknowledgement: it must not wait in a buffer while the process can be killed.
      print(fmt::format("{} {} {}\n", to_string(item.state), to_hex(item.name.digest), item.path));
      (void)flush_output();
    }
  }

 private:
  const bool verbose_;
  std::optional<Progress> progress_;
};

void put_all(BlockWriter& writer, std::span<PutItem> items, bool chain, Watch& watch) {
  bool broken = false;
  for (size_t i = 0; i < items.size(); ++i) {
    PutItem& item = items[i];
    if (broken && item.state != PutState::kFailed) {
      item.state = PutState::kFailed;
      item.failure = {{Code::kUnavailable, 0, ""},
                      fmt::format("{}: not put: a block before it in the chain failed", item.path)};
    }
    if (item.state == PutState::kFailed) {
      watch.ended(item);
    } else {
      if (chain && i > 0) item.parent = items[i - 1].name.key;
      writer.put(i);
    }
    broken = broken || (chain && item.state == PutState::kFailed);
  }
}

Totals total_of(std::span<const PutItem> items) {
  Totals totals;
  for (const PutItem& item : items) {
    if (item.state == PutState::kPresent) ++totals.present;
    if (item.state == PutState::kFailed) ++totals.failed;
    if (item.state != PutState::kStored) continue;
    ++totals.stored;
    totals.evicted += item.evicted ? 1 : 0;
    totals.bytes += item.bytes;
  }
  return totals;
}

void report_json(std::span<const PutItem> items, const Key& root, const Totals& totals) {
  Json blocks = Json::array();
  for (const PutItem& item : items) {
    Json block{{"digest", to_hex(item.name.digest)},
               {"key", to_hex(item.name.key)},
               {"path", item.path},
               {"bytes", item.bytes},
               {"state", to_string(item.state)}};
    if (item.state == PutState::kFailed) {
      block["error"] = Json{{"code", to_string(item.failure.error.code)}, {"message", item.failure.message}};
    }
    blocks.push_back(std::move(block));
  }
  print_json(Json{{"root", to_hex(root)},
                  {"stored", totals.stored},
                  {"evicted", totals.evicted},
                  {"present", totals.present},
                  {"failed", totals.failed},
                  {"bytes", totals.bytes},
                  {"blocks", std::move(blocks)}});
}

void report_text(std::span<const PutItem> items, const Totals& totals) {
  for (const PutItem& item : items) {
    if (item.state == PutState::kFailed) complain(item.failure.message);
  }
  std::string text = fmt::format("stored {} ({})", totals.stored, base::format_size(totals.bytes));
  if (totals.evicted > 0) text += fmt::format(", {} of them evicted again to make room", totals.evicted);
  if (totals.present > 0) text += fmt::format(", {} already there", totals.present);
  if (totals.failed > 0) text += fmt::format(", {} failed", totals.failed);
  print(text + "\n");
}

// Opens the store, puts the items, makes them durable and closes it.
Outcome<void> store_items(const PutArguments& arguments, const Namespace& fields, std::span<PutItem> items) {
  OpenRequest request{.may_create = true, .memory = kWriterMemory};
  for (const PutItem& item : items) {
    if (item.state != PutState::kFailed) request.largest_block = std::max(request.largest_block, item.bytes);
  }
  if (request.largest_block == 0) return {};
  auto store = open_store(arguments.store, request);
  if (!store) return std::unexpected(store.error());
  const auto root = (*store)->open_namespace(fields);
  if (!root) return std::unexpected(root.error());
  const base::SteadyClock clock;
  Watch watch(items, arguments.verbose, clock);
  BlockWriter writer(**store, *root, items, [&watch](const PutItem& item) { watch.ended(item); });
  put_all(writer, items, arguments.chain, watch);
  if (auto finished = writer.finish(); !finished) return finished;
  const auto abandoned = (*store)->close(kOperationTimeout);
  if (!abandoned)
    return failure(abandoned.error().code, "the store did not close: " + to_string(abandoned.error()));
  return {};
}

Outcome<ExitCode> put(const PutArguments& arguments, bool json) {
  if (auto checked = check(arguments); !checked) return std::unexpected(checked.error());
  if (json && arguments.verbose) {
    return failure(Code::kInvalidArgument,
                   "--json and --verbose both need standard output; give one of them");
  }
  const auto fields = parse_namespace(arguments.name);
  if (!fields) return std::unexpected(fields.error());
  const Key root = *namespace_root(*fields);
  auto items = items_of(arguments, root);
  if (!items) return std::unexpected(items.error());
  measure(*items);
  const bool one = arguments.manifest.empty();
  if (one && items->front().state == PutState::kFailed) return std::unexpected(items->front().failure);
  if (auto stored = store_items(arguments, *fields, *items); !stored) return std::unexpected(stored.error());
  if (one && items->front().state == PutState::kFailed) return std::unexpected(items->front().failure);
  const Totals totals = total_of(*items);
  if (json) {
    report_json(*items, root, totals);
  } else {
    report_text(*items, totals);
  }
  return totals.failed == 0 ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void add_put(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("put", "put files into a store; makes the store where there is none");
  auto arguments = std::make_shared<PutArguments>();
  add_store(*command, arguments->store);
  add_namespace(*command, arguments->name);
  command->add_option("--key", arguments->hex, "the engine's digest of the block, 64 hexadecimal digits")
      ->type_name("HEX64");
  command->add_option("FILE", arguments->file, "file whose bytes are the block, 1 byte to 256 MiB")
      ->type_name("");
  command
      ->add_option("--manifest", arguments->manifest, "many files: lines `HEX64 PATH`; - is standard input")
      ->type_name("FILE");
  command->add_flag("--chain", arguments->chain,
                    "the manifest's blocks are a chain, each the parent of the next");
  command
      ->add_option("--capacity", arguments->store.capacity,
                   "bytes the store may take on disk (default: as it is, 10GiB for a new one); less evicts")
      ->type_name("SIZE");
  command->add_flag("--verbose,-v", arguments->verbose, "a line for each block once its write ended");
  add_engine(*command, arguments->store, "256MiB, more where a block needs it");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace put /var/cache/kv --namespace llama-3-8b --key $DIGEST block.bin\n"
               "  terrace put /var/cache/kv --namespace llama-3-8b --manifest blocks.txt --capacity 200GiB\n"
               "\nOnce it ends with exit code 0 every block is written and synced.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return put(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
