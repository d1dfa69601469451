#include "lab/rows/no_space.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/kit/apart.h"
#include "lab/kit/real_store.h"
#include "lab/kit/small_device.h"

namespace terrace::lab {
namespace {

using WallClock = std::chrono::steady_clock;

constexpr uint64_t kFullCases = 24;
constexpr std::chrono::seconds kCaseLimit{180};
constexpr uint64_t kCapacity = 48 * base::kMiB;
constexpr uint64_t kFillAt = 16 * base::kMiB;  // the store has grown to this when the device fills
constexpr uint64_t kMoved = 20;                // so many stores or evictions show which way it goes
// The tier tries to grow again after a second; a machine that does other things too gets longer.
constexpr std::chrono::seconds kPatience{30};
constexpr uint64_t kUseSlack = 64 * base::kKiB;  // a directory and its metadata, where there is little else

enum class Course : uint8_t {
  kEvicts,     // what the tier has is evicted for what comes
  kReadsOnly,  // nothing may be evicted: what is there is read, what comes is dropped
  kIsOff,      // there was never room for anything: nothing is stored and nothing found
  kRestarts,   // the store starts while the device is full
};
constexpr std::array kCourses{Course::kEvicts, Course::kReadsOnly, Course::kIsOff, Course::kRestarts};
constexpr std::array<const char*, 4> kNames{"evicts", "reads_only", "is_off", "restarts"};

class Spell {
 public:
  Spell(Course course, SmallDevice device, uint64_t number, const std::filesystem::path& scratch,
        bool verbose)
      : course_(course),
        context_(fmt::format("case {} ({} on {}): ", number, kNames[static_cast<size_t>(course)],
                             to_string(device))),
        random_(number ^ 0xF011),
        where_(scratch / "device"),
        directory_(where_ / "store") {
    std::filesystem::create_directories(where_);
    const uint64_t bytes = device == SmallDevice::kTmpfs ? 64 * base::kMiB : 256 * base::kMiB;
    not_mounted_ = mount_small(device, bytes, scratch, where_);
    if (!not_mounted_.empty()) return;
    filler_ = std::make_unique<Filler>(where_);
    RealStoreOptions options;
    options.directory = directory_;
    options.capacity = kCapacity;
    options.eviction = course == Course::kReadsOnly ? "noop" : "lru";
    options.verbose = verbose;
    options.catalog = {.seed = number,
                       .chains = 128,
                       .chain_blocks_max = 8,
                       .mix = SizeMix::kFew,
                       .bytes_max = 768 * base::kKiB};
    // More than it may hold: there is always something to store.
    while (Catalog(options.catalog).bytes() < 2 * kCapacity) options.catalog.seed += 1000;
    store_ = std::make_unique<RealStore>(options, findings_, context_);
  }

  Findings run() {
    if (!not_mounted_.empty()) {
      findings_.count("cases_skipped");
      return std::move(findings_);
    }
    if (course_ == Course::kIsOff) fill(base::kMiB);
    if (!open()) return std::move(findings_);
    if (course_ != Course::kIsOff) {
      load_until("it has grown", [this] { return store_->disk().allocated_bytes >= kFillAt; });
      expect_ready();
    }
    if (course_ == Course::kRestarts) {
      store_->close();
      fill(0);
      if (!open()) return std::move(findings_);
      findings_.count("found_after_restart", store_->check_all());
      findings_.count("full_restarts");
    } else if (course_ != Course::kIsOff) {
      filler_->begin_fill();  // beside the load
    }
    suffer();
    filler_->begin_free();
    come_back();
    store_->check_all({}, course_ != Course::kReadsOnly);
    check_use(true);
    count();
    store_->close();
    return std::move(findings_);
  }

 private:
  void fail(std::string_view what) { findings_.fail(fmt::format("{}{}", context_, what)); }

  bool open() {
    const auto opened = store_->open();
    if (!opened) fail("did not open: " + opened.error().message);
    return opened.has_value();
  }

