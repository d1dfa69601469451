#include "lab/rows/histories.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <new>
#include <numeric>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "lab/rows/history_client.h"
#include "lab/rows/server_process.h"
#include "policy/store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullOperations = 10'000'000;
constexpr uint64_t kOperationsPerStore = 500'000;
constexpr uint32_t kClients = 4;
constexpr uint64_t kServedEvery = 5, kServedFirst = 2;  // seeds whose clients are processes
constexpr std::chrono::minutes kLimit{5};
constexpr uint64_t kL1Budget = 4 * base::kMiB;  // the least there is
constexpr uint64_t kL1Shares = 6;               // each client of a server fills segments of its own
constexpr uint64_t kTierCapacity = 64 * base::kMiB;
// The hot keys take half a megabyte. L1, and at times the tier, begin to evict below that.
constexpr double kL1Low = 0.04, kL1High = 0.06, kTierLow = 0.003, kTierHigh = 0.005;

TierOptions tier_options(bool disk, const std::string& directory, base::Random& random) {
  TierOptions tier;
  tier.kind = disk ? TierOptions::Kind::kDisk : TierOptions::Kind::kMock;
  tier.name = disk ? "disk" : "mock";
  tier.mock.capacity = kTierCapacity;
  tier.disk.paths = {directory + "/store"};
  tier.disk.capacity = kTierCapacity;
  if (random.one_in(3)) {
    tier.low_watermark = kTierLow;
    tier.high_watermark = kTierHigh;
  }
  return tier;
}

bool is_served(uint64_t seed) {
  return seed % kServedEvery == kServedFirst;
}

bool works_without_l1(const StoreOptions& options) {
  return std::ranges::all_of(options.tiers, [](const TierOptions& tier) {
    return policy::stores_without_l1(**policy::make_store_policy(tier.store_policy));
  });
}

