// The arena's memory, taken ahead of need by a thread of its own.
#include <condition_variable>
#include <system_error>

#include "base/log.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {
constexpr auto kAskAgain = std::chrono::milliseconds(100);  // for memory that was not free
constexpr auto kLookAgain = std::chrono::seconds(1);        // for a segment that is withheld later
}  // namespace

void StorageManager::begin_warming(std::function<void(const std::stop_token&)> work) {
  try {
    warmer_ = std::jthread([work = std::move(work)](const std::stop_token& stop) {
      try {
        work(stop);
      } catch (
          const std::bad_alloc&) {  // asked for again by the allocation that needs it, which will say why
      }
    });
  } catch (const std::system_error& error) {
    base::log::warn("no thread to prepare L1 ahead of need: {}", error.what());
  }
}

void StorageManager::warm_in_background() {
  memory::Arena* arena = nullptr;
  uint32_t segments = 0;
  {
    Lock lock(mutex_);
    arena = &l1_->arena();
    segments = arena->slots().segments();
  }
  begin_warming([arena, segments](const std::stop_token& stop) {
    for (uint32_t segment = 0; segment < segments && !stop.stop_requested(); ++segment) {
      if (!arena->warm(segment)) return;
    }
  });
}

void StorageManager::fill_in_background() {
  memory::Arena* arena = nullptr;
  {
    Lock lock(mutex_);
    arena = &l1_->arena();
    arena->open_when_warm();
  }
  open_next_segment(*arena);
  begin_warming([this, arena](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    while (!stop.stop_requested()) {
      const Filling filling = open_next_segment(*arena);
      if (filling == Filling::kOpened) continue;
      std::unique_lock lock(mutex);
      const base::Duration pause = filling == Filling::kFull ? base::Duration(kLookAgain) : kAskAgain;
      stopped.wait_for(lock, stop, pause, [] { return false; });
    }
  });
}

StorageManager::Filling StorageManager::open_next_segment(memory::Arena& arena) {
  uint32_t segment = 0;
  {
    Lock lock(mutex_);
    const uint32_t end = arena.slots().segments();
    while (segment < end && arena.is_open(segment)) ++segment;
    if (segment == end) return Filling::kFull;
  }
  if (!arena.warm(segment)) return Filling::kNoMemory;
  Lock lock(mutex_);
  arena.open(segment);
  progress_made();
  return Filling::kOpened;
}

uint64_t StorageManager::l1_bytes_open() const {
  Lock lock(mutex_);
  const memory::Arena& arena = l1_->arena();
  uint64_t bytes = 0;
  for (uint32_t segment = 0; segment < arena.slots().segments(); ++segment)
    bytes += arena.is_open(segment) ? arena.slots().options().segment_bytes : 0;
  return bytes;
}

}  // namespace terrace::store
