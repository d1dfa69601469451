#include "cli/staging_experiment.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/open_store.h"

namespace terrace::cli {
namespace {

struct Side {
  L1Mode mode;
  uint64_t l1_bytes;
};

struct SideResult {
  uint64_t stored = 0, found = 0, wrong = 0;
  uint64_t l1_bytes_max = 0, l1_bytes_end = 0;
  double bytes_per_second = 0;
};

uint64_t l1_bytes(const Store& store) {
  return store.stats().tiers[0].used_bytes;
}

// First touches of memory are the machine's cost, and the large L1 would pay more of them: both sides have
// touched all of theirs before the clock starts.
Outcome<void> touch_l1(Store& store, const BenchChain& chain) {
  std::vector<Reservation> held;
  for (uint64_t i = 0;; ++i) {
    BlockSpec block{.key = {}, .bytes = chain.block_bytes, .family = {}, .member = {}};
    base::store_le(block.key.bytes.data(), i + 1);  // no key of the chain: those are digests
    auto answers = store.reserve({chain.root, {}, std::span(&block, 1)});
    if (!answers) return failure(answers.error().code, "reserve: " + to_string(answers.error()));
    if (answers->front().outcome != ReserveOutcome::kBuffer) return {};
    const auto bytes = answers->front().reservation.bytes();
    std::memset(bytes.data(), 1, bytes.size());
    held.push_back(std::move(answers->front().reservation));
  }
}

// One side in one round, on a store and a tier of its own.
class SideRun {
 public:
  SideRun(Store& store, const BenchChain& chain, const EachBytes& each)
      : store_(store), chain_(chain), each_(each) {}

  Outcome<SideResult> run() {
    if (auto touched = touch_l1(store_, chain_); !touched) return std::unexpected(touched.error());
    if (auto stored = store_all(); !stored) return std::unexpected(stored.error());
    if (auto found = find_all(); !found) return std::unexpected(found.error());
    result_.l1_bytes_end = l1_bytes(store_);
    return result_;
  }

 private:
  Outcome<void> store_all() {
    const auto begun = std::chrono::steady_clock::now();
    auto stored = store_chain(store_, chain_, [this] { return seen(chain_.block_bytes); });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    result_.bytes_per_second = static_cast<double>(chain_.bytes()) / took.count();
    result_.stored = store_.stats().tiers[1].writes;
    return stored;
  }

  // A few blocks at a time: what is leased must fit into the L1 that only stages.
  Outcome<void> find_all() {
    const size_t batch = std::max<uint64_t>(1, kLeasedBytes / chain_.block_bytes);
    for (size_t i = 0; i < chain_.keys.size(); i += batch) {
      const auto keys = std::span(chain_.keys).subspan(i, std::min(batch, chain_.keys.size() - i));
      const auto blocks = store_.get(keys);
      if (!blocks) return failure(blocks.error().code, "get: " + to_string(blocks.error()));
      result_.found += blocks->size();
      result_.wrong += count_wrong(chain_, blocks->views());
      if (auto ok = seen(keys.size() * chain_.block_bytes); !ok) return ok;
    }
    return {};
  }

  Outcome<void> seen(uint64_t bytes) {
    result_.l1_bytes_max = std::max(result_.l1_bytes_max, l1_bytes(store_));
    return each_(bytes);
  }

  static constexpr uint64_t kLeasedBytes = 4 * base::kMiB;

  Store& store_;
  const BenchChain& chain_;
  const EachBytes& each_;
  SideResult result_;
};

Outcome<SideResult> run_side(const StagingPlan& plan, const Side& side, const EachBytes& each) {
  namespace fs = std::filesystem;
  StoreOptions options;
  options.l1.mode = side.mode;
  options.l1.budget = side.l1_bytes;
  options.tiers = {plan.tier};
  const std::string place = plan.directory + "/" + plan.tier.name;
  if (plan.tier.kind == TierOptions::Kind::kDisk) options.tiers[0].disk.paths = {place};
  Outcome<SideResult> result;
  {
    auto store = open_bench_store(options, plan.chain);
    if (!store) return std::unexpected(store.error());
    result = SideRun(**store, plan.chain, each).run();
  }
  std::error_code ignored;  // the scratch directory takes what stays
  fs::remove_all(place, ignored);
  return result;
}

void add(StagingRow& row, const SideResult& staging, bool first) {
  row.blocks_stored = first ? staging.stored : std::min(row.blocks_stored, staging.stored);
  row.blocks_found = first ? staging.found : std::min(row.blocks_found, staging.found);
  row.wrong += staging.wrong;
  row.l1_bytes_max = std::max(row.l1_bytes_max, staging.l1_bytes_max);
  row.l1_bytes_end = std::max(row.l1_bytes_end, staging.l1_bytes_end);
}

}  // namespace

Outcome<StagingRow> run_staging(const StagingPlan& plan, const EachBytes& each) {
  StagingRow row{.tier = plan.tier.name};
  std::vector<double> staging, large, ratios;
  for (uint32_t round = 0; round < plan.rounds; ++round) {
    const auto ours = run_side(plan, {L1Mode::kStaging, plan.l1_bytes}, each);
    if (!ours) return std::unexpected(ours.error());
    const auto theirs = run_side(plan, {L1Mode::kCache, plan.large_bytes}, each);
    if (!theirs) return std::unexpected(theirs.error());
    // A rate over bytes that were lost or wrong would be no rate to compare with.
    if (theirs->found != plan.chain.keys.size() || theirs->wrong > 0) {
      return failure(Code::kInternal, fmt::format("{}: with the large L1 {} blocks were found and {} wrong",
                                                  row.tier, theirs->found, theirs->wrong));
    }
    add(row, *ours, round == 0);
    staging.push_back(ours->bytes_per_second);
    large.push_back(theirs->bytes_per_second);
    ratios.push_back(ours->bytes_per_second / theirs->bytes_per_second);
  }
  row.staging = spread_of(std::move(staging));
  row.large = spread_of(std::move(large));
  row.ratio = spread_of(std::move(ratios));
  return row;
}

std::vector<std::string> broken_claims(const StagingPlan& plan, const StagingRow& row) {
  std::vector<std::string> broken;
  const auto say = [&](std::string text) { broken.push_back(fmt::format("{}: {}", row.tier, text)); };
  const uint64_t blocks = plan.chain.keys.size();
  if (row.blocks_stored != blocks) say(fmt::format("{} of {} blocks were stored", row.blocks_stored, blocks));
  if (row.blocks_found != blocks) say(fmt::format("{} of {} blocks were found", row.blocks_found, blocks));
  if (row.wrong > 0) say(fmt::format("{} blocks had wrong bytes", row.wrong));
  if (row.l1_bytes_max > plan.l1_bytes) {
    say(fmt::format("L1 held {} bytes, {} more than its budget", row.l1_bytes_max,
                    row.l1_bytes_max - plan.l1_bytes));
  }
  if (row.l1_bytes_end != 0) say(fmt::format("L1 still held {} bytes at the end", row.l1_bytes_end));
  if (row.ratio.median < plan.least_ratio) {
    say(fmt::format("throughput is {:.3f} of that with a large L1, {} is asked for", row.ratio.median,
                    plan.least_ratio));
  }
  return broken;
}

}  // namespace terrace::cli
