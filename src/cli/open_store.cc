#include "cli/open_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/offline_store.h"
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
  StoreOptions options;
  TierOptions& tier = options.tiers.emplace_back();
  tier.disk.paths = {arguments.directory};
  tier.disk.io = parse_io(arguments.io);
  const auto capacity = capacity_of(arguments);
  if (!capacity) return std::unexpected(capacity.error());
  tier.disk.capacity = *capacity;
  const auto budget = l1_budget(arguments, request);
  if (!budget) return std::unexpected(budget.error());
  options.l1.budget = *budget;
  options.l1.largest_block = request.largest_block;
  // What is being written cannot make room: on a small disk it must stay a small part.
  options.store_bytes_in_flight = std::max(record::record_bytes(request.largest_block),
                                           std::min({tier.disk.capacity / 8, *budget / 2, 256 * base::kMiB}));
  options.get_timeout = kOperationTimeout;
  options.operation_timeout = kOperationTimeout;
  if (!request.may_create) {
    if (auto there = require_store(arguments.directory); !there) return std::unexpected(there.error());
  }
  auto store = Store::open(options);
  if (!store) return store;
  if (!(*store)->wait_recovered(kLongTimeout)) {
    return failure(Code::kDeadline,
                   fmt::format("{}: recovery did not end within {} minutes", arguments.directory,
                               std::chrono::duration_cast<std::chrono::minutes>(kLongTimeout).count()));
  }
  return store;
}

}  // namespace terrace::cli
