// io_uring on one thread of its own (SINGLE_ISSUER, DEFER_TASKRUN where the kernel has them). Any thread may
// submit: an inbox and an eventfd read armed in the ring wake the engine only when it sleeps, and a
// submission from inside `done` goes straight to the kernel. Nothing is polled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <terrace/error.h>

#include "io/io_engine.h"
#include "io/transfer.h"

namespace terrace::io {

struct UringOptions {
  uint32_t depth = 32;
  uint32_t sq_entries = 0;  // 0: enough for the depth; tests make it small, and the CQ overflow
  uint32_t cq_entries = 0;  // 0: twice sq_entries
  uint64_t piece_max = kPieceMax;
  uint32_t refusals_max =
      1000;  // io_uring_enter refused so often in a row, a millisecond apart: requests fail

  // For tests: stand between kernel and engine.
  std::move_only_function<int32_t(int32_t)> change_result{};  // of a transfer, bytes or -errno
  std::move_only_function<int()> refuse_enter{};              // 0, or the -errno to answer instead
};

// Fails where the machine refuses (seccomp, io_uring_disabled, no memory, no descriptors).
Result<std::unique_ptr<IoEngine>> make_uring_engine(UringOptions options);
inline Result<std::unique_ptr<IoEngine>> make_uring_engine(uint32_t depth) {
  return make_uring_engine(UringOptions{.depth = depth});
}

}  // namespace terrace::io
