// Threads that block in preadv, pwritev and fdatasync: for machines that refuse io_uring, equal in behaviour.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <terrace/error.h>

#include "io/io_engine.h"
#include "io/system_calls.h"
#include "io/transfer.h"

namespace terrace::io {

struct PsyncOptions {
  uint32_t depth = 32;             // threads, at most kPsyncThreadsMax; fewer when the machine gives fewer
  std::string reason{};            // why not io_uring
  uint64_t piece_max = kPieceMax;  // bytes a call
};
inline constexpr uint32_t kPsyncThreadsMax = 64;

// kInvalidArgument for a depth of 0; kUnavailable when not even one thread can be had.
Result<std::unique_ptr<IoEngine>> make_psync_engine(PsyncOptions options,
                                                    SystemCalls& calls = system_calls());

}  // namespace terrace::io
