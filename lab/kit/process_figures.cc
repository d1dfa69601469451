#include "lab/kit/process_figures.h"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

namespace terrace::lab {
namespace {

uint64_t entries_in(const std::string& directory) {
  std::error_code ended;
  const std::filesystem::directory_iterator first(directory, ended);
  return static_cast<uint64_t>(std::distance(first, std::filesystem::directory_iterator()));
}

uint64_t lines_of(const std::string& path) {
  std::ifstream file(path);
  uint64_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

std::chrono::microseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// `process`: a number, or self.
uint64_t resident_bytes(const std::string& process) {
  std::ifstream file(fmt::format("/proc/{}/statm", process));
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

ProcessFigures sizes_of(const std::string& process) {
  ProcessFigures figures;
  figures.rss_bytes = resident_bytes(process);
  figures.mappings = lines_of(fmt::format("/proc/{}/maps", process));
  figures.descriptors = entries_in(fmt::format("/proc/{}/fd", process));
  figures.threads = entries_in(fmt::format("/proc/{}/task", process));
  return figures;
}

// io_uring's own workers come and go, and take their counts along.
uint64_t voluntary_switches_of(pid_t process) {
  uint64_t sum = 0;
  std::error_code ended;
  const std::string tasks = fmt::format("/proc/{}/task", process);
  for (const auto& task : std::filesystem::directory_iterator(tasks, ended)) {
    std::ifstream file(task.path() / "status");
    for (std::string line; std::getline(file, line) && !line.starts_with("Name:\tiou-");) {
      uint64_t switches = 0;
      if (std::sscanf(line.c_str(), "voluntary_ctxt_switches: %lu", &switches) == 1) sum += switches;
    }
  }
  return sum;
}

}  // namespace

uint64_t rss_bytes() {
  return resident_bytes("self");
}

ProcessFigures process_figures() {
  ProcessFigures figures = sizes_of("self");
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  figures.voluntary_switches = static_cast<uint64_t>(usage.ru_nvcsw);
  figures.cpu = duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
  return figures;
}

ProcessFigures process_figures(pid_t process) {
  ProcessFigures figures = sizes_of(std::to_string(process));
  figures.voluntary_switches = voluntary_switches_of(process);
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(process, &clock) == 0 && ::clock_gettime(clock, &used) == 0) {
    figures.cpu = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec));
  }
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
