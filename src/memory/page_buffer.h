// Page-aligned heap memory, zeroed: for control records and other small direct IO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <terrace/error.h>

namespace terrace::memory {

class PageBuffer {
 public:
  PageBuffer() = default;  // empty
  // Errors: kNoMemory.
  static Result<PageBuffer> make(uint64_t bytes);

  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::byte* data() { return data_; }
  uint64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Free> memory_;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace terrace::memory
