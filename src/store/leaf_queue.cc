#include "store/leaf_queue.h"

#include <algorithm>

#include "store/make_room.h"

namespace terrace::store {

void LeafQueue::push(uint64_t bucket, Entry entry) {
  auto& entries = heaps_[bucket].entries;
  entries.push_back(entry);
  std::push_heap(entries.begin(), entries.end(), std::greater<>());
}

void LeafQueue::make_room(uint64_t bucket) {
  store::make_room(heaps_[bucket].entries);
}

// Brings a valid candidate to the top and returns it without removing it.
std::optional<LeafQueue::Entry> LeafQueue::settle(uint64_t bucket, Heap& heap, const Judge& judge) {
  auto& entries = heap.entries;
  while (!entries.empty()) {
    std::pop_heap(entries.begin(), entries.end(), std::greater<>());
    const Verdict verdict = judge(bucket, entries.back());
    if (verdict == Verdict::kDrop) {
      entries.pop_back();
      continue;
    }
    const Entry entry = entries.back();
    std::push_heap(entries.begin(), entries.end(), std::greater<>());
    if (verdict == Verdict::kTake) return entry;
  }
  return std::nullopt;
}

std::optional<LeafQueue::Entry> LeafQueue::pop(uint64_t bucket, const Judge& judge) {
  const auto it = heaps_.find(bucket);
  if (it == heaps_.end()) return std::nullopt;
  auto found = settle(bucket, it->second, judge);
  auto& entries = it->second.entries;
  if (found) {
    std::pop_heap(entries.begin(), entries.end(), std::greater<>());
    entries.pop_back();
  }
  if (entries.empty()) heaps_.erase(it);
  return found;
}

std::optional<LeafQueue::Entry> LeafQueue::pop_any(const Judge& judge) {
  std::optional<Entry> coldest;
  uint64_t bucket = 0;
  for (auto it = heaps_.begin(); it != heaps_.end();) {
    const auto found = settle(it->first, it->second, judge);
    if (!found) {
      it = heaps_.erase(it);
      continue;
    }
    if (!coldest || *coldest > *found) {
      coldest = found;
      bucket = it->first;
    }
    ++it;
  }
  return coldest ? pop(bucket, judge) : std::nullopt;
}

size_t LeafQueue::size() const {
  size_t total = 0;
  for (const auto& [bucket, heap] : heaps_) total += heap.entries.size();
  return total;
}

}  // namespace terrace::store
