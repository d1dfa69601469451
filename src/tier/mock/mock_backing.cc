#include "tier/mock/mock_backing.h"

#include "base/assert.h"
#include "base/random.h"

namespace terrace::tier::mock {

MemoryBacking::MemoryBacking(uint64_t capacity_bytes, uint64_t seed) : capacity_bytes_(capacity_bytes) {
  base::Random random(seed);
  for (uint8_t& byte : secret_) byte = static_cast<uint8_t>(random.next());
}

bool MemoryBacking::reserve(uint64_t bytes) {
  const base::Lock lock(mutex_);
  if (capacity_bytes_ != 0 && (bytes > capacity_bytes_ || used_bytes_ > capacity_bytes_ - bytes))
    return false;
  used_bytes_ += bytes;
  return true;
}

void MemoryBacking::give_back(uint64_t bytes) {
  const base::Lock lock(mutex_);
  TERRACE_ASSERT(bytes <= used_bytes_);
  used_bytes_ -= bytes;
}

Result<void> MemoryBacking::put(Stored stored) {
  const uint64_t bytes = stored.bytes.size();
  auto shared = std::make_shared<const Stored>(std::move(stored));
  const base::Lock lock(mutex_);
  if (!stored_.emplace(shared->meta.key, shared).second) used_bytes_ -= bytes;
  return {};
}

uint64_t MemoryBacking::payload_bytes(const Key& key) const {
  const base::Lock lock(mutex_);
  const auto found = stored_.find(key);
  return found == stored_.end() ? 0 : found->second->meta.payload_bytes;
}

std::shared_ptr<const MemoryBacking::Stored> MemoryBacking::get(const Key& key) const {
  const base::Lock lock(mutex_);
  const auto found = stored_.find(key);
  return found == stored_.end() ? nullptr : found->second;
}

bool MemoryBacking::remove(const Key& key) {
  const base::Lock lock(mutex_);
  const auto found = stored_.find(key);
  if (found == stored_.end()) return false;
  used_bytes_ -= found->second->bytes.size();
  stored_.erase(found);
  return true;
}

std::vector<std::shared_ptr<const MemoryBacking::Stored>> MemoryBacking::all() const {
  const base::Lock lock(mutex_);
  std::vector<std::shared_ptr<const Stored>> all;
  for (const auto& [key, stored] : stored_) all.push_back(stored);
  return all;
}

bool MemoryBacking::flip_bit(const Key& key, uint64_t bit) {
  const base::Lock lock(mutex_);
  const auto found = stored_.find(key);
  if (found == stored_.end() || bit / 8 >= found->second->bytes.size()) return false;
  Stored damaged = *found->second;
  damaged.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  found->second = std::make_shared<const Stored>(std::move(damaged));
  return true;
}

uint64_t MemoryBacking::used_bytes() const {
  const base::Lock lock(mutex_);
  return used_bytes_;
}

uint64_t MemoryBacking::blocks() const {
  const base::Lock lock(mutex_);
  return stored_.size();
}

}  // namespace terrace::tier::mock
