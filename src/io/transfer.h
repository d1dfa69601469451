// What the real engines share: the progress of one request through several system calls, and what a buffered
// file owes the page cache afterwards.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "io/io_engine.h"

namespace terrace::io {

inline constexpr uint64_t kPieceMax = 1ull << 30;  // bytes a call; Linux itself stops at 0x7ffff000
inline constexpr int kRetriesMax = 100;            // calls in a row without progress

class Transfer {
 public:
  Transfer() = default;
  explicit Transfer(IoRequest request, uint64_t piece_max = kPieceMax);

  const IoRequest& request() const { return request_; }
  // What the next call is to move, and where. Valid until the next call of either, and while this stands
  // still.
  std::span<const iovec> vectors();
  uint64_t offset() const { return request_.offset + moved_; }
  // The last call made no progress: the next one had better be allowed to block.
  bool is_retry() const { return retries_ > 0; }

  // Takes what a call returned, bytes or -errno. Empty: make another call; else the request ended so.
  std::optional<Result<void>> advance(int64_t returned);
  IoDone take_done() { return std::move(request_.done); }

 private:
  std::optional<Result<void>> retry_or(std::unexpected<Error> error);

  IoRequest request_;
  std::array<iovec, 3> piece_{};
  uint64_t piece_max_ = kPieceMax;
  uint64_t bytes_ = 0;  // of the whole request
  uint64_t moved_ = 0;
  int retries_ = 0;
};

// Buffered files must not fill the page cache with what is read or written once.
enum class DropBehind : uint8_t {
  kNothing,
  kDropRange,       // posix_fadvise(DONTNEED) of what was read
  kStartWriteback,  // sync_file_range(WRITE) of what was written; a later sync drops it
  kDropFile,        // posix_fadvise(DONTNEED) of the whole file, clean now
};
inline constexpr uint64_t kDropBehindMin = 16 * 1024;  // smaller records (tables) stay cached

DropBehind drop_behind(const IoRequest& request);

}  // namespace terrace::io
