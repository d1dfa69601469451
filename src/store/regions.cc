// The caller's memory: where operations may transfer from and to (decision 6).
#include "memory/region_file.h"
#include "store/storage_manager.h"

namespace terrace::store {

Result<RegionId> StorageManager::register_region(void* data, uint64_t bytes) {
  return regions_.add(std::span(static_cast<std::byte*>(data), bytes));
}

Result<RegionId> StorageManager::register_shared_region(int fd, uint64_t offset, uint64_t bytes) {
  auto mapped = memory::map_region_file(fd, offset, bytes);
  if (!mapped) return std::unexpected(mapped.error());
  const auto mapping = std::make_shared<memory::Mapping>(std::move(*mapped));
  const auto region = regions_.add(mapping->bytes().subspan(offset));
  if (!region) return region;
  Lock lock(mutex_);
  mapped_regions_.emplace(*region, mapping);
  return region;
}

Result<void> StorageManager::unregister_region(RegionId region) {
  if (auto ok = regions_.remove(region); !ok) return ok;
  std::shared_ptr<memory::Mapping> mapping;  // unmapped after the mutex is released
  Lock lock(mutex_);
  const auto found = mapped_regions_.find(region);
  if (found == mapped_regions_.end()) return {};
  mapping = std::move(found->second);
  mapped_regions_.erase(found);
  return {};
}

void StorageManager::retire_region(RegionId region) {
  std::shared_ptr<memory::Mapping> mapping;
  {
    Lock lock(mutex_);
    const auto found = mapped_regions_.find(region);
    if (found == mapped_regions_.end()) return;
    mapping = std::move(found->second);
    mapped_regions_.erase(found);
  }
  regions_.retire(region, std::move(mapping));
}

}  // namespace terrace::store
