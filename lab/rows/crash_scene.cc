#include "lab/rows/crash_scene.h"

#include <array>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "base/thread_executor.h"
#include "io/make_engine.h"
#include "io/posix_file_system.h"
#include "io/scheduler.h"
#include "policy/store.h"
#include "tier/disk/disk_tier.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kSegmentBytes = 512 * base::kKiB;
constexpr uint64_t kPathBytesLeast = 8 * base::kMiB + 512 * base::kKiB;  // a store refuses less

// Every mode and store policy in its turn; what a policy keeps off the disk is owed nothing.
void choose_mode(uint64_t turn, StoreOptions& options) {
  constexpr std::array kModes{L1Mode::kCache, L1Mode::kStaging, L1Mode::kCache, L1Mode::kOff};
  TierOptions& disk = options.tiers[0];
  options.l1.mode = kModes[turn % kModes.size()];
  const auto policies = policy::store_policy_names();
  disk.store_policy = policies[turn / kModes.size() % policies.size()];
  if (options.l1.mode != L1Mode::kCache && !works_without_l1(disk)) disk.store_policy = "write_through";
}

// Large: kill -9 at any time, nothing evicted.
CrashScene black_box_scene(const ChildOptions& child) {
  base::Random random(child.seed);
  const auto mix = static_cast<SizeMix>(random.below(kSizeMixes));
  CrashScene scene{Catalog({.seed = child.seed,
                            .namespaces = 2 * kCrashClients,
                            .chains = 96,
                            .chain_blocks_max = 10,
                            .mix = mix,
                            .bytes_max = mix == SizeMix::kOne ? 256 * base::kKiB : 96 * base::kKiB}),
                   {}};
  scene.options.l1.budget = 12 * base::kMiB;  // far less than the catalog: eviction runs
  TierOptions disk;
  disk.disk.paths = {child.directory + "/store"};
  disk.disk.capacity = 3 * scene.catalog.bytes() + base::kGiB / 2;
  disk.disk.io = random.one_in(3) ? IoChoice::kPsync : IoChoice::kAuto;
  scene.options.tiers = {disk};
  choose_mode(child.cycle, scene.options);
  return scene;
}

// Small: within a few hundred operations segments are made and made again, syncs come every few ms, and in
// every other directory the disk is full, of one to three paths, and its capacity changes between lives.
CrashScene white_box_scene(const ChildOptions& child) {
  base::Random random(child.seed);
  const bool complete = child.seed % 2 == 0;
  const uint64_t paths = complete ? 1 + random.below(3) : 1 + random.below(3) / 2;
  const SizeMix mix = !complete ? (random.one_in(4) ? SizeMix::kFew : SizeMix::kMany)
                                : static_cast<SizeMix>(random.below(kSizeMixes));
  CrashScene scene{Catalog({.seed = child.seed,
                            .namespaces = 2 * kCrashClients,
                            .chains = complete ? 48u : 160u,
                            .chain_blocks_max = complete ? 8u : 5u,
                            .mix = mix,
                            .bytes_max = complete ? 32 * base::kKiB : 192 * base::kKiB}),
                   {},
                   complete};
  scene.options.l1.budget = 6 * base::kMiB;
  TierOptions disk;
  for (uint64_t path = 0; path < paths; ++path) {
    disk.disk.paths.push_back(fmt::format("{}/store{}", child.directory, path));
  }
  const uint64_t more = complete ? 64 * base::kMiB : (child.cycle + 1) % 2 * 2 * base::kMiB;
  disk.disk.capacity = paths * (kPathBytesLeast + more);
  disk.disk.io = child.seed / 2 % 2 == 0 ? IoChoice::kPsync : IoChoice::kAuto;
  disk.disk.placement = random.one_in(2) ? DiskPlacement::kByKey : DiskPlacement::kByRank;
  disk.disk.sync_interval = std::chrono::milliseconds(complete ? 5 : 40);
  disk.disk.sync_bytes = base::kMiB;
  scene.options.tiers = {disk};
  choose_mode(child.seed / 2 + child.cycle, scene.options);
  // What writes nothing reaches nothing.
  if (scene.options.tiers[0].store_policy == "none") scene.options.tiers[0].store_policy = "write_through";
  return scene;
}

}  // namespace

bool works_without_l1(const TierOptions& tier) {
  return policy::stores_without_l1(**policy::make_store_policy(tier.store_policy));
}

Outcome<void> make_small_segments(const StoreOptions& options) {
  const DiskOptions& disk = options.tiers[0].disk;
  for (const std::string& path : disk.paths) {
    std::error_code none_yet;
    for (const auto& file : std::filesystem::directory_iterator(path, none_yet)) {
      if (file.path().extension() == ".slots") return {};  // they keep what they were given
    }
  }
  const auto engine = io::make_engine(io::EngineChoice::kPsync, 4);
  if (!engine) return failure(engine.error().code, "no engine");
  base::SteadyClock clock;
  {
    io::IoScheduler scheduler(**engine, io::SchedulerOptions{});
    base::ThreadExecutor executor("lab-format");
    io::PosixFileSystem files;
    tier::disk::DiskParts parts{clock, executor, files, {}};
    parts.schedulers.assign(disk.paths.size(), scheduler);
    tier::disk::DiskOptions small;
    small.paths = disk.paths;
    small.capacity_bytes = disk.capacity;
    small.segment_bytes = kSegmentBytes;
    const auto tier = tier::disk::DiskTier::open(small, parts);
    if (!tier) return std::unexpected(tier.error());
    (*tier)->close(base::kForever);
  }
  (*engine)->stop();
  return {};
}

CrashScene crash_scene(const ChildOptions& child) {
  return child.hurried ? white_box_scene(child) : black_box_scene(child);
}

}  // namespace terrace::lab
