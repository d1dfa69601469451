#include "memory/page_buffer.h"

#include <cstdlib>

#include "base/bytes.h"

namespace terrace::memory {

void PageBuffer::Free::operator()(void* memory) const {
  std::free(memory);
}

Result<PageBuffer> PageBuffer::make(uint64_t bytes) {
  PageBuffer buffer;
  if (bytes > UINT64_MAX - base::kPage) return fail(Code::kNoMemory, "no memory of this size");
  // calloc leaves large memory untouched until it is used; the page more is for aligning.
  buffer.memory_.reset(std::calloc(1, bytes + base::kPage));
  if (!buffer.memory_) return fail(Code::kNoMemory, "out of memory");
  const auto address = reinterpret_cast<uintptr_t>(buffer.memory_.get());
  buffer.data_ =
      static_cast<std::byte*>(buffer.memory_.get()) + (base::round_up(address, base::kPage) - address);
  buffer.size_ = bytes;
  return buffer;
}

}  // namespace terrace::memory
