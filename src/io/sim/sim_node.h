// The bytes of one simulated file: what it holds now, and what it may hold after a power cut. Guarded by its
// disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace terrace::io {

class SimNode {
 public:
  static constexpr uint64_t kSector = 512;

  uint64_t bytes() const { return bytes_; }
  uint64_t allocated_bytes() const { return (reserved_pages_ + pages_beyond_) * base::kPage; }
  uint64_t pending_pages() const;
  // Pages of the range that no write has touched since the sync.
  uint64_t clean_pages(uint64_t offset, uint64_t bytes) const;
  // What allocated_bytes() would be after such a call.
  uint64_t allocated_after_write(uint64_t offset, uint64_t bytes) const;
  uint64_t allocated_after_allocate(uint64_t bytes) const;

  void read(uint64_t offset, std::span<std::byte> to) const;  // within bytes()
  void write(uint64_t offset, std::span<const std::byte> from);
  void allocate(uint64_t bytes);  // a shorter length is durable at once
  void sync();
  void damage(uint64_t offset,
              std::span<const std::byte> bytes);  // rot: of the present and of what may survive

  // The power goes: from here on only what survived. `keep` is the chance that an unsynced page write did.
  void settle(base::Random& random, double keep);

 private:
  using Page = std::array<std::byte, base::kPage>;
  using PageBox = std::unique_ptr<Page>;  // empty: a hole, zeros

  static constexpr size_t kVersionsMax = 4;  // of a page a crash may fall back to

  void remember(uint64_t page);
  PageBox survivor(std::vector<PageBox> versions, base::Random& random, double keep) const;

  uint64_t bytes_ = 0, durable_bytes_ = 0;
  uint64_t reserved_pages_ = 0, durable_reserved_pages_ = 0;
  uint64_t pages_beyond_ = 0;  // pages written behind the reservation
  std::map<uint64_t, PageBox> pages_;
  // Of pages written since the sync: what they held before, the durable version first.
  std::map<uint64_t, std::vector<PageBox>> history_;
};

}  // namespace terrace::io
