// The data plane of files: batched asynchronous reads, writes and syncs. Engines: uring, psync, sim; fault is
// a decorator around any of them. Tiers do not call an engine, they call the device's IoScheduler
// (io/scheduler.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include <terrace/error.h>

#include "io/file.h"

namespace terrace::io {

enum class IoOp : uint8_t { kRead, kWrite, kSync };

// Order of service (architecture decision 10): a class is served before those after it.
enum class IoClass : uint8_t { kLoad, kPrefetch, kWrite, kBackground };
inline constexpr int kIoClasses = 4;

struct IoVec {
  void* data = nullptr;
  uint64_t bytes = 0;
};

// Called once, on a thread of the engine: it must be short and must not block or submit under a lock of its
// own.
using IoDone = std::move_only_function<void(Result<void>)>;

// One transfer. The whole of it is done or it failed: engines continue short transfers and retry EINTR and
// EAGAIN (bounded). A read that meets the end of the file is kCorrupt. Memory and file stay valid until
// `done`. On a direct file offset, addresses and lengths are multiples of file->alignment().
struct IoRequest {
  IoOp op = IoOp::kRead;
  IoClass io_class = IoClass::kLoad;
  File* file = nullptr;
  uint64_t offset = 0;
  std::array<IoVec, 3> vec{};  // header page, payload pages, tail page; unused entries have 0 bytes
  IoDone done;

  uint64_t bytes() const { return vec[0].bytes + vec[1].bytes + vec[2].bytes; }
};

struct IoEngineInfo {
  std::string_view name;    // "uring", "psync", "sim"
  std::string_view reason;  // why this engine and not the preferred one; empty when it is
  uint32_t depth = 0;       // requests it takes at once
};

class IoEngine {
 public:
  virtual ~IoEngine() = default;  // stops

  // Takes the requests (moved from) and returns; any thread, also from inside `done`. Never more than
  // info().depth are in flight: the scheduler keeps that bound. After stop(), requests end as kClosed.
  virtual void submit(std::span<IoRequest> batch) = 0;
  virtual IoEngineInfo info() const = 0;
  // Lets simulated time pass until nothing is in flight. The time of real engines passes by itself.
  virtual void drain() {}
  // Waits for what is in flight; idempotent. Must not be called on an engine thread.
  virtual void stop() = 0;
};

}  // namespace terrace::io
