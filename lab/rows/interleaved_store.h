// A small real store under the lab's scheduler: StorageManager over a mock tier that answers at once, with
// operations that check what they see and keep the record from which close() explains it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <terrace/store.h>

#include "lab/kit/history_checker.h"
#include "lab/kit/interleaved_executor.h"
#include "lab/kit/report.h"
#include "memory/page_buffer.h"

namespace terrace::store {
class StorageManager;
}

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

struct InterleavedStoreOptions {
  L1Mode mode = L1Mode::kCache;
  bool tight = false;  // L1 keeps one block; the background pass evicts what is more
  bool tier = true;
};

using BlockList = std::vector<uint32_t>;

class InterleavedStore {
 public:
  static constexpr uint32_t kBlocks = 4;
  static constexpr uint64_t kBytes = 1000;

  // A retrieve whose leases are held.
  struct Held {
    Blocks blocks;
    std::vector<Writer> writers;
  };

  InterleavedStore(Findings& findings, const InterleavedStoreOptions& options);
  ~InterleavedStore();

  // By the scenario's begin and end: a store that works, and one of which nothing is left.
  void open();
  void open_with(const BlockList& blocks);  // put, and in the tier where there is one
  void close();

  Store& store() { return *store_; }
  InterleavedExecutor& time() { return *executor_; }
  static const Key& key(uint32_t block);
  static std::vector<Key> keys(const BlockList& blocks);

  // Reserves, fills, commits; true when a buffer was given. What is in flight or present already is left.
  bool put(const BlockList& blocks);
  // From the registered area, the block named twice: it is kept once.
  void put_from_area_twice(uint32_t block);
  Held get(const BlockList& blocks);
  void lookup(const BlockList& blocks);
  void remove(const BlockList& blocks);
  // Blocks in the tier and not in L1.
  void put_in_tier(const BlockList& blocks);

  // For operations that a scenario carries out itself.
  Span begin() { return {++clock_, kNeverEnded}; }
  Span ended(Span span) { return {span.begin, ++clock_}; }
  Held saw(Blocks blocks, const BlockList& asked, Span when);
  void saw(uint32_t block, std::span<const std::byte> bytes, Span when);
  void still_whole(const Held& held);                  // P3
  void must_be_whole(const Held& held, size_t count);  // all that were asked for
  // The operation owes exactly one event of this kind.
  Notify owes(EventKind kind);
  void owes_too(const Notify& notify, EventKind kind) { owed_[notify.tag].exactly[kind] = 1; }
  void owes_nothing(const Notify& notify) { owed_[notify.tag].exactly.clear(); }
  bool closed = false;  // by the scenario: operations may be refused
  void fail(std::string what) { findings_.fail(std::move(what)); }
  memory::PageBuffer area;  // registered; of kBlocks pages
  RegionId region = 0;
  RegionSlice slice(uint32_t block) const { return {region, block * uint64_t{4096}, kBytes}; }

 private:
  struct Owed {
    std::map<EventKind, int> exactly;
    size_t writes = 0;  // kWrite events
    std::map<EventKind, int> came{};
  };
  Writer check(uint32_t block, std::span<const std::byte> bytes, Span when);
  void allow_closed(const Error& error, const char* what);
  void check_events();
  void check_nothing_left();
  void explain();

  Findings& findings_;
  const InterleavedStoreOptions options_;
  std::unique_ptr<InterleavedExecutor> executor_;
  std::weak_ptr<store::StorageManager> manager_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<CompletionQueue> queue_;
  Moment clock_ = 0;
  Writer last_writer_;
  std::map<uint64_t, Owed> owed_;
  HistoryChecker history_{kBlocks};
  std::vector<Sighting> sightings_;
};

#endif

}  // namespace terrace::lab
