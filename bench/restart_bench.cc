#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <thread>

#include <terrace/store.h>

#include "base/bytes.h"
#include "bench/measure.h"
#include "bench/micro.h"
#include "bench/store_device.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kBlock = 64 * base::kKiB;
constexpr uint64_t kChain = 100;
constexpr uint64_t kProbes = 8;  // heads of chains spread over the directory
constexpr uint64_t kSeries = 19;
constexpr Timeout kPatience = std::chrono::seconds(60);
constexpr double kIndexedGoal = 1.0, kFirstHitGoal = 0.1;  // seconds

std::unique_ptr<Store> open_store(const DirectoryOptions& directory, uint64_t blocks) {
  StoreOptions options;
  options.l1.budget = base::kGiB;
  options.l1.largest_block = kBlock;
  TierOptions tier;
  tier.disk.paths = {directory.path};
  tier.disk.capacity = blocks * (kBlock + 8 * base::kKiB) * 11 / 10;
  tier.disk.io = io_choice(directory.io);
  options.tiers.push_back(tier);
  return need(Store::open(options), "store");
}

void write_blocks(Store& store, uint64_t count) {
  Namespace fields;
  fields.model_id = "restart";
  const Key root = need(store.open_namespace(fields), "namespace");
  std::vector<BlockSpec> blocks(kChain);
  for (uint64_t first = 0; first < count; first += kChain) {
    for (uint64_t i = 0; i < kChain; ++i) blocks[i] = {.key = nth_key(kSeries, first + i), .bytes = kBlock};
    auto answers = need(store.reserve_wait({root, {}, blocks}, kPatience), "reserve_wait");
    std::vector<Reservation> reservations;
    for (auto& answer : answers) {
      if (answer.outcome != ReserveOutcome::kBuffer) throw CannotRun("reserve_wait gave no buffer");
      reservations.push_back(std::move(answer.reservation));
    }
    need(store.commit(reservations), "commit");
  }
  need(store.sync(kPatience), "sync");
  need(store.close(kPatience), "close");
}

// So that nothing the start reads comes from the page cache.
void drop_caches(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

// From the call that opens the store until the first of the probes was delivered.
double first_hit(Store& store, const Stopwatch& watch, uint64_t blocks) {
  while (watch.seconds() < 30) {
    for (uint64_t probe = 0; probe < kProbes; ++probe) {
      const Key key = nth_key(kSeries, blocks * probe / kProbes / kChain * kChain);
      if (need(store.get({&key, 1}), "get").size() == 1) return watch.seconds();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // none of them is indexed yet
  }
  throw CannotRun("the first hit did not come in 30 seconds");
}

void check_all_present(Store& store, uint64_t blocks) {
  uint64_t found = 0;
  for (uint64_t i = 0; i < blocks; ++i) {
    const Key key = nth_key(kSeries, i);
    found += need(store.lookup({&key, 1}), "lookup").found;
  }
  if (found != blocks) throw CannotRun(fmt::format("{} of {} blocks were found again", found, blocks));
}

}  // namespace

void bench_restart(const MicroOptions& options, const DirectoryOptions& directory, uint64_t blocks) {
  write_blocks(*open_store(directory, blocks), blocks);
  Pairs indexed{"restart.indexed", "s", {}, {}};
  Pairs hit{"restart.first_hit", "s", {}, {}};
  for (uint32_t run = 0; run < options.runs; ++run) {
    drop_caches(directory.path);
    const Stopwatch watch;
    auto store = open_store(directory, blocks);
    hit.ours.push_back(first_hit(*store, watch, blocks));
    hit.theirs.push_back(kFirstHitGoal);
    if (!store->wait_recovered(kPatience)) throw CannotRun("the store did not recover in time");
    indexed.ours.push_back(watch.seconds());
    indexed.theirs.push_back(kIndexedGoal);
    check_all_present(*store, blocks);
    need(store->close(kPatience), "close");
  }
  print_pairs(indexed);
  print_pairs(hit);
}

}  // namespace terrace::bench
