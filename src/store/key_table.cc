#include "store/key_table.h"

#include <utility>

namespace terrace::store {

namespace {
constexpr size_t kLeast = 64;  // slots
}

const KeyTable::Slot* KeyTable::find(const Key& key, uint64_t digest) const {
  if (slots_ == nullptr) return nullptr;
  for (size_t at = digest & mask_; slots_[at].block != kNoBlock; at = next(at)) {
    if (slots_[at].key == key) return &slots_[at];
  }
  return nullptr;
}

KeyTable::Slot& KeyTable::put(const Key& key, uint64_t digest, const KeyDigest& digests) {
  if (Slot* const known = find(key, digest)) return *known;
  if (slots_ == nullptr || 4 * (size_ + 1) > 3 * (mask_ + 1)) grow(digests);
  size_t at = digest & mask_;
  while (slots_[at].block != kNoBlock) at = next(at);
  ++size_;
  slots_[at].key = key;
  return slots_[at];
}

void KeyTable::grow(const KeyDigest& digests) {
  const size_t count = slots_ == nullptr ? kLeast : 2 * (mask_ + 1);
  auto slots = std::make_unique<Slot[]>(count);
  const auto old = std::exchange(slots_, std::move(slots));
  const size_t old_count = old == nullptr ? 0 : mask_ + 1;
  mask_ = count - 1;
  for (size_t i = 0; i < old_count; ++i) {
    if (old[i].block == kNoBlock) continue;
    size_t at = digests(old[i].key) & mask_;
    while (slots_[at].block != kNoBlock) at = next(at);
    slots_[at] = old[i];
  }
  hint_.store(slots_.get(), std::memory_order_relaxed);
  hint_mask_.store(mask_, std::memory_order_relaxed);
}

// What stands behind the hole moves up, unless it would come before its own place.
void KeyTable::erase(const Key& key, uint64_t digest, const KeyDigest& digests) {
  Slot* const found = find(key, digest);
  if (found == nullptr) return;
  auto hole = static_cast<size_t>(found - slots_.get());
  for (size_t at = next(hole); slots_[at].block != kNoBlock; at = next(at)) {
    const size_t home = digests(slots_[at].key) & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
  --size_;
}

}  // namespace terrace::store
