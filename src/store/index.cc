#include "store/index.h"

#include <algorithm>

namespace terrace::store {

std::optional<Index::Entry> Index::find(const Key& key) const {
  const Shard& shard = shards_[shard_of(key)];
  base::Lock lock(shard.mutex);
  const auto it = shard.map.find(key);
  if (it == shard.map.end()) return std::nullopt;
  return it->second;
}

void Index::put(const Key& key, Entry entry) {
  Shard& shard = shards_[shard_of(key)];
  base::Lock lock(shard.mutex);
  shard.map.insert_or_assign(key, entry);
}

void Index::set_mask(const Key& key, TierMask mask) {
  Shard& shard = shards_[shard_of(key)];
  base::Lock lock(shard.mutex);
  if (const auto it = shard.map.find(key); it != shard.map.end()) it->second.mask = mask;
}

void Index::erase(const Key& key) {
  Shard& shard = shards_[shard_of(key)];
  base::Lock lock(shard.mutex);
  shard.map.erase(key);
}

size_t Index::size() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    base::Lock lock(shard.mutex);
    total += shard.map.size();
  }
  return total;
}

// Keys are taken in windows, and a window's keys shard by shard: one lock for several keys, so that the cache
// misses of a shard's keys overlap instead of waiting behind each other's lock. Windows grow, so that a short
// prefix stays cheap.
size_t Index::prefix(std::span<const Key> keys, TierMask visible, std::vector<TierMask>& where) const {
  constexpr size_t kWindowMax = 128;
  std::array<TierMask, kWindowMax> masks;
  std::array<uint8_t, kWindowMax> order;
  size_t done = 0;
  for (size_t window = 8; done < keys.size(); window = std::min(window * 4, kWindowMax)) {
    const auto part = keys.subspan(done, std::min(window, keys.size() - done));
    std::array<uint8_t, kShards + 1> start{};
    for (const Key& key : part) ++start[shard_of(key) + 1];
    for (size_t s = 1; s <= kShards; ++s) start[s] = static_cast<uint8_t>(start[s] + start[s - 1]);
    auto next = start;
    for (size_t i = 0; i < part.size(); ++i) order[next[shard_of(part[i])]++] = static_cast<uint8_t>(i);
    for (size_t s = 0; s < kShards; ++s) {
      if (start[s] == start[s + 1]) continue;
      const Shard& shard = shards_[s];
      base::Lock lock(shard.mutex);
      for (size_t j = start[s]; j < start[s + 1]; ++j) {
        const auto it = shard.map.find(part[order[j]]);
        masks[order[j]] = it == shard.map.end() ? TierMask{0} : it->second.mask;
      }
    }
    for (size_t i = 0; i < part.size(); ++i) {
      const auto mask = static_cast<TierMask>(masks[i] & visible);
      if (mask == 0) return done + i;
      where.push_back(mask);
    }
    done += part.size();
  }
  return done;
}

}  // namespace terrace::store
