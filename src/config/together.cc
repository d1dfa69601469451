// What values say together, after each of them was allowed.
#include <sys/un.h>

#include <fmt/format.h>

#include "config/load.h"
#include "config/schema.h"
#include "tier/disk/options.h"

namespace terrace::config {
namespace {

std::string origin_of(const Configuration& configuration, const std::string& key) {
  const auto known = configuration.origins.find(key);
  return known == configuration.origins.end() ? "" : known->second;
}

// Keys of a disk that were given to a mock, and the other way round: they would do nothing.
void check_kinds(const Configuration& configuration, std::vector<Problem>& problems) {
  for (const auto& [name, origin] : configuration.origins) {
    const auto key = find_key(name);
    if (!key || !is_of_tier(*key->entry)) continue;
    const bool disk = configuration.options.tiers[key->tier].kind == TierOptions::Kind::kDisk;
    if (key->entry->name.starts_with(disk ? "tiers[].mock." : "tiers[].disk.")) {
      problems.push_back({origin, name, "", "",
                          fmt::format("tiers[{}] is a {} tier: its kind has no such key", key->tier,
                                      disk ? "disk" : "mock")});
    }
  }
}

// What the disk tier itself would say at open.
void check_disks(const Configuration& configuration, std::vector<Problem>& problems) {
  const auto& tiers = configuration.options.tiers;
  for (size_t i = 0; i < tiers.size(); ++i) {
    if (tiers[i].kind != TierOptions::Kind::kDisk) continue;
    const auto key = [&](std::string_view name) { return fmt::format("tiers[{}].disk.{}", i, name); };
    if (tiers[i].disk.paths.empty()) {
      problems.push_back({"", key("paths"), "", "", "a disk tier names at least one directory"});
    }
    if (tiers[i].disk.capacity == 0) {
      problems.push_back({"", key("capacity"), "", "", "a disk tier needs one, such as 200GiB"});
    }
    if (tiers[i].disk.paths.empty() || tiers[i].disk.capacity == 0) continue;
    tier::disk::DiskOptions disk;
    disk.paths = tiers[i].disk.paths;
    disk.capacity_bytes = tiers[i].disk.capacity;
    if (const auto ok = tier::disk::validate(disk); !ok) {
      const std::string& message = ok.error().message;
      const std::string named = key(message.find("path '") == std::string::npos ? "capacity" : "paths");
      problems.push_back({origin_of(configuration, named), named, "", "", message});
    }
  }
}

// What the listener itself would say.
void check_socket(const Configuration& configuration, std::vector<Problem>& problems) {
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  const std::string& socket = configuration.server.socket;
  if (socket.size() <= kLongest) return;
  const std::string key = "server.socket", allowed = fmt::format("1 to {}", kLongest);
  problems.push_back(
      {origin_of(configuration, key), key, socket, allowed,
       fmt::format("'{}' has {} bytes; a socket's path has {}", socket, socket.size(), allowed)});
}

// The key that a message of validate() begins with: "l1.budget 2 KiB: ...", "tier \"disk\".eviction: ...".
std::string key_meant(const Configuration& configuration, std::string_view message) {
  std::string best;
  const auto& tiers = configuration.options.tiers;
  for (const Entry& entry : schema()) {
    for (size_t i = 0; i < (is_of_tier(entry) ? tiers.size() : 1); ++i) {
      const std::string name = name_of({&entry, i});
      const std::string said = is_of_tier(entry) ? fmt::format("tier \"{}\".{}", tiers[i].name,
                                                               entry.name.substr(entry.name.find('.') + 1))
                                                 : name;
      if (message.starts_with(said) && name.size() > best.size()) best = name;
    }
  }
  return best;
}

}  // namespace

std::vector<Problem> check_together(const Configuration& configuration) {
  std::vector<Problem> problems;
  check_kinds(configuration, problems);
  check_disks(configuration, problems);
  check_socket(configuration, problems);
  if (!problems.empty()) return problems;
  if (const auto ok = configuration.options.validate(); !ok) {
    const std::string key = key_meant(configuration, ok.error().message);
    problems.push_back({origin_of(configuration, key), key, "", "", ok.error().message});
  }
  return problems;
}

}  // namespace terrace::config
