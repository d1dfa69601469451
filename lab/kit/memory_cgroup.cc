#include "lab/kit/memory_cgroup.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace terrace::lab {
namespace {

constexpr const char* kUnified = "/sys/fs/cgroup";
constexpr const char* kMemoryOfVersion1 = "/sys/fs/cgroup/memory";

Outcome<void> write_text(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t written = file < 0 ? -1 : ::write(file, text.data(), text.size());
  const int number = errno;
  if (file >= 0) ::close(file);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return failure(Code::kUnsupported, fmt::format("{}: {}", path, std::strerror(number)), number);
}

}  // namespace

Outcome<std::unique_ptr<MemoryCgroup>> MemoryCgroup::make(uint64_t limit_bytes) {
  const bool unified = std::filesystem::exists(std::string(kUnified) + "/cgroup.controllers");
  const std::string parent = unified ? kUnified : kMemoryOfVersion1;
  if (unified) {
    const auto enabled = write_text(parent + "/cgroup.subtree_control", "+memory");
    if (!enabled) return std::unexpected(enabled.error());
  }
  const std::string path = fmt::format("{}/terrace-lab.{}", parent, ::getpid());
  if (::mkdir(path.c_str(), 0700) != 0) {
    return failure(Code::kUnsupported, fmt::format("{}: {}", path, std::strerror(errno)), errno);
  }
  std::unique_ptr<MemoryCgroup> group(new MemoryCgroup(path));
  const std::string limit = unified ? "/memory.max" : "/memory.limit_in_bytes";
  if (const auto set = write_text(path + limit, std::to_string(limit_bytes)); !set)
    return std::unexpected(set.error());
  return group;
}

MemoryCgroup::~MemoryCgroup() {
  ::rmdir(path_.c_str());
}

void MemoryCgroup::enter() const {
  const int file = ::open(processes_.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0 || ::write(file, "0", 1) != 1) ::_exit(126);
  ::close(file);
}

}  // namespace terrace::lab
