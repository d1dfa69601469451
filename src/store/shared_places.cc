// L1 for processes that map it (decision 5): where buffers stand in memory that others reach, and whose it
// is.
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

StorageManager::SharedBytes bytes_in(const memory::SharedMemory& memory, const Buffer& buffer) {
  return {memory.id, buffer.slot.offset() + record::kHeaderBytes, buffer.meta.payload_bytes};
}

}  // namespace

std::pair<StorageManager::SharedBytes, memory::SharedMemory> StorageManager::place_of(
    const Reservation& reservation) const {
  Lock lock(mutex_);
  const memory::SharedMemory memory = l1_->arena().memory_of(reservation.buffer_->slot.segment);
  return {bytes_in(memory, *reservation.buffer_), memory};
}

Result<std::vector<std::pair<StorageManager::SharedBytes, memory::SharedMemory>>> StorageManager::places_of(
    const Blocks& blocks) {
  std::vector<std::pair<SharedBytes, memory::SharedMemory>> places;
  places.reserve(blocks.buffers_.size());
  Lock lock(mutex_);
  for (const Buffer* buffer : blocks.buffers_) {
    const auto memory = l1_->arena().sealed_memory_of(buffer->slot.segment);
    if (!memory) return std::unexpected(memory.error());
    places.emplace_back(bytes_in(*memory, *buffer), *memory);
  }
  return places;
}

// Others get the mutex between two segments.
void StorageManager::disown(memory::SlotOwner owner, bool has_ended) {
  for (bool all = false; !all;) {
    Lock lock(mutex_);
    all = l1_->disown(owner, has_ended ? 0 : memory::kNobody);
    progress_made();
  }
}

std::vector<uint64_t> StorageManager::take_replaced_memory() {
  Lock lock(mutex_);
  return l1_->arena().take_replaced();
}

}  // namespace terrace::store
