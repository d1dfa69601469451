#include "cli/arguments.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace terrace::cli {
namespace {

bool is_utf8(std::string_view text) {
  try {
    (void)nlohmann::json(std::string(text)).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

void add_place(CLI::App& command, std::string& place, const char* help) {
  command
      .add_option_function<std::string>(
          "DIR",
          [&place](const std::string& text) {
            place = text.starts_with("file://") ? text.substr(std::string_view("file://").size()) : text;
          },
          help)
      ->required()
      ->type_name("");
}

}  // namespace

void add_directory(CLI::App& command, std::string& directory) {
  add_place(command, directory, "directory of the store");
}

void add_store(CLI::App& command, StoreArguments& arguments) {
  add_place(command, arguments.directory,
            "directory of the store, or a configuration file (.yaml) that names its tiers");
}

void add_json(CLI::App& command, Invocation& invocation) {
  command.add_flag("--json", invocation.json, "print one JSON document instead of text");
}

void add_examples(CLI::App& command, std::string_view examples) {
  command.footer(
      fmt::format("Examples:\n{}\nExit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 miss, "
                  "4 damage found.",
                  examples));
}

void add_engine(CLI::App& command, StoreArguments& arguments, const char* l1_help) {
  command.add_option("--l1", arguments.l1, fmt::format("memory to work in (default {})", l1_help))
      ->type_name("SIZE");
  command.add_option("--io", arguments.io, "disk engine: auto, uring or psync (default auto)")
      ->type_name("ENGINE")
      ->check(CLI::IsMember({"auto", "uring", "psync"}).description(""));
}

void add_namespace(CLI::App& command, std::string& name) {
  command.add_option("--namespace", name, "model id of the namespace")->required()->type_name("NAME");
}

Outcome<uint64_t> parse_size_flag(std::string_view flag, std::string_view text) {
  const auto bytes = base::parse_size(text);
  if (!bytes) return failure(bytes.error().error.code, fmt::format("{}: {}", flag, bytes.error().message));
  if (*bytes == 0)
    return failure(Code::kInvalidArgument, fmt::format("{}: '{}' is no size above 0", flag, text));
  return *bytes;
}

IoChoice parse_io(std::string_view text) {
  if (text == "uring") return IoChoice::kUring;
  return text == "psync" ? IoChoice::kPsync : IoChoice::kAuto;
}

Outcome<Namespace> parse_namespace(std::string_view name) {
  if (name.empty())
    return failure(Code::kInvalidArgument, "--namespace: the name is empty; give at least 1 character");
  if (!is_utf8(name)) return failure(Code::kInvalidArgument, "--namespace: the name is not UTF-8 text");
  Namespace fields;
  fields.model_id = std::string(name);
  fields.producer = "cli";
  const auto root = namespace_root(fields);
  if (!root) return failure(root.error().error.code, "--namespace: " + root.error().message);
  return fields;
}

Outcome<BlockName> parse_block_name(const Key& root, std::string_view hex) {
  const auto digest = key_from_hex(hex);
  if (!digest)
    return failure(digest.error().error.code, fmt::format("key '{}': {}", hex, digest.error().message));
  const auto family = family_of_digest(root, digest->bytes);
  if (!family)
    return failure(family.error().error.code, fmt::format("key '{}': {}", hex, family.error().message));
  return BlockName{*digest, *family, member_key(*family)};
}

}  // namespace terrace::cli
