#include "store/index.h"

#include <algorithm>
#include <random>

namespace terrace::store {

namespace {

#ifdef TERRACE_HOOKS
// Which keys share a shard decides which locks a lookup takes: the lab runs a schedule again.
KeyDigest new_digest() {
  return {{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9}};
}
#else
uint64_t random_word() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}
KeyDigest new_digest() {
  return {{random_word(), random_word()}};
}
#endif

}  // namespace

// Every shard has a table from the start, so that there is always one to be asked for ahead of time.
Index::Index() : digest_(new_digest()) {
  for (Shard& shard : shards_) {
    shard.table.put(Key{}, 0, digest_).block = 0;
    shard.table.erase(Key{}, 0, digest_);
  }
}

std::optional<Index::Entry> Index::find(const Key& key) const {
  const uint64_t digest = digest_(key);
  const Shard& shard = shards_[shard_of(digest)];
  const base::Lock lock(shard.mutex);
  const auto* const slot = shard.table.find(key, digest);
  if (slot == nullptr) return std::nullopt;
  return Entry{slot->block, slot->mask};
}

void Index::put(const Key& key, Entry entry) {
  const uint64_t digest = digest_(key);
  Shard& shard = shards_[shard_of(digest)];
  const base::Lock lock(shard.mutex);
  KeyTable::Slot& slot = shard.table.put(key, digest, digest_);
  slot.block = entry.block;
  slot.mask = entry.mask;
}

void Index::set_mask(const Key& key, TierMask mask) {
  const uint64_t digest = digest_(key);
  Shard& shard = shards_[shard_of(digest)];
  const base::Lock lock(shard.mutex);
  if (auto* const slot = shard.table.find(key, digest)) slot->mask = mask;
}

void Index::erase(const Key& key) {
  const uint64_t digest = digest_(key);
  Shard& shard = shards_[shard_of(digest)];
  const base::Lock lock(shard.mutex);
  shard.table.erase(key, digest, digest_);
}

size_t Index::size() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    const base::Lock lock(shard.mutex);
    total += shard.table.size();
  }
  return total;
}

// Keys are taken in windows: their slots are asked for ahead of time, then read shard by shard, one lock for
// several keys. Windows grow, so that a short prefix stays cheap.
size_t Index::prefix(std::span<const Key> keys, TierMask visible, std::vector<TierMask>& where) const {
  constexpr size_t kWindowMax = 256;
  std::array<uint64_t, kWindowMax> digests;
  std::array<TierMask, kWindowMax> masks;
  std::array<uint8_t, kWindowMax> order;
  size_t done = 0;
  for (size_t window = 8; done < keys.size(); window = std::min(window * 8, kWindowMax)) {
    const auto part = keys.subspan(done, std::min(window, keys.size() - done));
    std::array<uint16_t, kShards + 1> start{};
    for (size_t i = 0; i < part.size(); ++i) {
      digests[i] = digest_(part[i]);
      shards_[shard_of(digests[i])].prefetch(digests[i]);
      ++start[shard_of(digests[i]) + 1];
    }
    for (size_t s = 1; s <= kShards; ++s) start[s] = static_cast<uint16_t>(start[s] + start[s - 1]);
    auto next = start;
    for (size_t i = 0; i < part.size(); ++i) order[next[shard_of(digests[i])]++] = static_cast<uint8_t>(i);
    for (size_t s = 0; s < kShards; ++s) {
      if (start[s] == start[s + 1]) continue;
      const Shard& shard = shards_[s];
      const base::Lock lock(shard.mutex);
      for (size_t j = start[s]; j < start[s + 1]; ++j) {
        const uint8_t i = order[j];
        const auto* const slot = shard.table.find(part[i], digests[i]);
        masks[i] = slot == nullptr ? TierMask{0} : slot->mask;
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
