// Memory of the caller (an engine's host pool), registered for direct transfer (decision 6). The table owns
// no memory: it knows what may be touched and how many operations still may touch it. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include <terrace/error.h>

#include "base/mutex.h"

namespace terrace::memory {

using RegionId = uint64_t;  // 0: none

class RegionTable;

// While it lives, its region cannot be unregistered (R5, S7). Move-only; outlived by the table.
class RegionUse {
 public:
  RegionUse() = default;
  RegionUse(RegionUse&& other) noexcept : table_(other.table_), id_(other.id_) { other.table_ = nullptr; }
  RegionUse& operator=(RegionUse&& other) noexcept;
  ~RegionUse() { release(); }
  RegionUse(const RegionUse&) = delete;
  RegionUse& operator=(const RegionUse&) = delete;

  void release();  // now; idempotent
  RegionId region() const { return table_ == nullptr ? 0 : id_; }

 private:
  friend class RegionTable;
  RegionUse(RegionTable& table, RegionId id) : table_(&table), id_(id) {}

  RegionTable* table_ = nullptr;
  RegionId id_ = 0;
};

class RegionTable {
 public:
  // Errors: kInvalidArgument for empty memory, memory that wraps round, or that overlaps a registered region.
  Result<RegionId> add(std::span<std::byte> memory) TERRACE_EXCLUDES(mutex_);
  // Errors: kNotFound; kBusy while an operation may still touch the region.
  Result<void> remove(RegionId id) TERRACE_EXCLUDES(mutex_);
  // Nothing new may touch the region; `memory` is let go when nothing does any more.
  void retire(RegionId id, std::shared_ptr<void> memory) TERRACE_EXCLUDES(mutex_);
  // The right to let an operation touch `memory`. Errors: kInvalidArgument when it is not wholly in one
  // region.
  Result<RegionUse> use(std::span<const std::byte> memory) TERRACE_EXCLUDES(mutex_);
  // The bytes [offset, offset + bytes) of a region. Errors: kNotFound, kInvalidArgument when not wholly in
  // it.
  Result<std::span<std::byte>> slice(RegionId id, uint64_t offset, uint64_t bytes) const
      TERRACE_EXCLUDES(mutex_);
  uint64_t uses(RegionId id) const TERRACE_EXCLUDES(mutex_);

 private:
  friend class RegionUse;
  struct Region {
    RegionId id = 0;
    uint64_t bytes = 0;
    uint64_t uses = 0;
    bool retired = false;
    std::shared_ptr<void> memory{};  // of a retired one
  };
  void end_use(RegionId id) TERRACE_EXCLUDES(mutex_);

  mutable base::Mutex mutex_;
  std::map<uintptr_t, Region> regions_ TERRACE_GUARDED_BY(mutex_);  // by first address
  std::map<RegionId, uintptr_t> addresses_ TERRACE_GUARDED_BY(mutex_);
  RegionId next_id_ TERRACE_GUARDED_BY(mutex_) = 1;
};

}  // namespace terrace::memory
