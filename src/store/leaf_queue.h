// The blocks of one tier that may be evicted, by rank: a heap for each lane, which is a bucket (size class)
// of one tenant. Lazy: a touch only changes the rank kept with the residence; an entry whose rank is stale is
// re-queued when it comes up. So a touch costs one store, and an eviction O(log n) amortised, of a tenant or
// of all: a bucket's heaps stand in order of their coldest entries.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
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
  struct Lane {
    uint32_t tenant = 0;
    uint64_t bucket = 0;
    friend auto operator<=>(const Lane&, const Lane&) = default;  // a tenant's lanes stand together
  };
  // What an entry that came up is: still the coldest, warmer by now, or no candidate.
  enum class Verdict : uint8_t { kTake, kRequeue, kDrop };
  // Of an entry of this lane; for kRequeue it updates entry.rank.
  using Judge = std::function<Verdict(const Lane& lane, Entry& entry)>;

  void push(const Lane& lane, Entry entry);
  // The next push to the lane takes no memory.
  void make_room(const Lane& lane);
  // The coldest candidate of the bucket, of all tenants; it leaves the queue.
  std::optional<Entry> pop(uint64_t bucket, const Judge& judge);
  // Of all buckets.
  std::optional<Entry> pop_any(const Judge& judge);
  // Of these tenants in the bucket.
  std::optional<Entry> pop_of(std::span<const uint32_t> tenants, uint64_t bucket, const Judge& judge);
  // Of one tenant in all buckets.
  std::optional<Entry> pop_any_of(uint32_t tenant, const Judge& judge);
  size_t size() const;

 private:
  struct Heap {
    Lane lane;
    std::vector<Entry> entries;
  };
  struct Colder {  // by coldest entry; one without entries last
    bool operator()(const Heap* a, const Heap* b) const;
  };
  using Order = std::set<Heap*, Colder>;

  Heap& heap_of(const Lane& lane);
  // Changes the heap's coldest entry, and its place among the bucket's heaps. False: it has no entry left and
  // is gone.
  template <typename Change>
  bool reorder(Heap& heap, const Change& change);
  bool settle(Heap& heap, const Judge& judge);
  Heap* settle_bucket(uint64_t bucket, const Judge& judge);
  std::optional<Entry> take(Heap* heap);

  std::map<Lane, Heap> heaps_;
  std::map<uint64_t, Order> orders_;  // by bucket
};

}  // namespace terrace::store
