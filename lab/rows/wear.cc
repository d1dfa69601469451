#include "lab/rows/wear.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/kit/apart.h"
#include "lab/kit/machine.h"
#include "lab/kit/oracle.h"
#include "lab/kit/real_store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullCases = 20;
constexpr std::chrono::seconds kCaseLimit{120};
constexpr uint64_t kPercentMax = 105;  // P15
constexpr uint64_t kPercentMin = 95;   // of a budget that more is offered for
constexpr Timeout kTimeout = std::chrono::seconds(30);

uint64_t percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : (part * 100 + whole / 2) / whole;
}
uint64_t ppm(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : part * 1'000'000 / whole;
}

// A store on a simulated machine that is given blocks nobody has seen before.
class Feeder {
 public:
  Feeder(const MachineOptions& options, uint64_t seed, Findings& findings, std::string context)
      : findings_(findings), context_(std::move(context)), random_(seed), machine_(options) {
    start();
  }
  ~Feeder() { stop(); }

  void start() {
    const auto started = machine_.start();
    if (!started) return fail("the start failed: " + started.error().message);
    (void)machine_.store().wait_recovered(kTimeout);
    root_ = *machine_.store().open_namespace({.model_id = "wear", .block_tokens = 16});
  }
  void stop() {
    if (machine_.running()) machine_.stop(kTimeout);
  }
  Machine& machine() { return machine_; }
  TierStats disk() { return machine_.store().stats().tiers[1]; }
  void pass(base::Duration time) { machine_.time().run_for(time); }

  // One block at the head of a chain of its own. `filled`: with bytes that can be checked.
  Key offer(uint64_t bytes, bool filled) {
    Key key;
    for (auto& byte : key.bytes) byte = static_cast<uint8_t>(random_.next());
    const BlockSpec spec{.key = key, .bytes = bytes};
    auto answers = machine_.store().reserve({.root = root_, .parent = {}, .blocks = std::span(&spec, 1)});
    if (!answers || !(*answers)[0].reservation) return fail("no room in L1"), key;
    if (filled) fill(key, 1, (*answers)[0].reservation.bytes());
    std::array<Reservation, 1> one{std::move((*answers)[0].reservation)};
    (void)machine_.store().commit(one);
    return key;
  }
  void check(const Key& key, uint64_t bytes) {
    const auto got = machine_.store().get(std::span(&key, 1), {.timeout = kTimeout});
    findings_.count("checked");
    if (!got || got->size() != 1) return fail("a block that was written is missing");
    if ((*got)[0].bytes.size() != bytes || !verify(key, (*got)[0].bytes, 1).right)
      findings_.fail_wrong(context_ + "other bytes than were stored");
  }
  void fail(std::string_view what) { findings_.fail(fmt::format("{}{}", context_, what)); }

 private:
  Findings& findings_;
  const std::string context_;
  base::Random random_;
  Machine machine_;
  Key root_;
};

MachineOptions machine_for(uint64_t number, uint64_t capacity, uint64_t l1_budget) {
  MachineOptions options;
  options.seed = number;
  options.disk.paths = {"/store"};
  options.disk.capacity_bytes = capacity;  // segments as long as the product chooses
  options.store.l1.mode = L1Mode::kStaging;
  options.store.l1.budget = l1_budget;
  options.store.l1.largest_block = std::min<uint64_t>(16 * base::kMiB, l1_budget / 4);
  return options;
}

// --- the write factor