// Counters in memory that this process and its forks share.
class SharedCounters {
 public:
  SharedCounters()
      : memory_(
            ::mmap(nullptr, sizeof(HotCounters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    TERRACE_ASSERT(memory_ != MAP_FAILED);
    counters_ = new (memory_) HotCounters;
  }
  ~SharedCounters() { ::munmap(memory_, sizeof(HotCounters)); }
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  HotCounters& operator*() const { return *counters_; }

 private:
  void* memory_;
  HotCounters* counters_ = nullptr;
};

class Histories {
 public:
  Histories(const RowOptions& row, uint64_t seed, uint64_t operations)
      : row_(row), seed_(seed), operations_(operations) {
    const auto base =
        row.directory.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(row.directory);
    directory_ = base / fmt::format("terrace-lab.history.{}.{}", ::getpid(), seed);
    std::filesystem::create_directories(directory_);
  }
  ~Histories() { std::filesystem::remove_all(directory_); }

  Findings run() {
    for (const char* figure : {"ops", "hits", "unexplained"}) findings_.count(figure, 0);
    is_served(seed_) ? share_by_server() : share_by_threads();
    for (auto& failure : findings_.failures) {
      failure += fmt::format(
          "; again (threads: not the same run): terrace-lab run --row 16 --seed {} "
          "--count {} --processes 1",
          seed_, operations_);
    }
    return std::move(findings_);
  }

 private:
  void share_by_threads() {
    const StoreOptions options = history_store(seed_, directory_);
    auto store = Store::open(options);
    if (!store) return findings_.fail("cannot open: " + store.error().message);
    work(**store, options);
    check_stats((*store)->stats());
    if ((*store)->close(std::chrono::seconds(10)).value_or(1) != 0) findings_.fail("close abandoned work");
  }

  void work(Store& store, const StoreOptions& options) {
    HotCounters counters;
    HotStore shared(store, counters, seed_);
    shared.switches = works_without_l1(options);
    for (const TierOptions& tier : options.tiers) shared.tiers.push_back(tier.name);
    open_namespaces(store, findings_);
    std::vector<std::unique_ptr<HistoryClient>> clients;
    for (uint32_t i = 0; i < kClients; i++) {
      clients.push_back(std::make_unique<HistoryClient>(shared, seed_ * kClients + i));
    }
    {
      std::vector<std::jthread> threads;
      for (auto& client : clients) {
        threads.emplace_back([this, &client] { client->run(operations_ / kClients); });
      }
    }
    for (auto& client : clients) client->let_go();
    std::vector<HistoryRecord> records;
    for (const auto& client : clients) records.push_back(client->record());
    explain(records);
    for (auto& client : clients) findings_.add(client->findings());
  }

  void share_by_server() {
    ServerProcess server(row_.program, {.scene = "histories", .directory = directory_, .seed = seed_});
    if (!server.start(findings_)) return;
    const SharedCounters counters;
    WorkerOptions clients;
    clients.count = clients.processes = kClients;
    clients.job_limit = kLimit;
    findings_.add(
        run_jobs(clients, [&](uint64_t number) { return client_process(server, *counters, number); }));
    std::vector<HistoryRecord> records;
    for (uint32_t number = 0; number < kClients; number++)
      records.push_back(load_history(record_path(number)));
    explain(records);
    auto observer = server.connect("lab, to look at it", findings_);
    if (observer == nullptr) return;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    // The server learns of its clients' end a moment later.
    while (observer->stats().leased_blocks > 0 && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    check_stats(observer->stats());
    observer.reset();
    server.stop(findings_);
  }

  Findings client_process(const ServerProcess& server, HotCounters& counters, uint64_t number) const {
    Findings findings;
    const auto store = server.connect(fmt::format("history client {}", number), findings);
    if (store == nullptr) return findings;
    HotStore shared(*store, counters, seed_);
    shared.served = true;
    open_namespaces(*store, findings);
    HistoryClient client(shared, seed_ * kClients + number);
    client.run(operations_ / kClients);
    client.let_go();
    save(client.record(), record_path(number));
    findings.add(client.findings());
    findings.count("served_ops", findings.counted("ops"));
    return findings;
  }

  std::string record_path(uint64_t client) const { return fmt::format("{}/record.{}", directory_, client); }

  static void open_namespaces(Store& store, Findings& findings) {
    for (uint32_t space = 0; space < HotKeys::spaces(); space++) {
      if (!store.open_namespace(HotKeys::space(space))) findings.fail("open_namespace");
    }
  }

  void explain(const std::vector<HistoryRecord>& records) {
    HistoryChecker checker(HotKeys::kKeys);
    for (const HistoryRecord& record : records) {
      for (const auto& write : record.writes) checker.wrote(write.key, write.writer, write.when);
      for (const auto& removal : record.removals) checker.removed(removal.key, removal.when);
    }
    for (const HistoryRecord& record : records) {
      for (const Sighting& sighting : record.sightings) {
        const auto why_not = checker.contradiction(sighting);
        if (!why_not) continue;
        findings_.count("unexplained");
        findings_.fail_wrong("unexplained: " + *why_not);
      }
    }
  }

  // Nobody holds anything any more, and every miss has its reason (P17).
  void check_stats(const StoreStats& stats) {
    const uint64_t misses = std::accumulate(std::begin(stats.misses), std::end(stats.misses), uint64_t{0});
    if (misses != stats.keys_asked - stats.keys_delivered) {
      findings_.fail(
          fmt::format("{} reasons for {} misses", misses, stats.keys_asked - stats.keys_delivered));
    }
    if (stats.leased_blocks + stats.reservations + stats.reserved_bytes > 0) {
      findings_.fail(
          fmt::format("leaked: {} leases, {} reservations", stats.leased_blocks, stats.reservations));
    }
    for (const TierStats& tier : stats.tiers) {
      findings_.count("evictions", tier.evictions);
      findings_.count("loads", tier.loads);
      if (tier.verification_failures > 0) findings_.fail(tier.name + ": a sound block failed verification");
    }
  }

  const RowOptions& row_;
  const uint64_t seed_, operations_;
  std::string directory_;
  Findings findings_;
};

}  // namespace

// Tiers and store policies in turn, the rest drawn.
StoreOptions history_store(uint64_t seed, const std::string& directory) {
  base::Random random(seed);
  StoreOptions options;
  const uint64_t shares = is_served(seed) ? kL1Shares : 1;
  options.l1.budget = shares * kL1Budget;
  options.l1.low_watermark = kL1Low / static_cast<double>(shares);
  options.l1.high_watermark = kL1High / static_cast<double>(shares);
  options.l1.verify = VerifyL1::kSampled;
  constexpr std::array<std::array<int, 2>, 4> kTiers{{{1, -1}, {0, 1}, {1, 0}, {0, -1}}};  // 1 is a disk
  for (const int kind : kTiers[seed % kTiers.size()]) {
    if (kind >= 0) options.tiers.push_back(tier_options(kind == 1, directory, random));
  }
  const auto policies = policy::store_policy_names();
  options.tiers[0].store_policy = policies[seed / kTiers.size() % policies.size()];
  constexpr std::array kWriteBacks{WriteBack::kAlways, WriteBack::kAlways, WriteBack::kNever,
                                   WriteBack::kSecondTouch};
  options.write_back = kWriteBacks[random.below(kWriteBacks.size())];
  options.region_loads = random.one_in(2) ? RegionLoads::kDirect : RegionLoads::kBounced;
  options.prefetch_policy = random.one_in(2) ? PrefetchPolicy::kRetain : PrefetchPolicy::kTemporary;
  return options;
}

Findings concurrent_histories(const RowOptions& options, uint64_t seed, uint64_t operations) {
  return Histories(options, seed, operations).run();
}

Findings run_histories(const RowOptions& options) {
  const uint64_t operations = count_of(options, kFullOperations);
  WorkerOptions workers = workers_of(options, 16);
  workers.count = (operations + kOperationsPerStore - 1) / kOperationsPerStore;
  workers.job_limit = 2 * kLimit;
  const auto of = [&](uint64_t seed) {
    return std::min(kOperationsPerStore, operations - (seed - options.seed) * kOperationsPerStore);
  };
  workers.replay = [&](uint64_t seed) {
    return fmt::format("terrace-lab run --row 16 --seed {} --count {} --processes 1", seed, of(seed));
  };
  return run_jobs(workers, [&](uint64_t seed) { return concurrent_histories(options, seed, of(seed)); });
}

}  // namespace terrace::lab
