#include "lab/simulation.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/client.h"
#include "lab/scenario.h"
#include "lab/workers.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullSeeds = 2000;
constexpr uint64_t kOps = 5000;
constexpr uint64_t kReplayEvery = 20;  // seeds run twice
constexpr Timeout kRecoveryTimeout = std::chrono::seconds(60);
constexpr Timeout kReadTimeout = std::chrono::seconds(30);
constexpr Timeout kDrainTimeout = std::chrono::seconds(60);
constexpr base::Duration kPatience = std::chrono::seconds(120);

std::string replay(uint64_t seed, uint64_t ops) {
  return fmt::format("terrace-lab run --row 1 --seed {} --count 1 --ops {}", seed, ops);
}

// What a power cut may take: everything since the last sync of each key's latest write and removal.
class PowerLedger {
 public:
  PowerLedger(uint32_t keys, const base::Clock& clock) : clock_(clock), keys_(keys) {}

  void durable(uint32_t key) {
    if (!keys_[key].owed) keys_[key].owed_since = clock_.now();
    keys_[key].owed = true;
  }
  // Written while recovery ran: the new record may stand for an older one that was safe.
  void written_anew(uint32_t key) { keys_[key].owed_since = clock_.now(); }
  void removed(uint32_t key, Writer before) {
    Entry& entry = keys_[key];
    entry.owed = false;
    if (!entry.removal_pending || entry.removed_since <= synced_) entry.removed_before = before;
    entry.removal_pending = true;
    entry.removed_since = clock_.now();
  }
  void synced() { synced_ = clock_.now(); }
  // The process ends; what was synced by then is safe for good. Group syncs count only where nothing
  // disturbed them.
  void end_life(base::Duration sync_interval, bool group_syncs_count) {
    const base::TimePoint group = clock_.now() - 2 * sync_interval - std::chrono::seconds(1);
    const base::TimePoint safe = group_syncs_count ? std::max(synced_, group) : synced_;
    for (Entry& entry : keys_) {
      if (entry.owed_since <= safe) entry.owed_since = {};
      if (entry.removed_since <= safe) entry.removal_pending = false;
    }
  }
  // Another begins: its group syncs start over.
  void begin_life() {
    for (Entry& entry : keys_) {
      if (entry.owed_since != base::TimePoint{}) entry.owed_since = clock_.now();
      entry.removed_since = clock_.now();
    }
  }
  // The power goes with the process.
  void forgive(ExpectedState& expected) {
    for (uint32_t key = 0; key < keys_.size(); key++) {
      Entry& entry = keys_[key];
      if (!entry.owed || entry.owed_since != base::TimePoint{}) expected.forgive(key, UINT32_MAX);
      if (entry.removal_pending) expected.forgive(key, entry.removed_before);
      entry = {};
    }
  }

 private:
  struct Entry {
    bool owed = false, removal_pending = false;
    base::TimePoint owed_since{}, removed_since{};
    Writer removed_before = 0;
  };
  const base::Clock& clock_;
  base::TimePoint synced_{};
  std::vector<Entry> keys_;
};

class Simulation {
 public:
  Simulation(uint64_t seed, uint64_t ops, bool verbose)
      : seed_(seed),
        ops_(ops),
        verbose_(verbose),
        scenario_(draw_scenario(seed)),
        catalog_(scenario_.catalog),
        random_(seed ^ 0x51A1),
        machine_(scenario_.machine),
        expected_(catalog_.size()),
        ledger_(catalog_.size(), machine_.time()),
        workload_(catalog_, {.seed = seed, .removes = scenario_.removes}),
        complete_(scenario_.roomy && scenario_.reliable()) {}

  SeedOutcome run() {
    if (verbose_) fmt::print("seed {}: {}\n", seed_, describe(scenario_));
    for (const char* figure : {"seeds", "ops", "stuck", "leaks"}) findings_.count(figure, 0);
    findings_.count("seeds");
    for (uint32_t life = 0; life < scenario_.lives; life++) {
      const uint64_t share = ops_ / scenario_.lives + (life == 0 ? ops_ % scenario_.lives : 0);
      if (!open()) break;
      live(share);
      end_life(life + 1 == scenario_.lives);
    }
    machine_.time().trace(machine_.disk().hash());
    for (auto& failure : findings_.failures) failure += "; replay: " + replay(seed_, ops_);
    if (verbose_) fmt::print("trace {:#018x}\n", machine_.time().trace_hash());
    return {std::move(findings_), machine_.time().trace_hash()};
  }

