#include "lab/rows/simulation.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/client.h"
#include "lab/rows/power_ledger.h"
#include "lab/rows/scenario.h"
#include "lab/rows/simulated_clients.h"
#include "lab/rows/store_checks.h"
#include "lab/rows/tenant_quotas.h"

namespace terrace::lab {
namespace {

constexpr Timeout kRecoveryTimeout = std::chrono::seconds(60);
constexpr Timeout kReadTimeout = std::chrono::seconds(30);
constexpr Timeout kDrainTimeout = std::chrono::seconds(60);
constexpr base::Duration kPatience = std::chrono::seconds(120);
constexpr int kSlowestChain = 32;  // operations of a slow tier one after the other

class Simulation {
 public:
  Simulation(const SimulationPlan& plan, bool verbose)
      : plan_(plan),
        seed_(plan.seed),
        ops_(plan.ops),
        verbose_(verbose),
        scenario_(plan.scenario),
        catalog_(scenario_.catalog),
        random_(seed_ ^ 0x51A1),
        machine_(scenario_.machine),
        expected_(catalog_.size()),
        ledger_(catalog_.size(), machine_.time()),
        patience_(
            scenario_.machine.mock
                ? std::max<base::Duration>(kPatience, kSlowestChain * scenario_.machine.mock->tier.latency)
                : kPatience),
        capacity_(scenario_.machine.disk.capacity_bytes),
        complete_(scenario_.roomy && scenario_.reliable() && !scenario_.quotas),
        clients_(shared_by_clients(), seed_) {
    for (uint32_t number = 0; number < scenario_.clients; number++) {
      workloads_.emplace_back(catalog_, WorkloadOptions{.seed = seed_ + number * 1'000'003ull,
                                                        .owner = number,
                                                        .owners = scenario_.clients,
                                                        .removes = scenario_.removes});
    }
  }