  void fill(uint64_t leave) {
    filler_->begin_fill(leave);
    if (!filler_->ended(30'000)) fail("the device was not filled in time");
  }

  // One chain stored, some blocks of another asked for.
  void load_once() {
    const Catalog& catalog = store_->catalog();
    store_->store_chain(static_cast<uint32_t>(random_.below(catalog.chains())));
    Operation get;
    get.kind = OpKind::kGet;
    get.chain = static_cast<uint32_t>(random_.below(catalog.chains()));
    get.count = static_cast<uint32_t>(1 + random_.below(catalog.chain(get.chain).size()));
    get.time = std::chrono::seconds(10);
    store_->client().run(get);
    findings_.count("loads");
    check_use(false);
  }

  template <class Done>
  bool load_until(std::string_view what, Done done) {
    for (const auto until = WallClock::now() + kPatience; WallClock::now() < until;) {
      load_once();
      if (done()) return true;
    }
    const TierStats disk = store_->disk();
    fail(fmt::format("not before {} s: {}; {} with {} blocks, {} writes, {} evictions, last error '{}'",
                     kPatience.count(), what, disk.state, disk.blocks, disk.writes, disk.evictions,
                     disk.last_error));
    return false;
  }

  void expect_ready() {
    if (const auto state = store_->disk().state; state != "ready") fail("before anything failed: " + state);
  }

  // The device is full: which way it goes depends on what the tier may let go.
  void suffer() {
    if (!load_until("growth stops",
                    [this] { return filler_->ended() && store_->disk().state == "degraded"; }))
      return;
    findings_.count("went_down");
    const TierStats before = store_->disk();
    const auto no_room = static_cast<size_t>(DropCause::kNoRoom);
    switch (course_) {
      case Course::kEvicts:
      case Course::kRestarts:
        load_until("it goes on by evicting", [&] {
          const TierStats now = store_->disk();
          return now.evictions >= before.evictions + kMoved && now.writes >= before.writes + kMoved;
        });
        findings_.count("evicted_for_room", store_->disk().evictions - before.evictions);
        break;
      case Course::kReadsOnly:
        load_until("what comes is dropped",
                   [&] { return store_->disk().drops[no_room] >= before.drops[no_room] + kMoved; });
        if (store_->disk().evictions > 0) fail("evicted under a policy that evicts nothing");
        findings_.count("found_while_full", store_->check_all());  // and all of it is still read
        break;
      case Course::kIsOff:
        load_until("what comes is dropped",
                   [&] { return store_->disk().drops[no_room] >= before.drops[no_room] + kMoved; });
        if (store_->disk().blocks > 0) fail("holds blocks without room for any");
        if (store_->check_all({}, true) > 0) fail("found what it had no room for");
        break;
    }
  }

  // It is to grow again without being asked.
  void come_back() {
    const TierStats before = store_->disk();
    const auto freed = WallClock::now();
    if (!load_until("it grows again", [&] {
          const TierStats now = store_->disk();
          return now.state == "ready" && now.allocated_bytes > before.allocated_bytes &&
                 now.writes >= before.writes + kMoved;
        }))
      return;
    findings_.count("came_back");
    findings_.count("max_back_ms", static_cast<uint64_t>((WallClock::now() - freed).count() / 1'000'000));
  }

  // P8 and E5: never more than was given, and the file system agrees with the count of our own.
  void check_use(bool quiet) {
    const uint64_t use = disk_use(directory_);
    const TierStats disk = store_->disk();
    findings_.count("max_use_kib", use / base::kKiB);
    if (use > kCapacity) fail(fmt::format("{} bytes on disk, {} were given", use, kCapacity));
    if (disk.allocated_bytes > disk.capacity_bytes) fail("allocated more than the capacity");
    if (!quiet) return;
    const uint64_t off = std::max(use, disk.allocated_bytes) - std::min(use, disk.allocated_bytes);
    findings_.count("max_use_off_by_ppm", off * 1'000'000 / std::max<uint64_t>(1, use));
    if (off > std::max(use / 100, kUseSlack))
      fail(fmt::format("counts {} bytes, the file system {}", disk.allocated_bytes, use));
  }

  void count() {
    const TierStats disk = store_->disk();
    findings_.count("evictions", disk.evictions);
    findings_.count("no_room_drops", disk.drops[static_cast<size_t>(DropCause::kNoRoom)]);
  }

  const Course course_;
  const std::string context_;
  base::Random random_;
  const std::filesystem::path where_, directory_;
  std::string not_mounted_;
  Findings findings_;
  std::unique_ptr<Filler> filler_;
  std::unique_ptr<RealStore> store_;
};

std::string replay(const RowOptions& options, uint64_t number) {
  return fmt::format("terrace-lab run --row 10 --seed {} --count 1{}", number,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

// Why this process cannot mount what the row needs; empty when it can.
std::string cannot_mount(const RowOptions& options) {
  std::string reason;
  const ScratchDirectory scratch(options.directory, "mounts");
  for (const SmallDevice device : {SmallDevice::kTmpfs, SmallDevice::kExt4}) {
    const Findings tried = run_apart(kCaseLimit, "", [&] {
      Findings findings;
      const auto where = scratch.path() / to_string(device);
      std::filesystem::create_directories(where);
      const std::string why = mount_small(device, 64 * base::kMiB, scratch.path(), where);
      if (!why.empty()) findings.fail(why);
      return findings;
    });
    if (!tried.clean()) reason = to_string(device) + ": " + tried.failures.front();
  }
  return reason;
}

}  // namespace

Findings no_space_case(const RowOptions& options, uint64_t number) {
  const ScratchDirectory scratch(options.directory, fmt::format("space.{}", number));
  const Course course = kCourses[number / 2 % kCourses.size()];
  const SmallDevice device = number % 2 == 0 ? SmallDevice::kTmpfs : SmallDevice::kExt4;
  Findings findings;
  findings.count("cases");
  findings.count("loads", 0);
  Findings found = run_apart(kCaseLimit, replay(options, number), [&] {
    return Spell(course, device, number, scratch.path(), options.verbose).run();
  });
  for (auto& failure : found.failures) failure += "; replay: " + replay(options, number);
  findings.add(found);
  return findings;
}

Findings run_no_space(const RowOptions& options) {
  Findings skipped;
  skipped.skipped = cannot_mount(options);
  if (!skipped.skipped.empty()) return skipped;
  WorkerOptions workers = workers_of(options, 10);
  workers.count = count_of(options, kFullCases);
  workers.job_limit = 2 * kCaseLimit;
  workers.replay = [&](uint64_t number) { return replay(options, number); };
  return run_jobs(workers, [&](uint64_t number) { return no_space_case(options, number); });
}

}  // namespace terrace::lab