 private:
  void set_weather(bool bad) {
    machine_.faults().set_rates(bad ? scenario_.faults : io::FaultRates{});
    if (auto* mock = machine_.mock())
      mock->set_faults(bad ? scenario_.mock_faults : tier::mock::MockFaults{});
    if (!bad) {
      machine_.faults().clear_bad_ranges();
      machine_.disk().set_capacity(scenario_.machine.sim_disk.capacity);
    }
  }

  // A store on what the disk holds, its client, and, when recovery ended, a check of everything.
  bool open() {
    set_weather(!scenario_.reliable() && random_.one_in(2));
    auto started = machine_.start();
    for (int attempt = 0; !started && !scenario_.reliable() && attempt < 2; attempt++) {
      findings_.count("refused_opens");
      say(fmt::format("open refused: {}", started.error().message));
      set_weather(false);
      machine_.time().run_for(std::chrono::seconds(1));
      started = machine_.start();
    }
    if (!started) {
      fail(fmt::format("open: {}", started.error().message));
      return false;
    }
    findings_.count("lives");
    ledger_.begin_life();
    for (uint32_t space = 0; space < catalog_.spaces(); space++) {
      const auto root = machine_.store().open_namespace(catalog_.space(space));
      if (!root || *root != catalog_.root(space)) fail("open_namespace: another root");
    }
    make_client();
    // Lookups are answered while recovery runs; nothing is owed yet.
    client_->set_complete(false);
    const bool untouched = random_.one_in(2);
    if (!untouched) work_while_recovering();
    if (!machine_.store().wait_recovered(kRecoveryTimeout)) fail("recovery did not end");
    client_->set_complete(complete_);
    // What a power cut left is strictly owed only before anything stored since then was said to be there
    // already.
    if (findings_.counted("power_cuts") > 0 && !(power_just_cut_ && untouched)) client_->set_power_was_cut();
    check_all(complete_ && untouched && machine_.tiers() == 1);
    power_just_cut_ = false;
    if (findings_.counted("power_cuts") > 0) client_->set_power_was_cut();
    set_weather(!scenario_.reliable());
    return true;
  }

  void work_while_recovering() {
    std::vector<Writer> begun(catalog_.size());
    for (uint32_t block = 0; block < catalog_.size(); block++) begun[block] = expected_.of(block).begun;
    work(random_.below(100), true);
    for (uint32_t block = 0; block < catalog_.size(); block++) {
      if (expected_.of(block).begun != begun[block]) ledger_.written_anew(block);
    }
  }

  void make_client() {
    ClientOptions how;
    how.tiers = machine_.tiers();
    how.durable_tier = machine_.disk_tier();
    how.seed = seed_;
    how.mode = scenario_.machine.store.l1.mode;
    how.switches = scenario_.switches;
    how.reliable = scenario_.reliable();
    how.pristine = scenario_.reliable() && findings_.counted("kills") + findings_.counted("power_cuts") == 0;
    how.complete = complete_;
    how.instant = true;
    how.slack = std::chrono::microseconds(1);
    how.patience = kPatience;
    how.verbose = verbose_;
    how.context = fmt::format("seed {} life {} ", seed_, findings_.counted("lives"));
    ClientHooks hooks;
    hooks.observe = [this](uint64_t value) { machine_.time().trace(value); };
    hooks.durable = [this](uint32_t block, Writer) { ledger_.durable(block); };
    hooks.removed = [this](uint32_t block, Writer before) { ledger_.removed(block, before); };
    hooks.synced = [this] { ledger_.synced(); };
    client_ = std::make_unique<Client>(machine_.store(), catalog_, expected_, machine_.time(), findings_, how,
                                       hooks);
  }

  // After a restart: each block alone. With `settle` what is found now stays, and what is gone stays gone:
  // devices do not err nor evict, and no writer of this life stands beside an older one that recovery found.
  void check_all(bool settle) {
    for (uint32_t block = 0; block < catalog_.size(); block++) {
      const bool owed = complete_ && expected_.of(block).must_be_found();
      const auto found = client_->check_block(block, kReadTimeout);
      if (owed) findings_.count("owed");
      if (settle && found) expected_.settle(block, *found);
      if (settle && found && *found != 0) ledger_.durable(block);
    }
    client_->poll();
  }

