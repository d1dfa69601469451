// How asynchronous operations report (S4): a queue with an eventfd that engines poll. Futures and callbacks
// stand on it. Each event comes exactly once, never inside the call that submitted the operation, never under
// a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <terrace/error.h>
#include <terrace/key.h>
#include <terrace/options.h>

namespace terrace {

enum class EventKind : uint8_t {
  kWrite,       // one block in one tier: status, cause, error
  kWriteBatch,  // once per commit or put, after its last kWrite
  kResult,      // a get, get_into or prefetch has its result
  kReleased,    // no IO touches the caller's memory any more: once per get_into, after kResult; once per
                // accepted key of a put (S7)
};

enum class WriteStatus : uint8_t { kOk, kDropped, kFailed };

// Why a write was dropped. Closed; stable numbers.
enum class DropCause : uint8_t {
  kNone,
  kBacklog,        // store.bytes_in_flight was reached (S3)
  kParentDropped,  // its parent is neither in that tier nor on its way there (S3)
  kNoRoom,         // everything that could make room there is pinned
  kTooLarge,       // larger than the tier's segment (K4)
  kUnavailable,    // the tier's breaker is open, or it is closing
  kRemoved,        // removed or cleared while it ran (D1)
  kNotAdmitted,    // the tier's admission policy refused it
  kQuota,          // its tenant has all of its quota there, in blocks that may not leave (D2)
};

struct Completion {
  EventKind kind = EventKind::kResult;
  WriteStatus status = WriteStatus::kOk;
  DropCause cause = DropCause::kNone;
  uint16_t tier = 0;  // index into StoreOptions::tiers plus 1
  uint64_t tag = 0;   // as given to the operation
  Key key{};          // of kWrite; of a put's kReleased
  Error error{};      // of kFailed
};

// Made by Store::make_queue. Thread-safe. Events are as many as the operations the caller has running.
class CompletionQueue {
 public:
  virtual ~CompletionQueue() = default;
  // Readable while events wait; edge and level both work. -1 where no eventfd can be had. Owned by the queue.
  virtual int fd() = 0;
  // Takes up to events.size() events; returns how many. Never blocks.
  virtual size_t poll(std::span<Completion> events) = 0;
  // poll, waiting for at least one event until the timeout.
  virtual size_t wait(std::span<Completion> events, Timeout timeout) = 0;
};

}  // namespace terrace
