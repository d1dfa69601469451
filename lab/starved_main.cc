// terrace-lab-starved: opens a store in forked processes, one for each k, in which the k-th allocation from
// the open to the end of recovery fails. Row 12 starts it: replacing malloc is for a program of its own.
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <terrace/store.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/log.h"
#include "lab/kit/steady_load.h"
#include "lab/rows/child_report.h"

extern "C" {
void* __libc_malloc(size_t bytes);                      // NOLINT: glibc's names
void* __libc_calloc(size_t count, size_t bytes);        // NOLINT
void* __libc_realloc(void* old, size_t bytes);          // NOLINT
void* __libc_memalign(size_t alignment, size_t bytes);  // NOLINT
}

namespace {
std::atomic<int64_t> allocations_left{INT64_MAX};

bool fails() {
  if (allocations_left.load(std::memory_order_relaxed) == INT64_MAX) return false;
  if (allocations_left.fetch_sub(1, std::memory_order_relaxed) != 1) return false;
  errno = ENOMEM;
  return true;
}
}  // namespace

extern "C" {
void* malloc(size_t bytes) {
  return fails() ? nullptr : __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  return fails() ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  return fails() ? nullptr : __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  return fails() ? nullptr : __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  return memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  *memory = memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace terrace::lab {
namespace {

constexpr int kWorks = 10, kRefused = 11, kThrew = 12, kNotReached = 13, kBroken = 14;
constexpr unsigned kSecondsMost = 20;
constexpr uint64_t kStepsMost = 100'000;  // far more allocations than any start makes

StoreOptions store_options(const std::string& directory, bool uring) {
  StoreOptions options;
  options.l1.budget = 8 * base::kMiB;
  TierOptions disk;
  disk.disk.paths = {directory + "/store"};
  disk.disk.capacity = 64 * base::kMiB;
  disk.disk.io = uring ? IoChoice::kAuto : IoChoice::kPsync;
  options.tiers = {disk};
  return options;
}

bool serves(Store& store) {
  Findings findings;
  LoadCounts did;
  SteadyLoad load(store, {.chains = 16});
  base::Random random(1);
  for (int step = 0; step < 50; ++step) load.step(random, did, findings);
  return findings.clean() && did.delivered > 0;
}

// A call that has no memory to wait with throws in its caller's thread; the store is none the worse.
bool recovers(Store& store) {
  try {
    return store.wait_recovered(std::chrono::seconds(5));
  } catch (const std::bad_alloc&) {
    return store.wait_recovered(std::chrono::seconds(5));
  }
}

int open_starved(const StoreOptions& options, int64_t k) {
  ::alarm(kSecondsMost);
  allocations_left = k;
  try {
    auto store = Store::open(options);
    if (store && !recovers(**store)) return kBroken;
    const bool reached = allocations_left.exchange(INT64_MAX) <= 0;
    if (!reached) return store && serves(**store) ? kNotReached : kBroken;
    if (!store) return store.error().message.empty() ? kBroken : kRefused;
    return serves(**store) ? kWorks : kBroken;
  } catch (const std::bad_alloc&) {
    allocations_left = INT64_MAX;
    return kThrew;
  }
}

// The exit code, or the negative number of the signal that ended it.
int in_a_process(const StoreOptions& options, int64_t k) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int nothing = ::open("/dev/null", O_WRONLY);
    ::dup2(nothing, 2);
    ::_exit(open_starved(options, k));
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char** argv) {
  base::log::set_level(base::log::Level::kError);
  std::string directory;
  uint64_t stride = 1, first = 1;
  int64_t only = 0;
  bool uring = false;
  CLI::App app("Opens a store in processes whose k-th allocation fails.", "terrace-lab-starved");
  app.add_option("--dir", directory)->required();
  app.add_option("--stride", stride, "every so many-th k only");
  app.add_option("--first", first);
  app.add_option("--only", only, "this k alone, in this very process: for a debugger");
  app.add_flag("--uring", uring);
  CLI11_PARSE(app, argc, argv);
  const StoreOptions options = store_options(directory, uring);
  if (only != 0) return open_starved(options, only);
  Findings findings;
  for (const char* figure : {"starved", "worked_on", "refused"}) {
    findings.count(figure, 0);
  }
  // Something to recover: a life in which nothing fails.
  if (in_a_process(options, kStepsMost) != kNotReached) findings.fail("it does not open with memory either");
  for (uint64_t k = first; k < kStepsMost && findings.failed < 200; k += stride) {
    const int ended = in_a_process(options, static_cast<int64_t>(k));
    if (ended == kNotReached) break;
    findings.count("starved");
    if (ended == kWorks) findings.count("worked_on");
    if (ended == kRefused) findings.count("refused");
    if (ended == kWorks || ended == kRefused) continue;
    findings.fail(fmt::format("allocation {} of the start failed: {}", k,
                              ended == kThrew    ? "an exception left Store::open"
                              : ended == kBroken ? "the store did not work afterwards"
                                                 : fmt::format("killed by signal {}", -ended)));
  }
  return tell(directory + "/report", findings);
}

}  // namespace
}  // namespace terrace::lab

int main(int argc, char** argv) {
  return terrace::lab::main(argc, argv);
}
