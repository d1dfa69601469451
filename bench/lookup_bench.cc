#include <fmt/format.h>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <numeric>

#include <terrace/store.h>

#include "base/bytes.h"
#include "base/random.h"
#include "bench/measure.h"
#include "bench/micro.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kBlocks = 1'000'000;
constexpr uint64_t kChain = 250;  // keys of a lookup: the blocks of a long prompt
constexpr uint64_t kSeries = 13;

// The smallest record is two pages, so the arena must be 8 GiB; its payload pages are never touched.
std::unique_ptr<Store> open_full_store() {
  StoreOptions options;
  options.l1.budget = 9 * base::kGiB;
  options.l1.largest_block = 4096;
  options.l1.verify = VerifyL1::kOff;
  auto store = need(Store::open(options), "store");
  Namespace fields;
  fields.model_id = "lookup";
  const Key root = need(store->open_namespace(fields), "namespace");
  std::vector<BlockSpec> blocks(kChain);
  for (uint64_t first = 0; first < kBlocks; first += kChain) {
    for (uint64_t i = 0; i < kChain; ++i) blocks[i] = {.key = nth_key(kSeries, first + i), .bytes = 1};
    auto answers = need(store->reserve({root, {}, blocks}), "reserve");
    std::vector<Reservation> reservations;
    for (auto& answer : answers) {
      if (answer.outcome != ReserveOutcome::kBuffer) throw CannotRun("the arena does not hold 1 M blocks");
      reservations.push_back(std::move(answer.reservation));
    }
    need(store->commit(reservations), "commit");
  }
  return store;
}

struct Found {
  uint32_t place;
  uint32_t mask;
};
using BareMap = boost::unordered_flat_map<Key, Found, KeyHash>;

double lookup_ours(Store& store, std::span<const Key> keys) {
  const Stopwatch watch;
  for (size_t at = 0; at < keys.size(); at += kChain) {
    const auto found = need(store.lookup(keys.subspan(at, kChain)), "lookup").found;
    if (found != kChain) throw CannotRun("lookup did not find a resident block");
  }
  return double(keys.size()) / watch.seconds() / 1e6;
}

double lookup_bare(const BareMap& map, std::span<const Key> keys) {
  const Stopwatch watch;
  uint64_t masks = 0;
  for (const Key& key : keys) {
    const auto found = map.find(key);
    if (found != map.end()) masks += found->second.mask;
  }
  if (masks != keys.size()) throw CannotRun("the bare map lost a key");
  return double(keys.size()) / watch.seconds() / 1e6;
}

// Chains in random order, keys of a chain in theirs.
std::vector<Key> shuffled_chains() {
  std::vector<uint64_t> chains(kBlocks / kChain);
  std::iota(chains.begin(), chains.end(), 0);
  base::Random random(3);
  for (size_t i = chains.size(); i > 1; --i) std::swap(chains[i - 1], chains[random.below(i)]);
  std::vector<Key> keys;
  keys.reserve(kBlocks);
  for (const uint64_t chain : chains) {
    for (uint64_t i = 0; i < kChain; ++i) keys.push_back(nth_key(kSeries, chain * kChain + i));
  }
  return keys;
}

}  // namespace

void bench_lookup(const MicroOptions& options) {
  const auto store = open_full_store();
  BareMap map;
  for (uint64_t i = 0; i < kBlocks; ++i) map.emplace(nth_key(kSeries, i), Found{static_cast<uint32_t>(i), 1});
  const auto keys = shuffled_chains();
  Pairs pairs{"lookup.1M", "M keys/s", {}, {}};
  lookup_ours(*store, keys);
  lookup_bare(map, keys);
  for (uint32_t run = 0; run < options.runs; ++run) {
    pairs.ours.push_back(lookup_ours(*store, keys));
    pairs.theirs.push_back(lookup_bare(map, keys));
  }
  print_pairs(pairs);
}

}  // namespace terrace::bench
