#include "memory/free_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

#include "base/bytes.h"

namespace terrace::memory {

namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kSparedMost = base::kGiB;
constexpr uint64_t kSparedPart = 20;  // of all: one in so many

std::optional<uint64_t> number_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;  // "max" is none
}

// Of "MemAvailable:   123 kB".
std::optional<uint64_t> kilobytes_of(const std::filesystem::path& file, const std::string& field) {
  std::ifstream in(file);
  for (std::string name, line; in >> name && std::getline(in, line);) {
    if (name == field + ":") return std::stoull(line) * base::kKiB;
  }
  return std::nullopt;
}

// "0::/user.slice/shell": where the process stands among the control groups.
std::filesystem::path group_of(const std::filesystem::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("0::/")) return std::filesystem::path(line.substr(4)).lexically_normal();
  }
  return {};
}

// What the group and those above it leave. Pages of files count as used until they are pushed out.
uint64_t left_in_groups(const std::filesystem::path& root) {
  const auto groups = root / "sys/fs/cgroup";
  uint64_t left = kNoLimit;
  std::filesystem::path group = groups;
  const auto look = [&] {
    const auto most = number_in(group / "memory.max"), current = number_in(group / "memory.current");
    if (most && current) left = std::min(left, *most - std::min(*most, *current));
  };
  look();
  for (const auto& name : group_of(root)) {
    group /= name;
    look();
  }
  return left;
}

}  // namespace

FreeMemory free_memory_below(const std::string& root) {
  const std::filesystem::path base(root);
  const auto meminfo = base / "proc/meminfo";
  const uint64_t available = kilobytes_of(meminfo, "MemAvailable").value_or(kNoLimit);
  const uint64_t total = kilobytes_of(meminfo, "MemTotal").value_or(0);
  return {.bytes = std::min(available, left_in_groups(base)),
          .spared = std::min(total / kSparedPart, kSparedMost)};
}

FreeMemory free_memory() {
  return free_memory_below("/");
}

}  // namespace terrace::memory
