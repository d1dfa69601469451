// Memory of a client's own that blocks are put from and got into: plain memory, or, for a store that a server
// keeps, memory that the server can map too. Page-aligned, so that which reads go straight into it does not
// follow from where the heap put it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <terrace/store.h>

#include "io/descriptor.h"
#include "memory/mapping.h"
#include "memory/page_buffer.h"

namespace terrace::lab {

class CallerMemory {
 public:
  CallerMemory() = default;  // empty
  // Errors: kNoMemory; kLimitExceeded without a descriptor.
  static Result<CallerMemory> make(uint64_t bytes, bool shared);

  std::span<std::byte> bytes() { return is_shared() ? mapping_.bytes() : plain_.bytes(); }
  Result<RegionId> register_with(Store& store);

 private:
  bool is_shared() const { return file_ != nullptr; }

  memory::PageBuffer plain_;
  std::unique_ptr<io::Descriptor> file_;  // of shared memory
  memory::Mapping mapping_;
};

}  // namespace terrace::lab
