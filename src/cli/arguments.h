// The flags that subcommands share, and what their texts mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <terrace/error.h>
#include <terrace/key.h>
#include <terrace/options.h>

#include "cli/command.h"

namespace terrace::cli {

// The store a subcommand works on.
struct StoreArguments {
  std::string directory;  // or a configuration file
  std::string l1;         // empty: what the subcommand needs
  std::string io = "auto";
  std::string capacity;  // of put; empty: as recorded, 10 GiB when the directory is new
};

// DIR of the subcommands that read a directory offline. Of those that open a store: DIR, or the configuration
// file (docs/guide/configuration.md) that names its tiers.
void add_directory(CLI::App& command, std::string& directory);
void add_store(CLI::App& command, StoreArguments& arguments);
// --json, which every subcommand has. `examples` closes the help, one command a line.
void add_json(CLI::App& command, Invocation& invocation);
void add_examples(CLI::App& command, std::string_view examples);
// --l1 and --io, of the subcommands that open the store. `l1_help` says what goes without --l1.
void add_engine(CLI::App& command, StoreArguments& arguments, const char* l1_help);
void add_namespace(CLI::App& command, std::string& name);

// A size above zero; the failure names the flag.
Outcome<uint64_t> parse_size_flag(std::string_view flag, std::string_view text);
IoChoice parse_io(std::string_view text);

// The descriptor NAME stands for: the model id (1 byte to 64 KiB of UTF-8) of an otherwise empty one with
// producer `cli`.
Outcome<Namespace> parse_namespace(std::string_view name);

// HEX64, re-rooted by K2.
struct BlockName {
  Key digest;  // as the engine names the block
  Key family;
  Key key;  // as the store names it
};
Outcome<BlockName> parse_block_name(const Key& root, std::string_view hex);

}  // namespace terrace::cli
