#include "store/leaf_queue.h"

#include <algorithm>

#include "store/make_room.h"

namespace terrace::store {

bool LeafQueue::Colder::operator()(const Heap* a, const Heap* b) const {
  if (a->entries.empty() || b->entries.empty()) {
    if (a->entries.empty() != b->entries.empty()) return b->entries.empty();
  } else if (a->entries.front() > b->entries.front() || b->entries.front() > a->entries.front()) {
    return b->entries.front() > a->entries.front();
  }
  return a->lane < b->lane;
}

LeafQueue::Heap& LeafQueue::heap_of(const Lane& lane) {
  if (const auto known = heaps_.find(lane); known != heaps_.end()) return known->second;
  Order& order = orders_[lane.bucket];
  Heap& heap = heaps_[lane];
  heap.lane = lane;
  try {
    order.insert(&heap);
  } catch (...) {  // no memory: a heap in no order would never be asked
    heaps_.erase(lane);
    throw;
  }
  return heap;
}

template <typename Change>
bool LeafQueue::reorder(Heap& heap, const Change& change) {
  const auto order = orders_.find(heap.lane.bucket);
  auto place = order->second.extract(&heap);
  change(heap.entries);
  if (!heap.entries.empty()) {
    order->second.insert(std::move(place));
    return true;
  }
  if (order->second.empty()) orders_.erase(order);
  heaps_.erase(Lane(heap.lane));
  return false;
}

void LeafQueue::push(const Lane& lane, Entry entry) {
  Heap& heap = heap_of(lane);
  store::make_room(heap.entries);
  const auto add = [entry](std::vector<Entry>& entries) {
    entries.push_back(entry);
    std::push_heap(entries.begin(), entries.end(), std::greater<>());
  };
  if (heap.entries.empty() || heap.entries.front() > entry) {
    reorder(heap, add);
  } else {
    add(heap.entries);
  }
}

void LeafQueue::make_room(const Lane& lane) {
  store::make_room(heap_of(lane).entries);
}

// Brings a valid candidate to the top. False: there is none, and the heap is gone.
bool LeafQueue::settle(Heap& heap, const Judge& judge) {
  if (!heap.entries.empty()) {
    Entry top = heap.entries.front();
    if (judge(heap.lane, top) == Verdict::kTake) return true;
  }
  return reorder(heap, [&](std::vector<Entry>& entries) {
    while (!entries.empty()) {
      std::pop_heap(entries.begin(), entries.end(), std::greater<>());
      const Verdict verdict = judge(heap.lane, entries.back());
      if (verdict == Verdict::kDrop) {
        entries.pop_back();
        continue;
      }
      std::push_heap(entries.begin(), entries.end(), std::greater<>());
      if (verdict == Verdict::kTake) return;
    }
  });
}

// The bucket's heap with the coldest candidate; null when there is none.
LeafQueue::Heap* LeafQueue::settle_bucket(uint64_t bucket, const Judge& judge) {
  for (;;) {
    const auto order = orders_.find(bucket);
    if (order == orders_.end()) return nullptr;
    Heap* const heap = *order->second.begin();
    if (settle(*heap, judge) && *order->second.begin() == heap) return heap;
  }
}

std::optional<LeafQueue::Entry> LeafQueue::take(Heap* heap) {
  if (heap == nullptr) return std::nullopt;
  const Entry entry = heap->entries.front();
  reorder(*heap, [](std::vector<Entry>& entries) {
    std::pop_heap(entries.begin(), entries.end(), std::greater<>());
    entries.pop_back();
  });
  return entry;
}

std::optional<LeafQueue::Entry> LeafQueue::pop(uint64_t bucket, const Judge& judge) {
  return take(settle_bucket(bucket, judge));
}

std::optional<LeafQueue::Entry> LeafQueue::pop_any(const Judge& judge) {
  Heap* coldest = nullptr;
  for (auto order = orders_.begin(); order != orders_.end();) {
    Heap* const heap = settle_bucket((order++)->first, judge);
    if (heap != nullptr && (coldest == nullptr || Colder()(heap, coldest))) coldest = heap;
  }
  return take(coldest);
}

std::optional<LeafQueue::Entry> LeafQueue::pop_of(std::span<const uint32_t> tenants, uint64_t bucket,
                                                  const Judge& judge) {
  Heap* coldest = nullptr;
  for (const uint32_t tenant : tenants) {
    const auto heap = heaps_.find({tenant, bucket});
    if (heap == heaps_.end() || !settle(heap->second, judge)) continue;
    if (coldest == nullptr || Colder()(&heap->second, coldest)) coldest = &heap->second;
  }
  return take(coldest);
}

std::optional<LeafQueue::Entry> LeafQueue::pop_any_of(uint32_t tenant, const Judge& judge) {
  Heap* coldest = nullptr;
  for (auto heap = heaps_.lower_bound({tenant, 0}); heap != heaps_.end() && heap->first.tenant == tenant;) {
    Heap& its = (heap++)->second;
    if (settle(its, judge) && (coldest == nullptr || Colder()(&its, coldest))) coldest = &its;
  }
  return take(coldest);
}

size_t LeafQueue::size() const {
  size_t total = 0;
  for (const auto& [lane, heap] : heaps_) total += heap.entries.size();
  return total;
}

}  // namespace terrace::store
