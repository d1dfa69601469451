// One mapping of memory, aligned to huge pages and kept out of core dumps; unmapped when destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <terrace/error.h>

namespace terrace::memory {

inline constexpr uint64_t kHugePage = 2ull << 20;

class Mapping {
 public:
  // Private memory, zero. Errors: kNoMemory.
  static Result<Mapping> anonymous(uint64_t bytes);
  // The first `bytes` of a memfd, of ours or of another process. Errors: kNoMemory; kPermission for a
  // writable mapping of a file that is sealed against it.
  static Result<Mapping> shared(int fd, uint64_t bytes, bool writable);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::span<std::byte> bytes() const { return {base_, bytes_}; }
  // Takes the pages of a writable mapping now. Changes no bytes; safe beside readers and writers.
  void populate() const;

 private:
  static Result<Mapping> map(uint64_t bytes, int protection, int flags, int fd);

  std::byte* base_ = nullptr;
  uint64_t bytes_ = 0;
};

// The mode in force of a file of /sys/kernel/mm/transparent_hugepage, the one in brackets there ("always
// [madvise] never"); empty when there is none.
std::string chosen_huge_pages(const std::string& file);

}  // namespace terrace::memory
