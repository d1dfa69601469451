#include "lab/rows/extremes.h"

#include <array>

#include <fmt/format.h>

#include "lab/rows/extremes_stage.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullRounds = 480;
constexpr uint64_t kRoundsPerSlice = 16;
constexpr Timeout kTimeout = std::chrono::seconds(10);
constexpr auto kHour = std::chrono::nanoseconds(std::chrono::hours(1));

// --- clocks

// Lives whose wall clocks disagree by hours and by ages. Only the order of use may follow.
void jump_wall_clock(ExtremeRound& round) {
  constexpr auto kNow = uint64_t{1'790'000'000} * 1'000'000'000;
  const auto hour = static_cast<uint64_t>(kHour.count());
  constexpr uint64_t kLast = UINT64_MAX - (uint64_t{1} << 56);
  const std::array walls{kNow, kNow - hour, kNow + hour, uint64_t{0}, uint64_t{1} << 63, kLast, kNow};
  StageOptions options = ExtremesStage::usual(round.number);
  options.roomy = round.random.one_in(2);
  if (!options.roomy) options.machine.disk.capacity_bytes = 4 * base::kMiB;
  options.catalog.chains = 40;
  ExtremesStage stage(options, round.findings, round.context);
  for (size_t life = 0; life < walls.size(); life++) {
    stage.machine().set_wall_time(walls[life]);
    stage.start();
    if (options.roomy) stage.check_all();
    for (uint32_t chain = 0; chain < stage.catalog().chains(); chain++) {
      if (round.random.one_in(2)) stage.store_chain(chain);
    }
    if (options.roomy) stage.check_all();
    stage.stop();
    round.findings.count("clock_jumps");
  }
}

// The process stands still, for up to an hour, with all kinds of operations running.
void stand_still(ExtremeRound& round) {
  constexpr uint64_t kOperations = 300;
  ExtremesStage stage(ExtremesStage::usual(round.number), round.findings, round.context);
  stage.start();
  Workload workload(stage.catalog(), {.seed = round.number});
  for (uint64_t i = 0; i < kOperations; i++) {
    const Operation operation = workload.next();
    stage.client().run(operation);
    if (operation.kind == OpKind::kPause) stage.pass(operation.time);
    if (round.random.one_in(8)) {
      constexpr std::array<int64_t, 5> kMillis{1, 100, 6'000, 70'000, 3'600'000};
      stage.machine().time().stall(std::chrono::milliseconds(kMillis[round.random.below(kMillis.size())]));
      round.findings.count("stalls");
    }
    stage.pass(std::chrono::microseconds(round.random.below(200)));
    stage.client().poll();
  }
  stage.client().release_all();
  stage.settle();
  stage.expect(stage.client().owed() == 0, "operations are stuck after stalls");
  stage.pass(std::chrono::seconds(10));
  stage.expect(stage.disk().state == "ready", "not ready 10 s after the last stall: " + stage.disk().state);
}

struct Case {
  const char* name;
  void (*run)(ExtremeRound& round);
};
constexpr std::array<Case, 16> kCases{{
    {"wall_clock", jump_wall_clock},
    {"standing_still", stand_still},
    {"block_sizes", try_block_sizes},
    {"region_slices", try_region_slices},
    {"batches", try_batches},
    {"deadlines", try_deadlines},
    {"odd_keys", try_odd_keys},
    {"families", try_families},
    {"leased_l1", fill_l1_with_leases},
    {"full_disk", fill_disk_that_never_evicts},
    {"size_classes", fill_size_classes},
    {"namespace_table", fill_namespace_table},
    {"write_credit", fill_write_credit},
    {"prefetch_queue", fill_prefetch_queue},
    {"history", fill_history},
    {"options", try_options},
}};

}  // namespace

// --- ExtremesStage

StageOptions ExtremesStage::usual(uint64_t seed) {
  StageOptions options;
  options.catalog.seed = seed;
  options.machine.seed = seed;
  options.machine.disk.paths = {"/store"};
  options.machine.disk.segment_bytes = 256 * base::kKiB;
  options.machine.disk.capacity_bytes = 16 * base::kMiB;
  options.machine.store.l1.budget = 8 * base::kMiB;
  options.machine.latency = std::chrono::microseconds(20);
  return options;
}

ExtremesStage::ExtremesStage(StageOptions options, Findings& findings, std::string context)
    : options_(std::move(options)),
      findings_(findings),
      context_(std::move(context)),
      catalog_(options_.catalog),
      machine_(options_.machine),
      expected_(catalog_.size()) {}

ExtremesStage::~ExtremesStage() {
  if (machine_.running()) stop();
}

void ExtremesStage::start() {
  const auto started = machine_.start();
  expect(started.has_value(), started ? "" : "the start failed: " + started.error().message);
  expect(store().wait_recovered(kTimeout), "recovery did not end");
  for (uint32_t space = 0; space < catalog_.spaces(); space++)
    expect(store().open_namespace(catalog_.space(space)).has_value(), "a namespace was refused");
  ClientOptions how;
  how.reliable = how.complete = false;
  how.pristine = true;
  how.patience = 100 * kHour;  // a stall is no stuck operation
  how.mode = options_.machine.store.l1.mode;
  how.context = context_;
  client_ = std::make_unique<Client>(store(), catalog_, expected_, machine_.time(), findings_, how);
}

void ExtremesStage::stop() {
  client_->release_all();
  settle();
  client_.reset();
  expect(machine_.stop(kTimeout) == 0, "close abandoned operations");
}

void ExtremesStage::settle() {
  const auto until = base::after(machine_.time().now(), std::chrono::seconds(60));
  do {
    pass(std::chrono::microseconds(100));
    client_->poll();
  } while (client_->owed() > 0 && machine_.time().now() < until);
}

void ExtremesStage::store_chain(uint32_t chain) {
  client_->store_chain(chain);
  settle();
}

void ExtremesStage::store_all() {
  for (uint32_t chain = 0; chain < catalog_.chains(); chain++) store_chain(chain);
}

void ExtremesStage::check_all() {
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    const bool owed = expected_.of(block).must_be_found() && options_.roomy;
    const bool found = client_->check_block(block, kTimeout).value_or(0) != 0;
    findings_.count("checked");
    if (owed && !found) fail(fmt::format("block {} was acknowledged and is missing", block));
  }
}

void ExtremesStage::fail(std::string_view what) const {
  findings_.fail(fmt::format("{}{}", context_, what));
}

void ExtremesStage::expect(bool claim, std::string_view what) const {
  findings_.count("claims");
  if (!claim) fail(what);
}

Findings extremes_rounds(uint64_t first, uint64_t count) {
  Findings sum;
  sum.count("rounds", 0);
  sum.count("claims", 0);
  for (uint64_t number = first; number < first + count; number++) {
    const Case& one = kCases[number % kCases.size()];
    ExtremeRound round{.number = number, .random = base::Random(number ^ 0xE07)};
    round.context = fmt::format("round {} ({}): ", number, one.name);
    one.run(round);
    for (auto& failure : round.findings.failures) {
      failure += fmt::format("; replay: terrace-lab run --row 21 --seed {} --count 1", number);
    }
    sum.count("rounds");
    sum.count(one.name);
    sum.add(round.findings);
  }
  return sum;
}

Findings run_extremes(const RowOptions& options) {
  return run_in_slices(options, 21, kFullRounds, kRoundsPerSlice, extremes_rounds);
}

}  // namespace terrace::lab