struct Mix {
  const char* name;
  uint64_t capacity;
  uint64_t offered;
  std::vector<uint64_t> sizes;
};
const std::array<Mix, 3>& mixes() {
  constexpr uint64_t kKiB = base::kKiB, kMiB = base::kMiB;
  static const std::array<Mix, 3> all{{
      {"mixed", 2 * base::kGiB, 640 * kMiB, {64 * kKiB, 256 * kKiB, kMiB, 2 * kMiB, 5 * kMiB, 16 * kMiB}},
      {"churned", 256 * kMiB, 640 * kMiB, {64 * kKiB, 256 * kKiB, 700'000, 2 * kMiB}},
      {"one_size", base::kGiB, 256 * kMiB, {256 * kKiB}},
  }};
  return all;
}

// Device bytes of everything, metadata and syncs too, against the payload that was admitted.
void measure_factor(uint64_t number, Findings& findings, const std::string& context) {
  const Mix& mix = mixes()[number % mixes().size()];
  Feeder feeder(machine_for(number, mix.capacity, 256 * base::kMiB), number, findings, context);
  base::Random random(number ^ 0x3EA2);
  std::vector<std::pair<Key, uint64_t>> sample;
  const uint64_t at_start = feeder.machine().disk().written_bytes();
  for (uint64_t offered = 0; offered < mix.offered;) {
    const uint64_t bytes = mix.sizes[random.below(mix.sizes.size())];
    const bool filled = random.one_in(8);
    const Key key = feeder.offer(bytes, filled);
    if (filled) sample.emplace_back(key, bytes);
    offered += bytes;
    feeder.pass(std::chrono::milliseconds(1 + bytes / base::kMiB * 2));  // about half a GB/s
  }
  if (!feeder.machine().store().sync(kTimeout)) feeder.fail("sync");
  const TierStats disk = feeder.disk();
  const uint64_t written = feeder.machine().disk().written_bytes() - at_start;
  findings.count("admitted_mib", disk.write_bytes / base::kMiB);
  findings.count("max_factor_ppm", ppm(written, disk.write_bytes));
  findings.count(fmt::format("max_factor_{}_ppm", mix.name), ppm(written, disk.write_bytes));
  if (disk.write_bytes < mix.offered / 2) feeder.fail("less than half of what was offered was admitted");
  if (written * 100 > disk.write_bytes * kPercentMax) {
    feeder.fail(
        fmt::format("{} bytes at the device for {} admitted ({})", written, disk.write_bytes, mix.name));
  }
  if (disk.evictions > 0) return;  // the newest may be all that is left
  for (const auto& [key, bytes] : sample) feeder.check(key, bytes);
}

// Of this process, as the kernel counts what goes to the device.
uint64_t device_bytes_of_process() {
  std::ifstream io("/proc/self/io");
  std::string name;
  for (uint64_t value = 0; io >> name >> value;) {
    if (name == "write_bytes:") return value;
  }
  return 0;
}

void measure_real_factor(const RowOptions& options, uint64_t number, Findings& findings,
                         const std::string& context) {
  const ScratchDirectory scratch(options.directory, fmt::format("wear.{}", number));
  findings.add(run_apart(kCaseLimit, context, [&] {
    Findings found;
    RealStoreOptions how;
    how.directory = scratch.path() / "store";
    how.capacity = 2 * base::kGiB;
    how.l1_budget = 128 * base::kMiB;
    how.catalog = {.seed = number,
                   .chains = 48,
                   .chain_blocks_max = 8,
                   .mix = SizeMix::kFew,
                   .bytes_max = 4 * base::kMiB};
    while (Catalog(how.catalog).bytes() < 128 * base::kMiB) how.catalog.seed += 1000;
    const uint64_t before = device_bytes_of_process();
    uint64_t admitted = 0;
    {
      RealStore store(how, found, context);
      if (const auto opened = store.open(); !opened) return found.fail(opened.error().message), found;
      store.store_all();
      admitted = store.disk().write_bytes;
      store.check_all();
      store.close();
    }
    const uint64_t written = device_bytes_of_process() - before;
    if (written == 0) return found.count("cases_skipped"), found;  // a file system in memory
    found.count("real_admitted_mib", admitted / base::kMiB);
    found.count("max_real_factor_ppm", ppm(written, admitted));
    if (written * 100 > admitted * kPercentMax)
      found.fail(fmt::format("{}{} bytes at the device for {} admitted", context, written, admitted));
    return found;
  }));
}

// --- the budget

constexpr uint64_t kBlock = 256 * base::kKiB;
constexpr base::Duration kTick = std::chrono::milliseconds(10);
constexpr uint64_t kSettleSeconds = 2, kWindowSeconds = 5;

struct Step {
  double load;  // of the budget
  uint64_t seconds;
};

// The load steps up and down. Two seconds after each step, and over all, the device gets what the budget and
// the load allow, within 5 %; no second gets more than the second's own and the one saved before it.
class BudgetRun {
 public:
  BudgetRun(Findings& findings, Feeder& feeder, uint64_t budget)
      : findings_(findings), feeder_(feeder), budget_(budget), begun_(written()) {}

  void run(const Step& step) {
    const double goal = std::min(step.load, 1.0) * static_cast<double>(budget_);
    std::vector<uint64_t> marks{written()};
    for (uint64_t second = 1; second <= step.seconds; second++) {
      one_second(step.load);
      marks.push_back(written());
      const uint64_t last = marks[second] - marks[second - 1];
      findings_.count("max_percent_of_a_second", percent(last, budget_));
      if (last > 2 * budget_ * kPercentMax / 100)
        feeder_.fail(fmt::format("{} bytes in one second, the budget is {}", last, budget_));
      if (second < kSettleSeconds + kWindowSeconds) continue;
      const uint64_t window = marks[second] - marks[second - kWindowSeconds];
      judge(window, static_cast<uint64_t>(goal) * kWindowSeconds, step, second);
    }
    allowed_ += static_cast<uint64_t>(goal) * step.seconds;
    findings_.count("budget_seconds", step.seconds);
    findings_.count("steps");
  }
  void judge_all() {
    const uint64_t all = written() - begun_;
    findings_.count("max_percent_of_all", percent(all, allowed_));
    if (all * 100 > allowed_ * kPercentMax || all * 100 < allowed_ * kPercentMin)
      feeder_.fail(fmt::format("{} bytes in all, {} were allowed and offered", all, allowed_));
  }

 private:
  uint64_t written() { return feeder_.machine().disk().written_bytes(); }

  void one_second(double load) {
    for (base::Duration at{0}; at < std::chrono::seconds(1); at += kTick) {
      owed_ += load * static_cast<double>(budget_) * 0.01;
      for (; owed_ >= static_cast<double>(kBlock); owed_ -= static_cast<double>(kBlock))
        feeder_.offer(kBlock, false);
      feeder_.pass(kTick);
    }
  }
  void judge(uint64_t window, uint64_t goal, const Step& step, uint64_t second) {
    findings_.count("windows");
    findings_.count("max_percent_of_window", percent(window, goal));
    if (window * 100 > goal * kPercentMax || window * 100 < goal * kPercentMin) {
      feeder_.fail(fmt::format("{} s after a step to {} times the budget: {} bytes in {} s, not {}", second,
                               step.load, window, kWindowSeconds, goal));
    }
  }

  Findings& findings_;
  Feeder& feeder_;
  const uint64_t budget_;
  const uint64_t begun_;
  uint64_t allowed_ = 0;
  double owed_ = 0;
};

MachineOptions machine_with_budget(uint64_t number, uint64_t per_second, uint64_t per_day) {
  MachineOptions options = machine_for(number, 256 * base::kMiB, 32 * base::kMiB);
  options.disk_rules.admission = "write_budget";
  options.disk_rules.write_bytes_per_second = per_second;
  options.disk_rules.write_bytes_per_day = per_day;
  return options;
}

void step_load(uint64_t number, Findings& findings, const std::string& context) {
  base::Random random(number);
  const uint64_t budget = (4 + random.below(8)) * base::kMiB;
  Feeder feeder(machine_with_budget(number, budget, 0), number, findings, context);
  BudgetRun run(findings, feeder, budget);
  for (const Step& step :
       {Step{0.5, 10}, Step{4, 20}, Step{0.5, 10}, Step{1.5, 20}, Step{0.9, 10}, Step{3, 20}})
    run.run(step);
  run.judge_all();
}

// The budget is another after a restart: the load stays, the rate follows.
void step_budget(uint64_t number, Findings& findings, const std::string& context) {
  for (const uint64_t budget : {8 * base::kMiB, 2 * base::kMiB, 12 * base::kMiB}) {
    Feeder feeder(machine_with_budget(number, budget, 0), number, findings, context);
    BudgetRun run(findings, feeder, budget);
    run.run({.load = 24.0 * base::kMiB / static_cast<double>(budget), .seconds = 40});
    run.judge_all();
  }
}

// Weeks of more than a day's budget: each day has its own, the first one too.
void spend_days(uint64_t number, Findings& findings, const std::string& context) {
  constexpr uint64_t kDays = 30, kOffersADay = 480;
  constexpr uint64_t kDayBudget = 32 * base::kMiB;
  Feeder feeder(machine_with_budget(number, 0, kDayBudget), number, findings, context);
  const uint64_t begun = feeder.machine().disk().written_bytes();
  for (uint64_t day = 1; day <= kDays; day++) {
    const uint64_t before = feeder.machine().disk().written_bytes();
    for (uint64_t i = 0; i < kOffersADay; i++) {
      feeder.offer(kBlock, false);
      feeder.pass(base::Duration(std::chrono::hours(24)) / kOffersADay);
    }
    const uint64_t today = feeder.machine().disk().written_bytes() - before;
    findings.count("max_percent_of_a_day", percent(today, kDayBudget));
    if (today * 100 > kDayBudget * kPercentMax || today * 100 < kDayBudget * kPercentMin)
      feeder.fail(fmt::format("day {}: {} bytes, the budget is {}", day, today, kDayBudget));
    findings.count("budget_days");
  }
  const uint64_t all = feeder.machine().disk().written_bytes() - begun;
  findings.count("max_percent_of_all_days", percent(all, kDays * kDayBudget));
  if (all * 100 > kDays * kDayBudget * kPercentMax) feeder.fail("beyond the budget of all days");
}

std::string replay(const RowOptions& options, uint64_t number) {
  return fmt::format("terrace-lab run --row 23 --seed {} --count 1{}", number,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

}  // namespace

Findings wear_case(const RowOptions& options, uint64_t number) {
  Findings findings;
  findings.count("cases");
  findings.count("admitted_mib", 0);
  const std::string context = fmt::format("case {}: ", number);
  switch (number % 5) {
    case 0:
    case 3:
      measure_factor(number, findings, context);
      break;
    case 1:
      step_load(number, findings, context);
      break;
    case 2:
      measure_real_factor(options, number, findings, context);
      break;
    default:
      if (number % 2 == 0) {
        step_budget(number, findings, context);
      } else {
        spend_days(number, findings, context);
      }
      break;
  }
  for (auto& failure : findings.failures) failure += "; replay: " + replay(options, number);
  return findings;
}

Findings run_wear(const RowOptions& options) {
  WorkerOptions workers = workers_of(options, 23);
  workers.count = count_of(options, kFullCases);
  workers.job_limit = 2 * kCaseLimit;
  workers.replay = [&](uint64_t number) { return replay(options, number); };
  return run_jobs(workers, [&](uint64_t number) { return wear_case(options, number); });
}

}  // namespace terrace::lab
