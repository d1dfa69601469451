#include "lab/kit/process_figures.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

namespace terrace::lab {
namespace {

uint64_t entries_in(const char* directory) {
  const std::filesystem::directory_iterator first(directory);
  return static_cast<uint64_t>(std::distance(first, std::filesystem::directory_iterator()));
}

uint64_t lines_of(const char* path) {
  std::ifstream file(path);
  uint64_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

std::chrono::microseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

uint64_t rss_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

ProcessFigures process_figures() {
  ProcessFigures figures;
  figures.rss_bytes = rss_bytes();
  figures.mappings = lines_of("/proc/self/maps");
  figures.descriptors = entries_in("/proc/self/fd");
  figures.threads = entries_in("/proc/self/task");
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  figures.voluntary_switches = static_cast<uint64_t>(usage.ru_nvcsw);
  figures.cpu = duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
  return figures;
}

uint64_t private_bytes(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(file, line);) {
    uint64_t kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %lu kB", &kib) == 1) return kib * 1024;
  }
  return 0;
}

uint64_t nameless_descriptors(pid_t process) {
  uint64_t count = 0;
  std::error_code ended;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", process), ended)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), ended).string();
    count += target.starts_with("socket:") || target.starts_with("anon_inode:");
  }
  return count;
}

}  // namespace terrace::lab
