#include "io/scheduler.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/hooks.h"

namespace terrace::io {
namespace {

constexpr size_t index_of(IoClass io_class) {
  return static_cast<size_t>(io_class);
}
constexpr bool is_load(IoClass io_class) {
  return io_class <= IoClass::kPrefetch;
}
constexpr uint64_t cost(uint64_t bytes) {
  return std::max(bytes, kSmallRequest);
}

}  // namespace

IoScheduler::IoScheduler(IoEngine& engine, SchedulerOptions options)
    : engine_(engine), options_([&] {
        options.depth = std::min(options.depth, engine.info().depth);
        return options;
      }()) {
  TERRACE_ASSERT(options_.depth > 0 && options_.writes_beside_loads > 0 &&
                 options_.load_bytes_per_write_byte > 0);
  running_.resize(options_.depth);
  batch_.reserve(options_.depth);
  for (uint32_t slot = options_.depth; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

IoScheduler::~IoScheduler() {
  engine_.drain();
  base::Lock lock(mutex_);
  while (!is_idle()) idle_.wait(mutex_);
}

IoTicket IoScheduler::submit(std::span<IoRequest> batch) {
  IoTicket first = 0;
  size_t taken = 0;
  {
    base::Lock lock(mutex_);
    first = next_ticket_;
    next_ticket_ += batch.size();
    uint64_t queued = 0;
    for (const auto& queue : queues_) queued += queue.size();
    const uint64_t room = options_.queued_max - std::min(queued, options_.queued_max);
    for (; taken < batch.size() && taken < room; ++taken) {
      const size_t of = index_of(batch[taken].io_class);
      try {
        queues_[of].emplace_back();
      } catch (const std::bad_alloc&) {
        break;  // no memory is no room
      }
      queues_[of].back() = {first + taken, std::move(batch[taken])};
      ++queued_[of];
    }
    stats_.refused += batch.size() - taken;
  }
  start_ready();
  for (IoRequest& refused : batch.subspan(taken)) {
    IoDone done = std::move(refused.done);
    done(fail(Code::kNoRoom, "too many requests wait for the device"));
  }
  return first;
}

bool IoScheduler::cancel(IoTicket ticket) {
  IoDone done;
  {
    base::Lock lock(mutex_);
    for (size_t of = 0; of < queues_.size() && !done; ++of) {
      auto& queue = queues_[of];
      const auto found = std::ranges::lower_bound(queue, ticket, {}, &Queued::ticket);
      if (found == queue.end() || found->ticket != ticket || !found->request.done) continue;
      done = std::move(found->request.done);
      found->request.done = nullptr;
      if (!TERRACE_MUTANT("io.cancelled_still_counts")) --queued_[of];
      ++stats_.cancelled;
      // At most half of a queue are entries to be skipped, so cancelling cannot fill it.
      if (queue.size() > 2 * queued_[of])
        std::erase_if(queue, [](const Queued& q) { return !q.request.done; });
    }
    if (!done) return false;
    ++callbacks_;
  }
  start_ready();  // what stood behind it may fit
  TERRACE_PROBE("io.cancelled_while_queued");
  done(fail(Code::kCancelled, "cancelled before it reached the device"));
  base::Lock lock(mutex_);
  --callbacks_;
  if (is_idle()) idle_.notify_all();
  return true;
}

SchedulerStats IoScheduler::stats() const {
  base::Lock lock(mutex_);
  SchedulerStats stats = stats_;
  stats.queued = queued_;
  stats.in_flight = options_.depth - free_slots_.size();
  return stats;
}

bool IoScheduler::is_idle() const {
  const bool nothing_queued = std::ranges::all_of(queued_, [](uint64_t n) { return n == 0; });
  return nothing_queued && !starting_ && callbacks_ == 0 && free_slots_.size() == options_.depth;
}

bool IoScheduler::loads_wait_or_run() const {
  const size_t load = index_of(IoClass::kLoad), prefetch = index_of(IoClass::kPrefetch);
  return queued_[load] + queued_[prefetch] + in_flight_[load] + in_flight_[prefetch] > 0;
}

// One thread at a time hands requests over; others, and a `done` that the engine calls inside submit, leave
// their work to it. So requests reach the engine in order and the stack does not grow with the queue.
void IoScheduler::start_ready() {
  {
    base::Lock lock(mutex_);
    if (starting_) return;
    starting_ = true;
  }
  for (;;) {
    {
      base::Lock lock(mutex_);
      while (start_next()) {
      }
      if (batch_.empty()) {
        starting_ = false;
        if (is_idle()) idle_.notify_all();
        return;
      }
    }
    engine_.submit(batch_);
    batch_.clear();
  }
}

void IoScheduler::skip_cancelled(std::deque<Queued>& queue) const {
  while (!queue.empty() && !queue.front().request.done) {
    TERRACE_PROBE("io.skips_a_cancelled_request");
    queue.pop_front();
  }
}

IoClass IoScheduler::next_of(IoClass first, IoClass second) const {
  if (queued_[index_of(second)] == 0) return first;
  if (queued_[index_of(first)] == 0) return second;
  return passed_[index_of(second)] >= kTurns ? second : first;
}

bool IoScheduler::may_start(IoClass io_class, uint64_t bytes) const {
  if (is_load(io_class)) {
    return load_bytes_in_flight_ == 0 || load_bytes_in_flight_ + bytes <= options_.load_bytes;
  }
  if (write_bytes_in_flight_ != 0 && write_bytes_in_flight_ + bytes > options_.write_bytes) return false;
  if (!loads_wait_or_run()) return true;
  const uint64_t writes = in_flight_[index_of(IoClass::kWrite)] + in_flight_[index_of(IoClass::kBackground)];
  return writes < options_.writes_beside_loads &&
         write_credit_ >= std::min(cost(bytes), options_.write_bytes);
}

// Moves the next request that may start to batch_. Writes stand before loads only with credit, and credit is
// what loads earned them: so neither waits for ever.
bool IoScheduler::start_next() {
  if (free_slots_.empty()) return false;
  for (auto& queue : queues_) skip_cancelled(queue);
  const IoClass load = next_of(IoClass::kLoad, IoClass::kPrefetch);
  const IoClass write = next_of(IoClass::kWrite, IoClass::kBackground);
  const auto try_start = [this](IoClass io_class) TERRACE_REQUIRES(mutex_) {
    const auto& queue = queues_[index_of(io_class)];
    if (queue.empty() || !may_start(io_class, queue.front().request.bytes())) return false;
    start(io_class);
    return true;
  };
  return try_start(write) || try_start(load);
}

void IoScheduler::start(IoClass io_class) {
  const size_t of = index_of(io_class);
  IoRequest request = std::move(queues_[of].front().request);
  queues_[of].pop_front();
  --queued_[of];
  ++in_flight_[of];
  passed_[of] = 0;
  if (of % 2 == 0 && queued_[of + 1] > 0) ++passed_[of + 1];

  const uint64_t bytes = request.bytes();
  if (is_load(io_class)) {
    load_bytes_in_flight_ += bytes;
  } else {
    write_bytes_in_flight_ += bytes;
    if (loads_wait_or_run()) write_credit_ -= std::min(cost(bytes), write_credit_);
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  running_[slot] = {io_class, bytes, std::move(request.done)};
  request.done = [this, slot](Result<void> result) { finish(slot, result); };
  batch_.push_back(std::move(request));
}

void IoScheduler::account(const Running& running, bool ok) {
  const size_t of = index_of(running.io_class);
  --in_flight_[of];
  ++stats_.requests[of];
  if (ok) {
    stats_.bytes[of] += running.bytes;
  } else {
    ++stats_.errors[of];
  }
  if (is_load(running.io_class)) {
    load_bytes_in_flight_ -= running.bytes;
    // Enough for the writes that may run beside loads, no more: credit is not saved up for a burst.
    write_credit_ = std::min(write_credit_ + cost(running.bytes) / options_.load_bytes_per_write_byte,
                             std::max(options_.write_bytes, kSmallRequest));
  } else {
    write_bytes_in_flight_ -= running.bytes;
  }
}

void IoScheduler::finish(uint32_t slot, Result<void> result) {
  IoDone done;
  {
    base::Lock lock(mutex_);
    account(running_[slot], result.has_value());
    done = std::move(running_[slot].done);
    free_slots_.push_back(slot);
    ++callbacks_;
  }
  start_ready();
  done(result);
  base::Lock lock(mutex_);
  --callbacks_;
  if (is_idle()) idle_.notify_all();
}

}  // namespace terrace::io
