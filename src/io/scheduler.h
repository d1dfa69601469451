// One per device: orders every request by class above whatever engine runs (architecture decision 10).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "io/io_engine.h"

namespace terrace::io {

inline constexpr uint64_t kSmallRequest = 16 * 1024;  // what a request costs the device at least, in bytes
inline constexpr uint64_t kTurns = 16;  // a class waits for at most so many requests of the class before it

struct SchedulerOptions {
  uint32_t depth = 32;                // requests at the device
  uint64_t load_bytes = 8ull << 20;   // bytes of loads and prefetches at the device, at least one request
  uint64_t write_bytes = 8ull << 20;  // likewise writes and background work
  uint32_t writes_beside_loads = 2;   // writes in flight while loads wait or run
  uint32_t load_bytes_per_write_byte = 4;  // while loads run a write byte is earned by this many load bytes;
                                           // a small request counts as kSmallRequest on either side
  uint64_t queued_max = 65536;             // a further request ends as kNoRoom
};

struct SchedulerStats {
  // Per class: requests that ended at the device, the bytes of those that succeeded, those that failed;
  // waiting now.
  std::array<uint64_t, kIoClasses> requests{}, bytes{}, errors{}, queued{};
  uint64_t in_flight = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;  // ended as kNoRoom
};

using IoTicket = uint64_t;

class IoScheduler {
 public:
  IoScheduler(IoEngine& engine, SchedulerOptions options);
  ~IoScheduler();  // waits for what was submitted and its `done`s; not inside a `done`
  IoScheduler(const IoScheduler&) = delete;
  IoScheduler& operator=(const IoScheduler&) = delete;

  // Queues the requests in order and starts what may start. Any thread, also from a `done`. `done` of a
  // request runs on an engine thread after the next requests were started; of a cancelled or refused one on
  // the calling thread (inside cancel or submit). Returns the ticket of the first; the others follow in
  // sequence.
  IoTicket submit(std::span<IoRequest> batch) TERRACE_EXCLUDES(mutex_);
  IoTicket submit(IoRequest request) { return submit(std::span(&request, 1)); }
  // True when the request was still queued: its `done` has been called with kCancelled.
  bool cancel(IoTicket ticket) TERRACE_EXCLUDES(mutex_);
  SchedulerStats stats() const TERRACE_EXCLUDES(mutex_);
  IoEngineInfo engine() const { return engine_.info(); }

 private:
  struct Queued {
    IoTicket ticket = 0;
    IoRequest request;  // without `done`: cancelled, to be skipped
  };
  struct Running {
    IoClass io_class = IoClass::kLoad;
    uint64_t bytes = 0;
    IoDone done;
  };
  void start_ready() TERRACE_EXCLUDES(mutex_);
  bool start_next() TERRACE_REQUIRES(mutex_);
  void start(IoClass io_class) TERRACE_REQUIRES(mutex_);
  bool may_start(IoClass io_class, uint64_t bytes) const TERRACE_REQUIRES(mutex_);
  // Which of two classes is next: the first, unless the second has waited for kTurns of it.
  IoClass next_of(IoClass first, IoClass second) const TERRACE_REQUIRES(mutex_);
  bool loads_wait_or_run() const TERRACE_REQUIRES(mutex_);
  bool is_idle() const TERRACE_REQUIRES(mutex_);
  void skip_cancelled(std::deque<Queued>& queue) const TERRACE_REQUIRES(mutex_);
  void finish(uint32_t slot, Result<void> result) TERRACE_EXCLUDES(mutex_);
  void account(const Running& running, bool ok) TERRACE_REQUIRES(mutex_);

  IoEngine& engine_;
  const SchedulerOptions options_;
  mutable base::Mutex mutex_;
  base::Condition idle_;
  std::array<std::deque<Queued>, kIoClasses> queues_ TERRACE_GUARDED_BY(mutex_);
  std::array<uint64_t, kIoClasses> queued_ TERRACE_GUARDED_BY(mutex_){};  // without the cancelled
  std::array<uint64_t, kIoClasses> in_flight_ TERRACE_GUARDED_BY(mutex_){};
  std::array<uint64_t, kIoClasses> passed_
      TERRACE_GUARDED_BY(mutex_){};  // turns a waiting class stood back for
  uint64_t load_bytes_in_flight_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t write_bytes_in_flight_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t write_credit_ TERRACE_GUARDED_BY(mutex_) = 0;  // bytes that may be written beside loads
  uint64_t callbacks_ TERRACE_GUARDED_BY(mutex_) = 0;     // `done`s being called
  IoTicket next_ticket_ TERRACE_GUARDED_BY(mutex_) = 1;
  SchedulerStats stats_ TERRACE_GUARDED_BY(mutex_);
  std::vector<Running> running_ TERRACE_GUARDED_BY(mutex_);  // a slot per request at the device
  std::vector<uint32_t> free_slots_ TERRACE_GUARDED_BY(mutex_);
  bool starting_ TERRACE_GUARDED_BY(mutex_) = false;  // one thread hands requests to the engine, in order
  std::vector<IoRequest> batch_;                      // owned by that thread
};

}  // namespace terrace::io
