// Aligned 4 KiB pages for record headers and tails of transfers from or to caller memory. Grows with the
// transfers in flight, which are bounded; never shrinks. Guarded by the store's mutex.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "base/bytes.h"

namespace terrace::store {

class PagePool {
 public:
  std::byte* take() {
    if (free_.empty()) grow();
    std::byte* page = free_.back();
    free_.pop_back();
    return page;
  }
  void give(std::byte* page) {
    if (page != nullptr) free_.push_back(page);
  }

 private:
  struct Free {
    void operator()(std::byte* chunk) const { std::free(chunk); }
  };
  static constexpr size_t kPagesPerChunk = 64;

  void grow() {
    auto* chunk = static_cast<std::byte*>(std::aligned_alloc(base::kPage, kPagesPerChunk * base::kPage));
    if (chunk == nullptr) throw std::bad_alloc();
    chunks_.emplace_back(chunk);
    for (size_t i = 0; i < kPagesPerChunk; ++i) free_.push_back(chunk + i * base::kPage);
  }

  std::vector<std::unique_ptr<std::byte, Free>> chunks_;
  std::vector<std::byte*> free_;
};

}  // namespace terrace::store
