// Row 2 with a server: it is killed, its clients see misses, find the next one by themselves, and go on. What
// they hold of the dead one stays as it is.
#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/rows/crash_check.h"
#include "lab/rows/server_process.h"

namespace terrace::lab {
namespace {

constexpr std::chrono::milliseconds kKillEarliest{20}, kKillLatest{400};
constexpr std::chrono::milliseconds kAlone{5};  // clients go on without a server for so long
constexpr std::chrono::seconds kReconnectLimit{20};

CrashScene scene_of(uint64_t seed, const std::string& directory) {
  CrashScene scene = crash_scene({.directory = directory, .seed = seed, .cycle = seed});
  scene.options.l1.budget *= 2;  // each client fills segments of its own
  // One policy for all cycles: not the one that leaves nothing to look for.
  if (scene.options.tiers[0].store_policy == "none") scene.options.tiers[0].store_policy = "write_through";
  return scene;
}

class ServedClient {
 public:
  ServedClient(std::unique_ptr<Store> store, const CrashScene& scene, ExpectedState& expected, uint64_t seed,
               uint32_t number, bool verbose)
      : store_(std::move(store)),
        client_(*store_, scene.catalog, expected, clock_, findings_,
                {.number = number,
                 .alone = false,
                 .pristine = false,
                 .complete = scene.complete,
                 .mode = scene.options.l1.mode,
                 .served = true,
                 .server_ends = true,
                 .verbose = verbose,
                 .context = fmt::format("seed {} client {} ", seed, number)}),
        workload_(scene.catalog,
                  {.seed = seed * 1'000'003 + number, .owner = number, .owners = kCrashClients}) {
    for (uint32_t space = 0; space < scene.catalog.spaces(); space++) {
      if (!store_->open_namespace(scene.catalog.space(space))) findings_.fail("open_namespace");
    }
  }

  void work(const std::atomic<bool>& pause) {
    while (!pause && findings_.clean()) {
      const Operation operation = workload_.next();
      client_.run(operation);
      client_.poll();
      if (operation.kind == OpKind::kPause)
        std::this_thread::sleep_for(std::chrono::microseconds(operation.pick % 500));
    }
    // Whatever the server owed is answered, by its end.
    const auto until = base::after(clock_.now(), kReadTimeout);
    while (client_.owed() > 0 && clock_.now() < until) client_.poll();
    if (client_.owed() > 0) findings_.fail(fmt::format("{} operations outlive their server", client_.owed()));
  }

  // By itself, in calls.
  void reconnect(const Key& any) {
    const auto begun = clock_.now();
    for (;;) {
      const auto found = store_->lookup(std::span(&any, 1));
      if (found && (found->found == 1 || found->reasons[0] != MissReason::kTierUnavailable)) break;
      if (clock_.now() - begun > kReconnectLimit) return findings_.fail("the client does not connect again");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - begun);
    findings_.count("max_reconnect_ms", static_cast<uint64_t>(took.count()));
  }

  // Its last words.
  void leave() { client_.release_all(); }
  uint64_t operations() const { return client_.operations(); }
  Findings& findings() { return findings_; }

 private:
  const base::SteadyClock clock_;
  Findings findings_;
  const std::unique_ptr<Store> store_;
  Client client_;
  Workload workload_;
};

class ServedCycles {
 public:
  ServedCycles(const RowOptions& options, uint64_t seed, uint64_t count)
      : options_(options),
        seed_(seed),
        count_(count),
        random_(seed),
        directory_(options, seed),
        scene_(scene_of(seed, directory_.path())),
        expected_(scene_.catalog.size()),
        server_(options.program, {.scene = "crash", .directory = directory_.path(), .seed = seed}) {}

  Findings run() {
    for (const char* figure : {"cycles", "ops", "served_cycles"}) findings_.count(figure, 0);
    if (server_.start(findings_)) live();
    directory_.end(findings_,
                   fmt::format("terrace-lab run --row 2 --seed {} --count {} --processes 1", seed_, count_));
    return std::move(findings_);
  }

 private:
  void live() {
    for (uint32_t number = 0; number < kCrashClients; number++) {
      auto store = server_.connect(fmt::format("client {}", number), findings_);
      if (store == nullptr) return;
      clients_.push_back(std::make_unique<ServedClient>(std::move(store), scene_, expected_, seed_, number,
                                                        options_.verbose));
    }
    for (uint64_t cycle = 0; cycle < count_ && findings_.clean(); cycle++) {
      work_and_kill();
      start_again(cycle);
      collect();
    }
    for (const auto& client : clients_) {
      client->leave();
      findings_.count("ops", client->operations());
    }
    collect();
    clients_.clear();
    if (server_.runs()) server_.stop(findings_);
  }

  void work_and_kill() {
    const auto spread = static_cast<uint64_t>((kKillLatest - kKillEarliest).count()) + 1;
    const auto time = kKillEarliest + std::chrono::milliseconds(random_.below(spread));
    std::atomic<bool> pause{false};
    std::vector<std::jthread> threads;
    for (const auto& client : clients_) threads.emplace_back([&] { client->work(pause); });
    std::this_thread::sleep_for(time);
    if (!server_.runs()) findings_.fail("the server ended before its kill");
    server_.kill();
    std::this_thread::sleep_for(kAlone);
    pause = true;
    threads.clear();
    findings_.count("cycles");
    findings_.count("served_cycles");
  }

  // Nobody else asks anything until all was looked at.
  void start_again(uint64_t cycle) {
    const base::SteadyClock clock;
    const auto begun = clock.now();
    if (!server_.start(findings_)) return;
    const auto store = server_.connect("checker", findings_);
    if (store == nullptr) return;
    const bool recovered = store->wait_recovered(kReadTimeout);
    const auto ms = static_cast<uint64_t>((clock.now() - begun).count() / 1'000'000);
    findings_.count("max_served_recovery_ms", ms);
    if (!recovered || ms > kRecoveryMsMax)
      findings_.fail(fmt::format("seed {} cycle {}: start and recovery took {} ms", seed_, cycle, ms));
    Findings seen;
    Client checker(*store, scene_.catalog, expected_, clock, seen,
                   {.pristine = false,
                    .complete = scene_.complete,
                    .mode = scene_.options.l1.mode,
                    .served = true,
                    .verbose = options_.verbose,
                    .context = fmt::format("seed {} cycle {} after the kill, ", seed_, cycle)});
    check_all(checker, scene_, expected_, cycle, seen);
    check_disk(scene_, store->stats().tiers[1], seen);
    findings_.add(seen);
    for (const auto& client : clients_) client->reconnect(scene_.catalog[0].key);
  }

  void collect() {
    for (const auto& client : clients_) {
      std::erase_if(client->findings().counts,
                    [](const auto& figure) { return figure.first != "max_reconnect_ms"; });
      findings_.add(std::exchange(client->findings(), {}));
    }
  }

  const RowOptions& options_;
  const uint64_t seed_, count_;
  base::Random random_;
  const CrashDirectory directory_;
  const CrashScene scene_;
  ExpectedState expected_;
  ServerProcess server_;
  std::vector<std::unique_ptr<ServedClient>> clients_;
  Findings findings_;
};

}  // namespace

StoreOptions served_crash_store(uint64_t seed, const std::string& directory) {
  return scene_of(seed, directory).options;
}

Findings served_crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count) {
  return ServedCycles(options, seed, count).run();
}

}  // namespace terrace::lab