  SeedOutcome run() {
    if (verbose_) fmt::print("seed {}: {}\n", seed_, describe(scenario_));
    for (const char* figure : {"seeds", "ops", "stuck", "leaks"}) findings_.count(figure, 0);
    findings_.count("seeds");
    for (uint32_t life = 0; life < scenario_.lives; life++) {
      const uint64_t share = ops_ / scenario_.lives + (life == 0 ? ops_ % scenario_.lives : 0);
      if (!open()) break;
      live(plan_.phase ? share / 2 : share);
      if (plan_.phase) {
        run_phase();
        live(share - share / 2);
      }
      end_life(life + 1 == scenario_.lives);
    }
    machine_.time().trace(machine_.disk().hash());
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

  // D2. A roomy disk stays so: nothing of it may be lost.
  void resize() {
    const auto& disk = scenario_.machine.disk;
    const uint64_t least = disk.paths.size() * 3 * disk.segment_bytes;
    if (!scenario_.roomy) capacity_ = std::max(least, disk.capacity_bytes * (1 + random_.below(8)) / 4);
    const uint64_t l1 = draw_l1_budget(scenario_.catalog, random_) * (scenario_.served ? kServedL1 : 1);
    machine_.resize(capacity_, l1);
    findings_.count("resizes");
    say(fmt::format("disk {}, L1 {}", base::format_size(capacity_), base::format_size(l1)));
  }

  // A store on what the disk holds, its client, and, when recovery ended, a check of everything.
  bool open() {
    in_life_ = false;
    if (scenario_.resizes && findings_.counted("lives") > 0) resize();
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
    for (uint32_t i = 0; scenario_.quotas && i < catalog_.spaces(); i++) change_a_quota();
    clients_.begin_life();
    // Lookups are answered while recovery runs; nothing is owed yet.
    for (const auto& client : clients_) client->set_complete(false);
    if (!pristine()) set_killed();
    const bool untouched = random_.one_in(2);
    if (!untouched) work_while_recovering();
    if (!clients_.wait_recovered(kRecoveryTimeout)) fail("recovery did not end");
    for (const auto& client : clients_) client->set_complete(complete_);
    // What a power cut left is strictly owed only before anything stored since then was said to be there
    // already.
    if (findings_.counted("power_cuts") > 0 && !(power_just_cut_ && untouched)) power_was_cut();
    check_all(complete_ && untouched && machine_.tiers() == 1);
    power_just_cut_ = false;
    if (findings_.counted("power_cuts") > 0) power_was_cut();
    set_weather(!scenario_.reliable());
    in_life_ = true;
    return true;
  }

  void work_while_recovering() {
    std::vector<Writer> begun(catalog_.size());
    for (uint32_t block = 0; block < catalog_.size(); block++) begun[block] = expected_.of(block).begun;
    work(random_.below(100), true);
    for (uint32_t block = 0; block < catalog_.size(); block++) {
      if (expected_.of(block).begun == begun[block]) continue;
      ledger_.written_anew(block);
      // After a power cut an old entry may be back over a slot that was written anew; a store that takes it
      // for the block acknowledges at once, and finds the damage when it reads.
      if (power_just_cut_) expected_.forgive(block, expected_.of(block).removed);
    }
  }

  bool pristine() const {
    return !scenario_.lies && findings_.counted("kills") + findings_.counted("power_cuts") == 0;
  }
  void set_killed() {
    for (const auto& client : clients_) client->set_killed();
  }
  void power_was_cut() {
    for (const auto& client : clients_) client->set_power_was_cut();
  }

  SharedByClients shared_by_clients() {
    ClientHooks hooks;
    hooks.observe = [this](uint64_t value) { machine_.time().trace(value); };
    hooks.durable = [this](uint32_t block, Writer) { ledger_.durable(block); };
    hooks.removed = [this](uint32_t block, Writer before) { ledger_.removed(block, before); };
    hooks.removal_failed = [this](uint32_t block) { ledger_.removal_failed(block); };
    hooks.synced = [this] { ledger_.synced(); };
    return {.scenario = scenario_,
            .catalog = catalog_,
            .machine = machine_,
            .expected = expected_,
            .findings = findings_,
            .options = [this] { return client_options(); },
            .hooks = std::move(hooks),
            .fail = [this](const std::string& what) { fail(what); }};
  }

  ClientOptions client_options() const {
    ClientOptions how;
    how.tiers = machine_.tiers();
    how.durable_tier = machine_.disk_tier();
    how.reliable = scenario_.reliable();
    how.pristine = pristine();
    how.power_was_cut = in_life_ && findings_.counted("power_cuts") > 0;
    how.complete = complete_;
    how.slack = std::chrono::microseconds(1);
    // On the wire a deadline is in whole milliseconds.
    if (scenario_.served) how.slack += std::chrono::milliseconds(1);
    // A connection's end comes when nothing touches the client's memory any more; it waits for its answers
    // so long, and at most as long as its patience.
    if (scenario_.drops) how.slack += kServedPatience;
    how.instant = !scenario_.drops;
    how.served = scenario_.served;
    how.alone = !scenario_.served;  // the store goes on while a client asks
    how.server_ends = scenario_.drops;
    how.patience = patience_;
    how.verbose = verbose_;
    how.context = fmt::format("seed {} life {} ", seed_, findings_.counted("lives"));
    return how;
  }

  // After a restart: each block alone. With `settle` what is found now stays, and what is gone stays gone:
  // devices do not err nor evict, and no writer of this life stands beside an older one that recovery found.
  void check_all(bool settle) {
    for (uint32_t block = 0; block < catalog_.size(); block++) {
      const bool owed = complete_ && expected_.of(block).must_be_found();
      const auto found = clients_[0].check_block(block, kReadTimeout);
      if (owed) findings_.count("owed");
      if (settle && found) expected_.settle(block, *found);
      if (settle && found && *found != 0) ledger_.durable(block);
    }
    poll();
  }

  void poll() { clients_.poll(); }

  void live(uint64_t count) {
    while (count > 0) {
      const uint64_t stretch = std::min<uint64_t>(count, 1 + random_.below(600));
      const bool fair = scenario_.fair_one_in > 0 && random_.one_in(scenario_.fair_one_in);
      set_weather(!scenario_.reliable() && !fair);
      work(stretch, false);
      count -= stretch;
    }
  }

  void run_phase() {
    Stage stage{.scenario = scenario_,
                .catalog = catalog_,
                .machine = machine_,
                .client = clients_[0],
                .findings = findings_,
                .set_weather = [this](bool bad) { set_weather(bad); },
                .work = [this](uint64_t count) { work(count, false); },
                .fail = [this](const std::string& what) { fail(what); }};
    plan_.phase(stage);
  }

  void work(uint64_t count, bool recovering) {
    clients_.let_connections_end(true);
    for (uint64_t i = 0; i < count; i++) {
      const size_t turn = random_.below(clients_.size());
      const Operation operation = workloads_[turn].next();
      clients_[turn].run(operation);
      findings_.count("ops");
      disturb();
      pass_time(operation);
      poll();
      check_walls();
      if (!recovering && i % 64 == 0) check_stats();
    }
    clients_.let_connections_end(false);
  }

  void pass_time(const Operation& operation) {
    auto& time = machine_.time();
    if (operation.kind == OpKind::kPause) {
      const uint64_t longest = operation.pick % 64 == 0 ? 3'000'000 : 20'000;
      time.run_for(std::chrono::microseconds(operation.pick % longest));
    } else if (operation.pick % 5 == 0) {
      // The next operation comes before anything that this one set going.
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
    if (scenario_.quotas && random_.one_in(100)) change_a_quota();
    clients_.disturb(random_);
  }

  void change_a_quota() {
    findings_.count("quotas");
    say(set_a_quota(machine_.store(), catalog_, random_));
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
    if (scenario_.faults.chance[io::FaultKind::kMisdirectedWrite] > 0 || surplus_may_stay()) return;
    const uint64_t used = machine_.disk().used_bytes();
    if (used > capacity_) fail(fmt::format("the disk holds {} bytes of {}", used, capacity_));
  }

  // What no longer fits goes at the start, unless the device does not let it go.
  bool surplus_may_stay() const { return scenario_.resizes && !scenario_.roomy && !scenario_.reliable(); }

  void check_stats() {
    const StoreStats stats = machine_.store().stats();
    const uint64_t most = scenario_.machine.store.store_bytes_in_flight;
    for (const std::string& wrong : check_sums(stats, most, surplus_may_stay())) fail(wrong);
    const TierStats& disk = stats.tiers[machine_.disk_tier()];
    if (complete_ && disk.evictions + disk.evicted_segments > 0) fail("a roomy disk tier evicted");
    if (scenario_.quotas) check_shares();
  }

  void end_life(bool last) {
    const uint64_t kind = last ? 0 : random_.below(4);
    if (kind == 0 && !last && clients_.outlive_server() && random_.one_in(2))
      stop_under_load();
    else if (kind == 0)
      close_in_order();
    else if (kind == 3)
      cut_power();
    else
      kill();
    machine_.time().run_for(std::chrono::seconds(20));
    poll();
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
    for (const auto& client : clients_) client->release_all();
    wait_for_what_is_owed(!clients_.outlive_server());
    clients_.renew();
    drain();
    prefetch_once_more();
    check_leaks();
    clients_.leave();
    stop();
    say("closed");
  }

  // SIGTERM while its clients work: they go on with the next one.
  void stop_under_load() {
    findings_.count("stops_under_load");
    set_weather(false);
    poll();
    stop();
    say("stopped under load");
  }

  void stop() {
    clients_.end_server();
    const uint64_t abandoned = machine_.stop(kDrainTimeout);
    if (abandoned != 0) fail(fmt::format("close abandoned {}", abandoned));
    clients_.release_server();
    ledger_.synced();
    ledger_.end_life(scenario_.machine.disk.sync_interval, true);
  }

  // With `all`, also for writes nobody asked to be told of, and loads that were left to end by themselves.
  void wait_for_what_is_owed(bool all) {
    const base::TimePoint until = machine_.time().now() + patience_ + std::chrono::seconds(10);
    while ((clients_.owed() > 0 || (all && held(machine_.store().stats()) > 0)) &&
           machine_.time().now() < until) {
      machine_.time().run_for(std::chrono::milliseconds(10));
      poll();
    }
    if (clients_.owed() > 0) fail(fmt::format("{} operations never ended", clients_.owed()));
  }

  void drain() {
    wait_for_what_is_owed(true);
    machine_.time().run_for(std::chrono::seconds(1));
    poll();
  }

  // Nothing is held and nothing runs: there is credit for all, and each prefetch ends (R7).
  void prefetch_once_more() {
    for (int i = 0; i < 3; i++) {
      const auto chain = static_cast<uint32_t>(random_.below(catalog_.chains()));
      const auto blocks = static_cast<uint32_t>(catalog_.chain(chain).size());
      clients_[0].run({.kind = OpKind::kPrefetch, .chain = chain, .count = blocks});
    }
    machine_.time().run_for(patience_ + std::chrono::seconds(1));
    poll();
    for (const auto& client : clients_) client->release_all();
    drain();
  }

  // Everything was released and has ended: nothing is held any more.
  void check_leaks() {
    check_stats();
    const StoreStats stats = machine_.store().stats();
    check_keys_asked(stats);
    if (const auto wrong = check_slots(machine_.store(), machine_.disk_tier())) leaked(*wrong);
    if (const auto wrong = check_nothing_is_held(stats)) leaked(*wrong);
    check_shares();
    for (const std::string& wrong : check_quotas(machine_.store(), scenario_.evicting_tiers())) leaked(wrong);
    // Nothing is leased: L1 can be emptied.
    if (stats.tiers[0].used_bytes == 0 || !scenario_.writes_without_l1()) return;
    const auto left = machine_.store().set_l1_mode(L1Mode::kStaging);
    if (left.value_or(1) != 0) leaked(fmt::format("{} bytes that L1 cannot give back", left.value_or(0)));
  }

  void check_shares() {
    for (const std::string& wrong : check_tenants(machine_.store())) fail(wrong);
  }

  void leaked(const std::string& what) {
    findings_.count("leaks");
    fail("after everything was released: " + what);
  }

  // X1: no key asked for is forgotten. Rows with a phase ask by themselves, too.
  void check_keys_asked(const StoreStats& stats) {
    const uint64_t asked = clients_.keys_asked();
    // A server does not count what it was never asked.
    if (!plan_.phase && !clients_.served() && stats.keys_asked != asked)
      fail(fmt::format("{} keys were asked for, {} counted", asked, stats.keys_asked));
  }

  void kill() {
    findings_.count("kills");
    say("kill -9");
    poll();
    ledger_.end_life(scenario_.machine.disk.sync_interval, scenario_.reliable());
    machine_.kill();
    bury();
  }

  void cut_power() {
    findings_.count("power_cuts");
    say("power cut");
    poll();
    ledger_.end_life(scenario_.machine.disk.sync_interval, scenario_.reliable());
    machine_.cut_power(random_);
    power_just_cut_ = true;
    ledger_.forgive(expected_);
    bury();
  }

  // The process is dead: nothing it still does reaches the disk, and nobody hears what it says.
  void bury() {
    set_weather(false);
    clients_.store_was_killed();
    machine_.bury();
    clients_.release_server();
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

  const SimulationPlan& plan_;
  const uint64_t seed_, ops_;
  const bool verbose_;
  const Scenario& scenario_;
  const Catalog catalog_;
  base::Random random_;
  Machine machine_;
  ExpectedState expected_;
  PowerLedger ledger_;
  const base::Duration patience_;    // before an operation counts as stuck
  uint64_t capacity_;                // of the disk tier, in this life
  std::vector<Workload> workloads_;  // of each client, over all lives
  const bool complete_;
  bool power_just_cut_ = false;
  bool in_life_ = false;  // everything owed by earlier lives was looked at
  Findings findings_;
  SimulatedClients clients_;
};

}  // namespace

SeedOutcome simulate(const SimulationPlan& plan, bool verbose) {
  return Simulation(plan, verbose).run();
}

}  // namespace terrace::lab
