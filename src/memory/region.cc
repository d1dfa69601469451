#include "memory/region.h"

#include "base/assert.h"
#include "base/hooks.h"

namespace terrace::memory {

RegionUse& RegionUse::operator=(RegionUse&& other) noexcept {
  if (this != &other) {
    release();
    table_ = other.table_;
    id_ = other.id_;
    other.table_ = nullptr;
  }
  return *this;
}

void RegionUse::release() {
  if (table_ != nullptr && !TERRACE_MUTANT("memory.leak_region_use")) table_->end_use(id_);
  table_ = nullptr;
}

Result<RegionId> RegionTable::add(std::span<std::byte> memory) {
  const auto first = reinterpret_cast<uintptr_t>(memory.data());
  if (memory.empty() || first == 0 || memory.size() > UINTPTR_MAX - first) {
    return fail(Code::kInvalidArgument, "a region is memory of at least one byte");
  }
  const base::Lock lock(mutex_);
  const auto next = regions_.lower_bound(first);
  const bool meets_next = next != regions_.end() && next->first < first + memory.size();
  const bool meets_previous =
      next != regions_.begin() && std::prev(next)->first + std::prev(next)->second.bytes > first;
  if (meets_next || meets_previous) return fail(Code::kInvalidArgument, "overlaps a registered region");
  const RegionId id = next_id_++;
  regions_[first] = {.id = id, .bytes = memory.size()};
  addresses_[id] = first;
  return id;
}

Result<void> RegionTable::remove(RegionId id) {
  const base::Lock lock(mutex_);
  const auto address = addresses_.find(id);
  if (address == addresses_.end()) return fail(Code::kNotFound, "no such region");
  const auto region = regions_.find(address->second);
  if (region->second.uses > 0) {
    TERRACE_PROBE("memory.region_still_in_use");
    return fail(Code::kBusy, "operations may still touch the region");
  }
  regions_.erase(region);
  addresses_.erase(address);
  return {};
}

void RegionTable::retire(RegionId id, std::shared_ptr<void> memory) {
  const base::Lock lock(mutex_);
  const auto address = addresses_.find(id);
  if (address == addresses_.end()) return;
  const auto region = regions_.find(address->second);
  region->second.retired = true;
  region->second.memory = std::move(memory);
  if (region->second.uses > 0) return;
  regions_.erase(region);
  addresses_.erase(address);
}

Result<std::span<std::byte>> RegionTable::slice(RegionId id, uint64_t offset, uint64_t bytes) const {
  const base::Lock lock(mutex_);
  const auto address = addresses_.find(id);
  if (address == addresses_.end() || regions_.at(address->second).retired)
    return fail(Code::kNotFound, "no such region");
  const uint64_t size = regions_.at(address->second).bytes;
  if (bytes == 0 || offset >= size || bytes > size - offset) {
    return fail(Code::kInvalidArgument, "the slice is not wholly in its region");
  }
  return std::span(reinterpret_cast<std::byte*>(address->second) + offset, bytes);
}

Result<RegionUse> RegionTable::use(std::span<const std::byte> memory) {
  const auto first = reinterpret_cast<uintptr_t>(memory.data());
  const base::Lock lock(mutex_);
  auto region = regions_.upper_bound(first);
  if (memory.empty() || region == regions_.begin())
    return fail(Code::kInvalidArgument, "not in a registered region");
  --region;
  const uint64_t offset = first - region->first;
  if (offset >= region->second.bytes || memory.size() > region->second.bytes - offset) {
    return fail(Code::kInvalidArgument, "not wholly in one registered region");
  }
  ++region->second.uses;
  return RegionUse(*this, region->second.id);
}

uint64_t RegionTable::uses(RegionId id) const {
  const base::Lock lock(mutex_);
  const auto address = addresses_.find(id);
  return address == addresses_.end() ? 0 : regions_.find(address->second)->second.uses;
}

void RegionTable::end_use(RegionId id) {
  std::shared_ptr<void> memory;  // unmapped after the mutex is released
  const base::Lock lock(mutex_);
  const auto address = addresses_.find(id);
  TERRACE_ASSERT(address != addresses_.end());
  const auto region = regions_.find(address->second);
  TERRACE_ASSERT(region->second.uses > 0);
  if (--region->second.uses > 0 || !region->second.retired) return;
  memory = std::move(region->second.memory);
  regions_.erase(region);
  addresses_.erase(address);
}

}  // namespace terrace::memory
