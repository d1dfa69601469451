// terrace ls: the namespaces and blocks of a store.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/where.h"
#include "io/posix_file_system.h"

namespace terrace::cli {
namespace {

struct LsArguments {
  std::string directory, name;
  bool blocks = false;
};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json hex_or_null(const Key& key) {
  return key.is_zero() ? Json(nullptr) : Json(to_hex(key));
}

Json namespace_document(const ListedNamespace& listed) {
  const Namespace& fields = listed.known.fields;
  return Json{{"root", to_hex(listed.known.root)},
              {"known", listed.known.known},
              {"model_id", or_null(fields.model_id)},
              {"model_fingerprint", or_null(fields.model_fingerprint)},
              {"kv_dtype", or_null(fields.kv_dtype)},
              {"layout_id", or_null(fields.layout_id)},
              {"block_tokens", or_null(fields.block_tokens)},
              {"producer", or_null(fields.producer)},
              {"producer_version", or_null(fields.producer_version)},
              {"adapter", or_null(fields.adapter)},
              {"tenant_salt_sha256", or_null(fields.tenant_salt)},
              {"groups", or_null(fields.groups)},
              {"blocks", listed.blocks},
              {"bytes", listed.bytes}};
}

Json block_document(const ListedBlock& block) {
  const auto& entry = block.entry;
  return Json{{"key", to_hex(entry.key)},
              {"root", to_hex(entry.root)},
              {"parent", hex_or_null(entry.parent)},
              {"family", hex_or_null(entry.family)},
              {"group", entry.group},
              {"shard", entry.shard},
              {"shards", entry.shards},
              {"bytes", entry.payload_bytes},
              {"where", Json::array({kDiskName})},
              {"file", block.file},
              {"offset", block.offset},
              {"record_bytes", record::record_bytes(entry.payload_bytes)}};
}

void report_json(const Listing& listing, const OfflineStore& store, bool with_blocks) {
  Json document{{"directory", store.directory()},
                {"store_id", base::to_hex(store.identity().store_id)},
                {"damaged_control_records", listing.damage.size()}};
  document["namespaces"] = Json::array();
  for (const ListedNamespace& listed : listing.namespaces) {
    document["namespaces"].push_back(namespace_document(listed));
  }
  if (with_blocks) {
    document["blocks"] = Json::array();
    for (const ListedBlock& block : listing.blocks) document["blocks"].push_back(block_document(block));
  }
  print_json(document);
}

void report_text(const Listing& listing, bool with_blocks) {
  Table names({"MODEL", "PRODUCER", ">BLOCKS", ">BYTES", "ROOT"});
  for (const ListedNamespace& listed : listing.namespaces) {
    const Namespace& fields = listed.known.fields;
    names.add({listed.known.known ? fields.model_id.value_or("-") : "(unknown)",
               fields.producer.value_or("-"), fmt::to_string(listed.blocks), base::format_size(listed.bytes),
               to_hex(listed.known.root)});
  }
  print(names.text());
  if (!with_blocks) return;
  Table blocks({"KEY", ">BYTES", "WHERE", "FILE", ">OFFSET", ">RECORD"});
  for (const ListedBlock& block : listing.blocks) {
    const uint64_t bytes = block.entry.payload_bytes;
    blocks.add({to_hex(block.entry.key), fmt::to_string(bytes), kDiskName, block.file,
                fmt::to_string(block.offset), fmt::to_string(record::record_bytes(bytes))});
  }
  print("\n" + blocks.text());
}

Outcome<ExitCode> ls(const LsArguments& arguments, bool json) {
  io::PosixFileSystem files;
  const auto store = OfflineStore::open(files, arguments.directory);
  if (!store) return std::unexpected(store.error());
  Listing listing = list_store(files, *store);
  if (!arguments.name.empty()) {
    if (auto kept = keep_namespace(listing, arguments.name); !kept) return std::unexpected(kept.error());
  }
  if (json) {
    report_json(listing, *store, arguments.blocks);
  } else {
    report_text(listing, arguments.blocks);
  }
  if (!listing.damage.empty()) {
    complain(fmt::format("{}: {} (terrace scrub lists them)", arguments.directory,
                         count_of(listing.damage.size(), "damaged control record")));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_ls(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("ls", "list the namespaces and blocks of a store that is not in use");
  auto arguments = std::make_shared<LsArguments>();
  add_directory(*command, arguments->directory);
  command->add_flag("--blocks", arguments->blocks, "list the blocks too, with their place on disk");
  command
      ->add_option("--namespace", arguments->name,
                   "only this one: its model id, or its root in 64 hex digits")
      ->type_name("NAME|ROOT");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace ls /var/cache/kv\n"
               "  terrace ls /var/cache/kv --blocks --namespace llama-3-8b\n"
               "  terrace ls /var/cache/kv --blocks --json | jq '.blocks[] | [.key, .file, .offset]'\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return ls(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
