// One client thread of row 16: works a few hot keys through the public API and keeps a record of what it did
// and saw, each with the moments at which it began and had ended.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/random.h"
#include "lab/kit/caller_memory.h"
#include "lab/kit/report.h"
#include "lab/rows/history_record.h"

namespace terrace::lab {

// Chains of blocks in two namespaces, drawn from a seed: small, so that many operations fit into a minute.
class HotKeys {
 public:
  static constexpr uint32_t kChains = 8, kLength = 8, kKeys = kChains * kLength;
  static constexpr uint64_t kBytesMax = 12 << 10;

  explicit HotKeys(uint64_t seed);

  std::span<const Key> chain(uint32_t chain, uint32_t length) const {
    return std::span(keys_).subspan(chain * kLength, length);
  }
  uint64_t bytes(uint32_t key) const { return bytes_[key]; }
  static constexpr uint32_t spaces() { return 2; }
  static uint32_t space_of(uint32_t key) { return key / kLength % spaces(); }
  static Namespace space(uint32_t space);
  const Key& root(uint32_t space) const { return roots_[space]; }

 private:
  std::array<Key, kKeys> keys_;
  std::array<uint64_t, kKeys> bytes_;
  std::array<Key, 2> roots_;
};

// What all clients of one store count; in memory that processes may share.
struct HotCounters {
  Moment tick() { return clock.fetch_add(1) + 1; }

  std::atomic<Moment> clock{0};
  std::array<std::atomic<Writer>, HotKeys::kKeys> writers{};
};

// One store, as a process sees it.
struct HotStore {
  HotStore(Store& the_store, HotCounters& the_counters, uint64_t seed)
      : store(the_store), counters(the_counters), keys(seed) {}

  Store& store;
  HotCounters& counters;
  const HotKeys keys;
  bool served = false;             // a server keeps it
  std::vector<std::string> tiers;  // names of those that may be drained
  bool switches = false;           // the mode of L1 may be changed
};

class HistoryClient {
 public:
  HistoryClient(HotStore& shared, uint64_t seed);
  ~HistoryClient();

  // At least so many operations; an operation is one key in one call.
  void run(uint64_t operations);
  // Everything held goes; what was held has not changed (P3).
  void let_go();

  const HistoryRecord& record() const { return record_; }
  Findings& findings() { return findings_; }

 private:
  struct Held {
    Blocks blocks;
    std::vector<Writer> writers;
    uint32_t first;
  };

  void one_call();
  void draw_chain();
  Span begin() { return {shared_.counters.tick(), kNeverEnded}; }
  Span ended(Span span) { return {span.begin, shared_.counters.tick()}; }
  void get();
  void get_async();
  void get_into();
  void lookup();
  void prefetch();
  void put();
  void remove();
  void clear();
  void change_store();
  void saw(Blocks blocks, Span when);
  Writer check(uint32_t key, std::span<const std::byte> bytes, Span when, const char* what);
  void drop(Held& held);
  // Waits for the one event of an operation.
  void await(EventKind kind, const char* what);
  void fail(const std::string& what);

  HotStore& shared_;
  Store& store_;
  base::Random random_;
  std::shared_ptr<CompletionQueue> queue_;
  uint64_t tag_ = 0;
  CallerMemory area_;
  RegionId region_ = 0;
  std::deque<Held> held_;
  HistoryRecord record_;
  Findings findings_;
  uint64_t operations_ = 0, hits_ = 0, pins_checked_ = 0, removals_ = 0, writes_ = 0, changes_ = 0;
  // Of the call at hand:
  uint32_t first_ = 0;
  std::span<const Key> keys_;
};

}  // namespace terrace::lab
