// The blocks of one tier that may be evicted, by rank, one heap per bucket (size class). Lazy: a touch only
// changes the rank kept with the residence; an entry whose rank is stale is re-queued when it comes up. So a
// touch costs one store, and an eviction O(log n) amortised.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace terrace::store {

class LeafQueue {
 public:
  struct Entry {
    uint64_t rank;
    uint32_t id;          // residence
    uint32_t generation;  // of the residence
    bool operator>(const Entry& other) const {
      return rank != other.rank ? rank > other.rank : id > other.id;
    }
  };
  // What an entry that came up is: still the coldest, warmer by now, or no candidate.
  enum class Verdict : uint8_t { kTake, kRequeue, kDrop };
  // Of an entry of this bucket; for kRequeue it updates entry.rank.
  using Judge = std::function<Verdict(uint64_t bucket, Entry& entry)>;

  void push(uint64_t bucket, Entry entry);
  // The next push to the bucket takes no memory.
  void make_room(uint64_t bucket);
  // The coldest candidate of the bucket; it leaves the queue.
  std::optional<Entry> pop(uint64_t bucket, const Judge& judge);
  // Of all buckets.
  std::optional<Entry> pop_any(const Judge& judge);
  size_t size() const;

 private:
  struct Heap {
    std::vector<Entry> entries;
  };
  static std::optional<Entry> settle(uint64_t bucket, Heap& heap, const Judge& judge);

  std::map<uint64_t, Heap> heaps_;
};

}  // namespace terrace::store
