// L1 for processes that map it (decision 5): where buffers stand in memory that others reach, and whose it
// is.
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

StorageManager::SharedBytes bytes_in(const memory::SharedMemory& memory, const Buffer& buffer) {
  return {memory.id, buffer.slot.offset() + record::kHeaderBytes, buffer.meta.payload_bytes};
}

}  // namespace

StorageManager::Places StorageManager::places_of(std::span<const ReserveAnswer> answers) const {
  Places places;
  Lock lock(mutex_);
  for (const ReserveAnswer& answer : answers) {
    if (!answer.reservation) continue;
    const Buffer& buffer = *buffer_of(answer.reservation);
    const memory::SharedMemory memory = l1_->arena().memory_of(buffer.slot.segment);
    places.emplace_back(bytes_in(memory, buffer), memory);
  }
  return places;
}

Result<StorageManager::Places> StorageManager::places_of(const Blocks& blocks) {
  Places places;
  const auto lease = std::static_pointer_cast<LeasedBlocks>(surface::Access::lease_of(blocks));
  if (lease == nullptr) return places;
  places.reserve(lease->buffers.size());
  Lock lock(mutex_);
  for (const Buffer* buffer : lease->buffers) {
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
