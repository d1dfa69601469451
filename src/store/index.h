// The one index of all tiers: key -> block and the tiers that hold it (decision 7). Sharded by key bits, a
// leaf mutex per shard, each shard grows by itself. Lookups read it without the store's mutex; only the store
// writes it.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "store/key_table.h"

namespace terrace::store {

class Index {
 public:
  struct Entry {
    BlockId block = kNoBlock;
    TierMask mask = 0;
  };

  Index();
  std::optional<Entry> find(const Key& key) const;
  // `entry.block` is a block. Throws std::bad_alloc before anything is changed.
  void put(const Key& key, Entry entry);
  void set_mask(const Key& key, TierMask mask);
  void erase(const Key& key);
  size_t size() const;

  // Length of the longest prefix of `keys` held by a tier of `visible`; appends each one's mask to `where`.
  size_t prefix(std::span<const Key> keys, TierMask visible, std::vector<TierMask>& where) const;

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {
    mutable base::Mutex mutex;
    KeyTable table TERRACE_GUARDED_BY(mutex);
    // The hint needs no lock.
    void prefetch(uint64_t digest) const TERRACE_THREAD(no_thread_safety_analysis) { table.prefetch(digest); }
  };
  // By bits that a table does not use.
  static size_t shard_of(uint64_t digest) { return digest >> 60; }

  const KeyDigest digest_;
  std::array<Shard, kShards> shards_;
};

}  // namespace terrace::store
