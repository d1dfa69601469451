#include <fmt/format.h>

#include <array>
#include <chrono>
#include <map>
#include <utility>

#include <terrace/store.h>

#include "base/bytes.h"
#include "bench/bare_submit.h"
#include "bench/measure.h"
#include "bench/micro.h"
#include "bench/store_device.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kPayload = 4096;
constexpr uint64_t kRecord = 2 * 4096;
constexpr uint64_t kL1Bytes = 128 * base::kMiB;
constexpr uint64_t kTierBytes = 4 * kL1Bytes;
constexpr uint64_t kSeries = 17;
constexpr size_t kRunning = 4;  // operations that have not ended when the next one is submitted
constexpr Timeout kPatience = std::chrono::seconds(30);

template <class Work>
double microseconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  std::forward<Work>(work)();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

// A store with small blocks and a disk tier. Each submit_* prepares its keys, times the one call that
// submits, and leaves the operation running, so that the next call meets the load of the ones before it.
class SubmitSide {
 public:
  SubmitSide(const DirectoryOptions& directory, uint32_t keys)
      : keys_(keys), chains_(2 * kL1Bytes / kRecord / keys) {
    StoreOptions options;
    options.l1.budget = kL1Bytes;
    options.l1.largest_block = kPayload;
    TierOptions tier;
    tier.disk.paths = {directory.path};
    tier.disk.capacity = kTierBytes;
    tier.disk.io = io_choice(directory.io);
    options.tiers.push_back(tier);
    store_ = need(Store::open(options), "store");
    Namespace fields;
    fields.model_id = "submit";
    root_ = need(store_->open_namespace(fields), "namespace");
    queue_ = store_->make_queue();
    // Twice what L1 holds: the chain that was not used for longest is in the tier only.
    for (uint64_t chain = 0; chain < chains_; ++chain) submit_commit();
    limit(0);
  }

  double submit_commit() {
    auto reservations = reserve(keys_of(next_chain_++));
    const double time =
        microseconds_of([&] { need(store_->commit(reservations, {.queue = queue_, .tag = 0}), "commit"); });
    ++running_;
    limit(kRunning);
    return time;
  }
  // A get whose blocks have to be loaded.
  double submit_get() { return get(keys_of(next_read_++ % chains_)); }
  // A get whose blocks are in L1 (from the second call on).
  double submit_get_resident() { return get(keys_of(0)); }
  double submit_prefetch() {
    const auto keys = keys_of(next_read_++ % chains_);
    PrefetchTicket ticket;
    const double time = microseconds_of(
        [&] { ticket = need(store_->prefetch(keys, {}, {.queue = queue_, .tag = next_tag_}), "prefetch"); });
    tickets_.emplace(next_tag_++, std::move(ticket));
    ++running_;
    limit(kRunning);
    return time;
  }

 private:
  std::vector<Key> keys_of(uint64_t chain) const {
    std::vector<Key> keys(keys_);
    for (uint32_t i = 0; i < keys_; ++i) keys[i] = nth_key(kSeries, chain * keys_ + i);
    return keys;
  }
  std::vector<Reservation> reserve(const std::vector<Key>& keys) {
    std::vector<BlockSpec> blocks;
    for (const Key& key : keys) blocks.push_back({.key = key, .bytes = kPayload});
    std::vector<Reservation> reservations;
    auto answers = need(store_->reserve_wait({root_, {}, blocks}, kPatience), "reserve_wait");
    for (auto& answer : answers) {
      if (answer.outcome != ReserveOutcome::kBuffer) throw CannotRun("reserve_wait gave no buffer");
      reservations.push_back(std::move(answer.reservation));
    }
    return reservations;
  }
  double get(const std::vector<Key>& keys) {
    GetOperation operation;
    const double time = microseconds_of([&] {
      operation = need(store_->get_async(keys, {}, {.queue = queue_, .tag = next_tag_}), "get_async");
    });
    gets_.emplace(next_tag_++, std::move(operation));
    ++running_;
    limit(kRunning);
    return time;
  }
  // Waits until at most `running` operations have not ended.
  void limit(size_t running) {
    std::array<Completion, 512> events;
    while (running_ > running) {
      const size_t count = queue_->wait(events, kPatience);
      if (count == 0) throw CannotRun("an operation did not end in time");
      for (const Completion& event : std::span(events).first(count)) finish(event);
    }
  }
  void finish(const Completion& event) {
    if (event.kind == EventKind::kWrite && event.status != WriteStatus::kOk)
      throw CannotRun("a write did not end well");
    if (event.kind != EventKind::kWriteBatch && event.kind != EventKind::kResult) return;
    --running_;
    if (const auto found = gets_.find(event.tag); found != gets_.end()) {
      const auto blocks = found->second.take();
      if (!blocks || blocks->size() != keys_) throw CannotRun("a get missed a block that was stored");
      gets_.erase(found);
    }
    tickets_.erase(event.tag);
  }

  uint32_t keys_;
  uint64_t chains_;
  std::unique_ptr<Store> store_;
  Key root_;
  std::shared_ptr<CompletionQueue> queue_;
  uint64_t next_chain_ = 0, next_read_ = 0, next_tag_ = 1;
  size_t running_ = 0;
  std::map<uint64_t, GetOperation> gets_;
  std::map<uint64_t, PrefetchTicket> tickets_;
};

struct Operation {
  const char* name;
  double (SubmitSide::*submit)();
};
constexpr Operation kOperations[] = {
    {"commit", &SubmitSide::submit_commit},
    {"get", &SubmitSide::submit_get},
    {"get_resident", &SubmitSide::submit_get_resident},
    {"prefetch", &SubmitSide::submit_prefetch},
};

// One batch of submits, ours and the bare one next to each other, in alternating order.
void run_batch(SubmitSide& side, BareSubmit& bare, const Operation& operation, const std::vector<Key>& keys,
               uint32_t count, Pairs& p50, Pairs& p999) {
  std::vector<double> ours, theirs;
  for (uint32_t i = 0; i < count; ++i) {
    const auto submit_bare = [&] { theirs.push_back(microseconds_of([&] { bare.submit(keys); })); };
    if (i % 2 == 0) submit_bare();
    ours.push_back((side.*operation.submit)());
    if (i % 2 != 0) submit_bare();
  }
  p50.ours.push_back(percentile(ours, 0.5));
  p50.theirs.push_back(percentile(theirs, 0.5));
  p999.ours.push_back(percentile(ours, 0.999));
  p999.theirs.push_back(percentile(theirs, 0.999));
}

}  // namespace

void bench_submit(const MicroOptions& options, const DirectoryOptions& directory, uint32_t keys) {
  const uint32_t count = (keys == 1 ? 8000 : 1000) / (options.quick ? 4 : 1);
  std::vector<Key> bare_keys;
  for (uint32_t i = 0; i < keys; ++i) bare_keys.push_back(nth_key(kSeries + 1, i));
  for (const Operation& operation : kOperations) {
    SubmitSide side({directory.path + "/" + operation.name, directory.io}, keys);
    BareSubmit bare;
    Pairs p50{fmt::format("submit.{}.{}.p50", operation.name, keys), "us", {}, {}};
    Pairs p999{fmt::format("submit.{}.{}.p99.9", operation.name, keys), "us", {}, {}};
    Pairs warm;
    run_batch(side, bare, operation, bare_keys, count / 4, warm, warm);
    for (uint32_t run = 0; run < options.runs; ++run)
      run_batch(side, bare, operation, bare_keys, count, p50, p999);
    print_pairs(p50);
    print_pairs(p999);
  }
}

}  // namespace terrace::bench
