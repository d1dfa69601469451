// What the store's handles are in Python's hands.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>

#include <terrace/store.h>

#include "bindings/memory.h"

namespace terrace::python {

// A buffer to fill. While Python looks at its bytes it cannot be committed: what is published never changes.
struct FillBuffer {
  Reservation reservation;
  size_t looked_at = 0;  // buffers and DLPack tensors that are out
};
struct PyReservation {
  std::shared_ptr<FillBuffer> state;
};

struct PyReserveAnswer {
  ReserveOutcome outcome = ReserveOutcome::kNoRoom;
  std::optional<PyReservation> reservation;  // of kBuffer
};

struct PyLookup {
  size_t found = 0;
  std::vector<TierMask> where;
  std::vector<MissReason> reasons;
  std::shared_ptr<Pin> pin;  // null: not asked for, or nothing found
};

// Leased blocks; the lease ends when the last of those who hold it goes.
struct PyBlocks {
  std::shared_ptr<const Blocks> blocks;
};
struct PyBlock {
  std::shared_ptr<const Blocks> blocks;
  size_t index = 0;
  const BlockView& view() const { return (*blocks)[index]; }
};

// The store, and the memory of regions that were dropped while an operation might touch it.
class StoreHandle {
 public:
  explicit StoreHandle(std::unique_ptr<Store> opened) : store(std::move(opened)) {}
  ~StoreHandle();  // closes it, within two seconds and without the GIL
  StoreHandle(const StoreHandle&) = delete;
  StoreHandle& operator=(const StoreHandle&) = delete;

  // Unregisters the region, now or when the next one goes; until then its memory is held. With the GIL.
  void drop(RegionId id, HeldBuffer memory);

  const std::unique_ptr<Store> store;

 private:
  void drop_those_not_busy();
  std::vector<std::pair<RegionId, HeldBuffer>> dropped_;
};

struct Region {
  Region(std::shared_ptr<StoreHandle> owner, RegionId number, uint64_t size, std::optional<HeldBuffer> held)
      : store(std::move(owner)), id(number), bytes(size), memory(std::move(held)) {}
  ~Region();
  std::shared_ptr<StoreHandle> store;
  RegionId id;  // 0: unregistered
  uint64_t bytes;
  std::optional<HeldBuffer> memory;  // absent: of a file, or an address that the caller keeps
};

// Parts of regions, one for each block.
struct Slices {
  std::vector<RegionSlice> slices;
};

}  // namespace terrace::python
