#include "cli/open_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include <terrace/config.h>

#include "base/bytes.h"
#include "cli/offline_store.h"
#include "cli/where.h"
#include "io/posix_file_system.h"

namespace terrace::cli {
namespace {

uint64_t machine_bytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// One block being read from its file, one being written, one between them.
uint64_t needed_memory(const OpenRequest& request) {
  return std::max(request.memory,
                  3 * base::round_up(request.largest_block + 2 * base::kPage, 2 * base::kMiB));
}

Outcome<uint64_t> l1_budget(const StoreArguments& arguments, const OpenRequest& request) {
  if (arguments.l1.empty()) return needed_memory(request);
  const auto asked = parse_size_flag("--l1", arguments.l1);
  if (!asked) return asked;
  if (*asked > machine_bytes()) {
    return failure(Code::kLimitExceeded,
                   fmt::format("--l1 {} is more than this machine's memory, {}", base::format_size(*asked),
                               base::format_size(machine_bytes())));
  }
  return *asked;
}

Code code_of(const std::error_code& error) {
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted)
    return Code::kPermission;
  return error == std::errc::no_such_file_or_directory ? Code::kNotFound : Code::kIo;
}

// What a directory is opened with when nobody says: as it is.
Outcome<uint64_t> capacity_of(const StoreArguments& arguments) {
  if (!arguments.capacity.empty()) return parse_size_flag("--capacity", arguments.capacity);
  io::PosixFileSystem files;
  return recorded_capacity(files, arguments.directory).value_or(kNewCapacity);
}

// By its name, so that a file in a directory's place is not read as one.
bool is_configuration(const std::string& place) {
  std::error_code error;
  return (place.ends_with(".yaml") || place.ends_with(".yml")) &&
         !std::filesystem::is_directory(place, error);
}

Outcome<StoreOptions> options_of_directory(const StoreArguments& arguments, const OpenRequest& request) {
  StoreOptions options;
  TierOptions& tier = options.tiers.emplace_back();
  tier.name = kDiskName;
  tier.disk.paths = {arguments.directory};
  tier.disk.io = parse_io(arguments.io);
  const auto capacity = capacity_of(arguments);
  if (!capacity) return std::unexpected(capacity.error());
  tier.disk.capacity = *capacity;
  if (!request.may_create) {
    if (auto there = require_store(arguments.directory); !there) return std::unexpected(there.error());
  }
  return options;
}

// One of the tier's directories must hold a store; others may be new or gone.
Outcome<void> require_tier(const DiskOptions& disk) {
  Outcome<void> there;
  for (const std::string& path : disk.paths) {
    there = require_store(path.starts_with("file://") ? path.substr(7) : path);
    if (there) return there;
  }
  return there;
}

// The tiers are the configuration's. Memory is the command's: what an engine needs is not taken for one
// block.
Outcome<StoreOptions> options_of_file(const StoreArguments& arguments, const OpenRequest& request) {
  if (!arguments.capacity.empty()) {
    return failure(Code::kInvalidArgument,
                   fmt::format("--capacity: {} says it, with tiers[].disk.capacity", arguments.directory));
  }
  auto options = load_options(arguments.directory);
  if (!options) return options;
  options->l1 = {};
  options->prefetch_bytes_in_flight = 0;
  for (TierOptions& tier : options->tiers) {
    if (tier.kind != TierOptions::Kind::kDisk) continue;
    if (arguments.io != "auto") tier.disk.io = parse_io(arguments.io);
    if (request.may_create) continue;
    if (auto there = require_tier(tier.disk); !there) return std::unexpected(there.error());
  }
  return options;
}

Outcome<void> set_memory(const StoreArguments& arguments, const OpenRequest& request, StoreOptions& options) {
  const auto budget = l1_budget(arguments, request);
  if (!budget) return std::unexpected(budget.error());
  options.l1.budget = *budget;
  options.l1.largest_block = request.largest_block;
  uint64_t in_flight = std::min(*budget / 2, 256 * base::kMiB);
  // What is being written cannot make room: on a small disk it must stay a small part.
  for (const TierOptions& tier : options.tiers) {
    if (tier.kind == TierOptions::Kind::kDisk) in_flight = std::min(in_flight, tier.disk.capacity / 8);
  }
  options.store_bytes_in_flight = std::max(record::record_bytes(request.largest_block), in_flight);
  options.get_timeout = kOperationTimeout;
  options.operation_timeout = kOperationTimeout;
  return {};
}

}  // namespace

Outcome<void> require_store(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) {
    return failure(Code::kNotFound,
                   fmt::format("{}: there is no such directory (terrace put makes one)", directory));
  }
  if (!error && status.type() != fs::file_type::directory) {
    return failure(Code::kInvalidArgument, fmt::format("{}: not a directory", directory));
  }
  fs::directory_iterator entry(directory, error);
  if (error) {
    return failure(code_of(error), fmt::format("{}: {}", directory, error.message()), error.value());
  }
  for (; entry != fs::directory_iterator(); ++entry) {
    if (entry->path().filename() != "lost+found") return {};
  }
  return failure(
      Code::kNotFound,
      fmt::format("{}: the directory is empty, not a Terrace store (terrace put makes one)", directory));
}

Outcome<std::unique_ptr<Store>> open_store(const StoreArguments& arguments, OpenRequest request) {
  auto options = is_configuration(arguments.directory) ? options_of_file(arguments, request)
                                                       : options_of_directory(arguments, request);
  if (!options) return std::unexpected(options.error());
  if (auto sized = set_memory(arguments, request, *options); !sized) return std::unexpected(sized.error());
  auto store = Store::open(*options);
  if (!store) return store;
  if (!(*store)->wait_recovered(kLongTimeout)) {
    return failure(Code::kDeadline,
                   fmt::format("{}: recovery did not end within {} minutes", arguments.directory,
                               std::chrono::duration_cast<std::chrono::minutes>(kLongTimeout).count()));
  }
  return store;
}

}  // namespace terrace::cli