  void live(uint64_t count) {
    while (count > 0) {
      const uint64_t stretch = std::min<uint64_t>(count, 1 + random_.below(600));
      set_weather(!scenario_.reliable() && !random_.one_in(4));
      work(stretch, false);
      count -= stretch;
    }
  }

  void work(uint64_t count, bool recovering) {
    for (uint64_t i = 0; i < count; i++) {
      const Operation operation = workload_.next();
      client_->run(operation);
      findings_.count("ops");
      disturb();
      pass_time(operation);
      client_->poll();
      check_walls();
      if (!recovering && i % 64 == 0) check_stats();
    }
  }

  void pass_time(const Operation& operation) {
    auto& time = machine_.time();
    if (operation.kind == OpKind::kPause) {
      const uint64_t longest = operation.pick % 64 == 0 ? 3'000'000 : 20'000;
      time.run_for(std::chrono::microseconds(operation.pick % longest));
    } else if (operation.pick % 3 == 0) {
      time.run_ready();
    } else {
      time.run_for(std::chrono::microseconds(random_.below(scenario_.pace_us + 1)));
    }
  }

  // What no rate describes: a stalled device, another process that takes its space, rot.
  void disturb() {
    if (scenario_.errors && random_.one_in(2000)) {
      machine_.faults().stall_until(machine_.time().now() + std::chrono::milliseconds(random_.below(10'000)));
    }
    if (scenario_.full_device && random_.one_in(200)) {
      const uint64_t used = machine_.disk().used_bytes();
      machine_.disk().set_capacity(random_.one_in(2) ? used + random_.below(base::kMiB)
                                                     : scenario_.machine.sim_disk.capacity);
    }
    if (scenario_.lies && random_.one_in(200)) rot();
  }

  void rot() {
    const auto& paths = scenario_.machine.disk.paths;
    const std::string directory = paths[random_.below(paths.size())];
    const auto names = machine_.disk().list(directory);
    if (!names || names->empty()) return;
    const std::string path = directory + "/" + (*names)[random_.below(names->size())];
    const auto status = machine_.disk().stat(path);
    if (!status || status->bytes == 0) return;
    if (machine_.disk().flip_bit(path, random_.below(status->bytes * 8))) findings_.count("rotten_bits");
  }

  // P7, P8: budgets and capacity are walls, always.
  void check_walls() {
    const bool strays = scenario_.faults.chance[io::FaultKind::kMisdirectedWrite] > 0;
    const uint64_t used = machine_.disk().used_bytes(), capacity = scenario_.machine.disk.capacity_bytes;
    if (used > capacity && !strays) fail(fmt::format("the disk holds {} bytes of {}", used, capacity));
  }

  void check_stats() {
    const StoreStats stats = machine_.store().stats();
    uint64_t misses = 0;
    for (const uint64_t count : stats.misses) misses += count;
    if (misses != stats.keys_asked - stats.keys_delivered) {
      fail(fmt::format("{} asked, {} delivered, {} misses", stats.keys_asked, stats.keys_delivered, misses));
    }
    for (const TierStats& tier : stats.tiers) {
      const bool over =
          tier.capacity_bytes > 0 && std::max(tier.used_bytes, tier.allocated_bytes) > tier.capacity_bytes;
      if (over) {
        fail(fmt::format("{}: {} used, {} allocated of {}", tier.name, tier.used_bytes, tier.allocated_bytes,
                         tier.capacity_bytes));
      }
    }
    const TierStats& disk = stats.tiers[machine_.disk_tier()];
    if (complete_ && disk.evictions + disk.evicted_segments > 0) fail("a roomy disk tier evicted");
  }

  void end_life(bool last) {
    const uint64_t kind = last ? 0 : random_.below(4);
    if (kind == 0)
      close_in_order();
    else if (kind == 3)
      cut_power();
    else
      kill();
    machine_.time().run_for(std::chrono::seconds(20));
    if (!machine_.store_is_gone()) {
      findings_.count("leaks");
      fail("the store is still referenced after its end");
    }
    // A lying device may have kept a removed block's entry: content is all that can be asked of it.
    if (scenario_.lies) {
      for (uint32_t block = 0; block < catalog_.size(); block++) expected_.forgive(block, 0);
    }
  }

  void close_in_order() {
    findings_.count("closes");
    set_weather(false);
    client_->release_all();
    drain();
    check_leaks();
    client_.reset();
    const uint64_t abandoned = machine_.stop(kDrainTimeout);
    if (abandoned != 0) fail(fmt::format("close abandoned {}", abandoned));
    ledger_.synced();
    ledger_.end_life(scenario_.machine.disk.sync_interval, true);
    say("closed");
  }

  void drain() {
    const base::TimePoint until = machine_.time().now() + kPatience + std::chrono::seconds(10);
    // Writes nobody asked to be told of, and loads that were left to end by themselves, end too.
    while ((client_->owed() > 0 || held(machine_.store().stats()) > 0) && machine_.time().now() < until) {
      machine_.time().run_for(std::chrono::milliseconds(10));
      client_->poll();
    }
    if (client_->owed() > 0) fail(fmt::format("{} operations never ended", client_->owed()));
    machine_.time().run_for(std::chrono::seconds(1));
    client_->poll();
  }

  static uint64_t held(const StoreStats& stats) {
    return stats.reservations + stats.reserved_bytes + stats.leased_blocks + stats.private_bytes +
           stats.writes_in_flight_bytes;
  }

  // Everything was released and has ended: nothing is held any more.
  void check_leaks() {
    check_stats();
    const StoreStats stats = machine_.store().stats();
    if (held(stats) == 0) return;
    findings_.count("leaks");
    fail(fmt::format(
        "after everything was released: {} reservations, {} bytes reserved, {} leases, {} private bytes, "
        "{} bytes in flight",
        stats.reservations, stats.reserved_bytes, stats.leased_blocks, stats.private_bytes,
        stats.writes_in_flight_bytes));
  }

  void kill() {
    findings_.count("kills");
    say("kill -9");
    client_->poll();
    ledger_.end_life(scenario_.machine.disk.sync_interval, scenario_.reliable());
    machine_.kill();
    bury();
  }

  void cut_power() {
    findings_.count("power_cuts");
    say("power cut");
    client_->poll();
    ledger_.end_life(scenario_.machine.disk.sync_interval, scenario_.reliable());
    machine_.cut_power(random_);
    power_just_cut_ = true;
    ledger_.forgive(expected_);
    bury();
  }

  // The process is dead: nothing it still does reaches the disk, and nobody hears what it says.
  void bury() {
    set_weather(false);
    client_->abandon();
    client_.reset();
    machine_.bury();
  }

  void fail(const std::string& what) {
    findings_.fail(fmt::format("seed {} life {}: {}", seed_, findings_.counted("lives"), what));
    say("FAILED: " + what);
  }
  void say(const std::string& text) const {
    if (!verbose_) return;
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(machine_now().time_since_epoch()).count();
    fmt::print("[{:>14} us] {}\n", micros, text);
  }
  base::TimePoint machine_now() const { return const_cast<Machine&>(machine_).time().now(); }

  const uint64_t seed_, ops_;
  const bool verbose_;
  const Scenario scenario_;
  const Catalog catalog_;
  base::Random random_;
  Machine machine_;
  ExpectedState expected_;
  PowerLedger ledger_;
  Workload workload_;
  const bool complete_;
  bool power_just_cut_ = false;
  Findings findings_;
  std::unique_ptr<Client> client_;
};

}  // namespace

SeedOutcome simulate(uint64_t seed, uint64_t ops, bool verbose) {
  return Simulation(seed, ops, verbose).run();
}

Findings run_simulation(const RowOptions& options) {
  const uint64_t ops = options.ops.value_or(kOps);
  WorkerOptions workers;
  workers.first = options.seed;
  workers.count = count_of(options, kFullSeeds);
  workers.processes = options.verbose ? 1 : options.processes;
  workers.start_limit = options.limit;
  workers.replay = [ops](uint64_t seed) { return replay(seed, ops); };
  workers.progress = progress_of(options, 1);
  return run_jobs(workers, [&](uint64_t seed) {
    SeedOutcome outcome = simulate(seed, ops, options.verbose);
    if (seed % kReplayEvery != 0) return std::move(outcome.findings);
    outcome.findings.count("replayed");
    if (simulate(seed, ops, false).trace_hash != outcome.trace_hash) {
      outcome.findings.fail(
          fmt::format("seed {}: run twice, two traces; replay: {}", seed, replay(seed, ops)));
    }
    return std::move(outcome.findings);
  });
}

}  // namespace terrace::lab
