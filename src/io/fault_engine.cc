#include "io/fault_engine.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace terrace::io {
namespace {

void apply(const Fault& fault, IoRequest& request) {
  switch (fault.kind) {
    case Fault::Kind::kNone:
      break;
    case Fault::Kind::kError:
      // What is left of the request, often nothing, goes through the engine: its thread and time are kept.
      if (request.op == IoOp::kSync) request.op = IoOp::kRead;
      truncate(request.vec, fault.at);
      request.done = [done = std::move(request.done)](Result<void>) mutable {
        done(fail(Code::kIo, "injected error", EIO));
      };
      break;
    case Fault::Kind::kFlip:
      request.done = [done = std::move(request.done), vec = request.vec,
                      bit = fault.at](Result<void> r) mutable {
        if (r) flip_bit(vec, bit);
        done(r);
      };
      break;
    case Fault::Kind::kTruncate:
      truncate(request.vec, fault.at);
      break;
    case Fault::Kind::kMove:
      request.offset = fault.at;
      break;
  }
}

}  // namespace

void FaultEngine::submit(std::span<IoRequest> batch) {
  const base::TimePoint now = clock_.now();
  const base::TimePoint stalled_until = plan_.stalled_until();
  std::vector<IoRequest> at_once;
  for (IoRequest& request : batch) {
    const Fault fault = plan_.decide(request.op, *request.file, request.offset, request.bytes());
    apply(fault, request);
    const base::TimePoint start = std::max(base::after(now, fault.delay), stalled_until);
    if (start > now) {
      submit_at(start, std::move(request));
    } else {
      at_once.push_back(std::move(request));
    }
  }
  if (!at_once.empty()) engine_->submit(at_once);
}

void FaultEngine::submit_at(base::TimePoint when, IoRequest request) {
  {
    base::Lock lock(mutex_);
    if (!stopping_) {
      const uint64_t id = next_id_++;
      ++timers_;
      const base::TimerId timer = executor_.post_at(when, [this, id] { submit_delayed(id); });
      delayed_.emplace(id, Delayed{std::move(request), timer});
      return;
    }
  }
  engine_->submit(std::span(&request, 1));
}

void FaultEngine::submit_delayed(uint64_t id) {
  IoRequest request;
  bool found = false;
  {
    base::Lock lock(mutex_);
    if (const auto at = delayed_.find(id); at != delayed_.end()) {
      request = std::move(at->second.request);
      delayed_.erase(at);
      found = true;
    }
  }
  if (found) engine_->submit(std::span(&request, 1));
  base::Lock lock(mutex_);
  if (--timers_ == 0) no_timers_.notify_all();
}

void FaultEngine::submit_all_delayed() {
  std::map<uint64_t, Delayed> delayed;
  {
    base::Lock lock(mutex_);
    delayed.swap(delayed_);
  }
  for (auto& [id, one] : delayed) {
    if (executor_.cancel(one.timer)) {
      base::Lock lock(mutex_);
      --timers_;
    }
    engine_->submit(std::span(&one.request, 1));
  }
}

void FaultEngine::drain() {
  // Time is the executor's: what is delayed has to start now, and what its `done` submits again.
  for (;;) {
    submit_all_delayed();
    engine_->drain();
    base::Lock lock(mutex_);
    if (delayed_.empty()) return;
  }
}

void FaultEngine::stop() {
  {
    base::Lock lock(mutex_);
    stopping_ = true;
  }
  submit_all_delayed();
  {
    base::Lock lock(mutex_);
    while (timers_ != 0) no_timers_.wait(mutex_);
  }
  engine_->stop();
}

}  // namespace terrace::io
