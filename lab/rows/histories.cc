#include "lab/rows/histories.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/rows/history_client.h"
#include "policy/store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullOperations = 10'000'000;
constexpr uint64_t kOperationsPerStore = 500'000;
constexpr uint32_t kThreads = 4;
constexpr uint64_t kL1Budget = 4 * base::kMiB;  // the least there is
constexpr uint64_t kTierCapacity = 64 * base::kMiB;
// The hot keys take half a megabyte. L1, and at times the tier, begin to evict below that.
constexpr double kL1Low = 0.04, kL1High = 0.06, kTierLow = 0.003, kTierHigh = 0.005;

TierOptions tier_options(bool disk, const std::string& directory, base::Random& random) {
  TierOptions tier;
  tier.kind = disk ? TierOptions::Kind::kDisk : TierOptions::Kind::kMock;
  tier.name = disk ? "disk" : "mock";
  tier.mock.capacity = kTierCapacity;
  tier.disk.paths = {directory};
  tier.disk.capacity = kTierCapacity;
  if (random.one_in(3)) {
    tier.low_watermark = kTierLow;
    tier.high_watermark = kTierHigh;
  }
  return tier;
}

// What a store of this seed is like: tiers and store policies in turn, the rest drawn.
StoreOptions store_options(uint64_t seed, const std::string& directory) {
  base::Random random(seed);
  StoreOptions options;
  options.l1.budget = kL1Budget;
  options.l1.low_watermark = kL1Low;
  options.l1.high_watermark = kL1High;
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

bool works_without_l1(const StoreOptions& options) {
  return std::ranges::all_of(options.tiers, [](const TierOptions& tier) {
    return policy::stores_without_l1(**policy::make_store_policy(tier.store_policy));
  });
}

class Histories {
 public:
  Histories(const RowOptions& row, uint64_t seed, uint64_t operations)
      : seed_(seed), operations_(operations) {
    const auto base =
        row.directory.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(row.directory);
    directory_ = base / fmt::format("terrace-lab.history.{}.{}", ::getpid(), seed);
    std::filesystem::create_directories(directory_);
  }
  ~Histories() { std::filesystem::remove_all(directory_); }

  Findings run() {
    for (const char* figure : {"ops", "hits", "unexplained"}) findings_.count(figure, 0);
    const StoreOptions options = store_options(seed_, directory_ / "store");
    auto store = Store::open(options);
    if (!store) {
      findings_.fail("cannot open: " + store.error().message);
    } else {
      work(**store, options);
      check_stats((*store)->stats());
      if ((*store)->close(std::chrono::seconds(10)).value_or(1) != 0) findings_.fail("close abandoned work");
    }
    for (auto& failure : findings_.failures) {
      failure += fmt::format(
          "; again (threads: not the same run): terrace-lab run --row 16 --seed {} "
          "--count {} --processes 1",
          seed_, operations_);
    }
    return std::move(findings_);
  }

 private:
  void work(Store& store, const StoreOptions& options) {
    HotStore shared(store, seed_);
    shared.switches = works_without_l1(options);
    for (const TierOptions& tier : options.tiers) shared.tiers.push_back(tier.name);
    for (uint32_t space = 0; space < HotKeys::spaces(); space++) {
      if (!store.open_namespace(HotKeys::space(space))) findings_.fail("open_namespace");
    }
    std::vector<std::unique_ptr<HistoryClient>> clients;
    for (uint32_t i = 0; i < kThreads; i++) {
      clients.push_back(std::make_unique<HistoryClient>(shared, seed_ * kThreads + i));
    }
    {
      std::vector<std::jthread> threads;
      for (auto& client : clients) {
        threads.emplace_back([this, &client] { client->run(operations_ / kThreads); });
      }
    }
    for (auto& client : clients) client->let_go();
    explain(clients);
    for (auto& client : clients) findings_.add(client->findings());
  }

  void explain(const std::vector<std::unique_ptr<HistoryClient>>& clients) {
    HistoryChecker checker(HotKeys::kKeys);
    for (const auto& client : clients) {
      for (const auto& write : client->record().writes) checker.wrote(write.key, write.writer, write.when);
      for (const auto& removal : client->record().removals) checker.removed(removal.key, removal.when);
    }
    for (const auto& client : clients) {
      for (const Sighting& sighting : client->record().sightings) {
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

  const uint64_t seed_, operations_;
  std::filesystem::path directory_;
  Findings findings_;
};

}  // namespace

Findings concurrent_histories(const RowOptions& options, uint64_t seed, uint64_t operations) {
  return Histories(options, seed, operations).run();
}

Findings run_histories(const RowOptions& options) {
  const uint64_t operations = count_of(options, kFullOperations);
  WorkerOptions workers = workers_of(options, 16);
  workers.count = (operations + kOperationsPerStore - 1) / kOperationsPerStore;
  workers.job_limit = std::chrono::minutes(5);
  const auto of = [&](uint64_t seed) {
    return std::min(kOperationsPerStore, operations - (seed - options.seed) * kOperationsPerStore);
  };
  workers.replay = [&](uint64_t seed) {
    return fmt::format("terrace-lab run --row 16 --seed {} --count {} --processes 1", seed, of(seed));
  };
  return run_jobs(workers, [&](uint64_t seed) { return concurrent_histories(options, seed, of(seed)); });
}

}  // namespace terrace::lab
