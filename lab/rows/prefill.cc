#include "lab/rows/prefill.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

#include "lab/kit/child_process.h"

namespace terrace::lab {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kFullSeeds = 30;
constexpr auto kLimit = std::chrono::minutes(2);

// What fresh memory is filled with. glibc fills with the complement of its parameter; 0 switches it off, so
// the heap's other byte is 0xFE.
struct Fill {
  unsigned arena;
  const char* heap;
};
constexpr Fill kFills[] = {{0x00, "255"}, {0xFF, "1"}};

using Files = std::map<std::string, std::string>;

Files files_below(const fs::path& directory) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    // The lock names the process.
    if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[fs::relative(entry.path(), directory)] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

std::string replay(uint64_t seed) {
  return fmt::format("terrace-lab run --row 15 --seed {} --count 1", seed);
}

class Comparison {
 public:
  Comparison(const RowOptions& options, uint64_t seed) : options_(options), seed_(seed) {
    directory_ = fs::path(options.directory) / fmt::format("terrace-lab-prefill.{}.{}", ::getpid(), seed);
  }
  ~Comparison() {
    std::error_code error;
    fs::remove_all(directory_, error);
  }
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  Findings run() {
    findings_.count("seeds");
    Files files[2];
    for (size_t i = 0; i < 2 && findings_.clean(); ++i) {
      const fs::path folder = directory_ / std::to_string(i);
      fs::create_directories(folder);
      if (work(folder, kFills[i])) files[i] = files_below(folder);
    }
    if (findings_.clean()) compare(files[0], files[1]);
    return std::move(findings_);
  }

 private:
  bool work(const fs::path& folder, const Fill& fill) {
    const std::string output = directory_ / "output";
    ChildProcess child({options_.program, "prefill-child", "--dir", folder, "--seed", std::to_string(seed_),
                        "--fill", std::to_string(fill.arena)},
                       output, [&fill] { ::setenv("MALLOC_PERTURB_", fill.heap, 1); });
    const bool ended = child.wait(kLimit);
    child.kill_now();
    if (ended && child.exited_with(0)) return true;
    std::ifstream file(output);
    const std::string said{std::istreambuf_iterator<char>(file), {}};
    findings_.fail(fmt::format("seed {}: the child {} {}; replay: {}", seed_,
                               ended ? child.how_it_ended() : "did not end", said, replay(seed_)));
    return false;
  }

  void compare(const Files& zeros, const Files& ones) {
    if (zeros.size() != ones.size() || zeros.empty()) {
      return findings_.fail(fmt::format("seed {}: {} files in one run, {} in the other; replay: {}", seed_,
                                        zeros.size(), ones.size(), replay(seed_)));
    }
    for (const auto& [name, bytes] : zeros) {
      const auto other = ones.find(name);
      findings_.count("files_compared");
      findings_.count("bytes_compared", bytes.size());
      if (other != ones.end() && other->second == bytes) continue;
      const std::string_view there = other == ones.end() ? std::string_view() : other->second;
      const auto differs = std::ranges::mismatch(bytes, there).in1 - bytes.begin();
      findings_.fail(
          fmt::format("seed {}: {} follows from what memory held before, from byte {} on; "
                      "replay: {}",
                      seed_, name, differs, replay(seed_)));
    }
  }

  const RowOptions& options_;
  const uint64_t seed_;
  fs::path directory_;
  Findings findings_;
};

}  // namespace

Findings run_prefill(const RowOptions& options) {
  WorkerOptions workers = workers_of(options, 15);
  workers.count = count_of(options, kFullSeeds);
  workers.replay = replay;
  return run_jobs(workers, [&](uint64_t seed) { return Comparison(options, seed).run(); });
}

}  // namespace terrace::lab
