// A hash table from keys to blocks that can be told ahead of time what will be looked up: a batch's cache
// misses overlap instead of waiting for each other (Index::prefix). Open addressing, linear probing, one
// array; at most three quarters full. Not thread-safe, but for prefetch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "store/types.h"

namespace terrace::store {

// Of a key, for this process: nobody outside can choose keys that meet in one place.
struct KeyDigest {
  uint64_t seeds[2];
  uint64_t operator()(const Key& key) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(key.word(1) ^ seeds[0]) * (key.word(2) ^ seeds[1]);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
};

class KeyTable {
 public:
  struct Slot {
    Key key;
    BlockId block = kNoBlock;  // kNoBlock: the slot is empty
    TierMask mask = 0;
  };

  // `digest` is the key's, the same in every call.
  Slot* find(const Key& key, uint64_t digest) {
    return const_cast<Slot*>(std::as_const(*this).find(key, digest));
  }
  const Slot* find(const Key& key, uint64_t digest) const;
  // The key's slot, made if there is none. Throws std::bad_alloc before anything is changed.
  Slot& put(const Key& key, uint64_t digest, const KeyDigest& digests);
  void erase(const Key& key, uint64_t digest, const KeyDigest& digests);
  size_t size() const { return size_; }

  // Any thread, whatever happens to the table meanwhile: a hint that can be wrong.
  void prefetch(uint64_t digest) const {
    const auto* const slot = reinterpret_cast<const std::byte*>(
        hint_.load(std::memory_order_relaxed) + (digest & hint_mask_.load(std::memory_order_relaxed)));
    __builtin_prefetch(slot);
    __builtin_prefetch(slot + sizeof(Slot) - 1);
  }

 private:
  void grow(const KeyDigest& digests);
  size_t next(size_t at) const { return (at + 1) & mask_; }

  std::unique_ptr<Slot[]> slots_;
  size_t mask_ = 0;  // slots less one; a power of two of them
  size_t size_ = 0;
  std::atomic<const Slot*> hint_{nullptr};
  std::atomic<uint64_t> hint_mask_{0};
};

}  // namespace terrace::store
