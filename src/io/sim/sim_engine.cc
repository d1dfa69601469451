#include "io/sim/sim_engine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "io/fault_plan.h"
#include "io/sim/sim_file_system.h"

namespace terrace::io {
namespace {

void check_alignment(const IoRequest& request) {
  const uint64_t alignment = request.file->alignment();
  TERRACE_ASSERT(request.offset % alignment == 0);
  for (const IoVec& vec : request.vec) {
    TERRACE_ASSERT(vec.bytes == 0 ||
                   (vec.bytes % alignment == 0 && std::bit_cast<uintptr_t>(vec.data) % alignment == 0));
  }
}

}  // namespace

SimEngine::SimEngine(SimDisk& disk, base::Executor& executor, base::Clock& clock, SimEngineOptions options)
    : disk_(disk), executor_(executor), clock_(clock), options_(options), random_(options.seed) {
  disk_.attach(*this);
}

SimEngine::~SimEngine() {
  stop();
  disk_.detach(*this);
}

void SimEngine::submit(std::span<IoRequest> batch) {
  for (IoRequest& request : batch) {
    TERRACE_ASSERT(request.file->fd() == -1);
    check_alignment(request);
    start(std::move(request));
  }
}

void SimEngine::start(IoRequest request) {
  {
    base::Lock lock(mutex_);
    if (!stopped_) {
      const uint64_t id = next_id_++;
      const base::TimePoint end = end_of(request);
      const base::TimerId timer = executor_.post_at(end, [this, id] { finish(id); });
      running_.emplace(id, Running{std::move(request), timer});
      return;
    }
  }
  request.done(fail(Code::kClosed, "the engine was stopped"));
}

base::TimePoint SimEngine::end_of(const IoRequest& request) {
  const double speed = request.op == IoOp::kRead ? options_.read_bytes_per_ns : options_.write_bytes_per_ns;
  const auto transfer = static_cast<int64_t>(static_cast<double>(request.bytes()) / speed);
  busy_until_ = std::max(busy_until_, clock_.now()) + base::Duration(transfer);
  const base::Duration jitter(random_.below(static_cast<uint64_t>(options_.jitter.count()) + 1));
  return busy_until_ + (request.op == IoOp::kSync ? options_.sync_latency : options_.latency) + jitter;
}

void SimEngine::finish(uint64_t id) {
  Running ended;
  {
    base::Lock lock(mutex_);
    const auto at = running_.find(id);
    if (at == running_.end()) return;
    ended = std::move(at->second);
    running_.erase(at);
    ++finishing_;
  }
  const Result<void> result =
      ended.abandoned ? fail(Code::kClosed, "the simulated process is dead") : perform(ended.request);
  ended.request.done(result);
  base::Lock lock(mutex_);
  --finishing_;
  if (running_.empty() && finishing_ == 0 && idle_ != nullptr) executor_.signal(*idle_);
}

Result<void> SimEngine::perform(const IoRequest& request) {
  const auto& file = static_cast<const SimFile&>(*request.file);
  if (request.op == IoOp::kSync) return disk_.sync(file.handle());
  if (request.op == IoOp::kWrite && file.is_read_only()) {
    return fail(Code::kPermission, "the file was opened to read");
  }
  uint64_t offset = request.offset;
  for (const IoVec& vec : request.vec) {
    const std::span bytes(static_cast<std::byte*>(vec.data), vec.bytes);
    auto moved = request.op == IoOp::kRead ? disk_.read(file.handle(), offset, bytes)
                                           : disk_.write(file.handle(), offset, bytes);
    if (!moved) return moved;
    offset += vec.bytes;
  }
  return {};
}

void SimEngine::life_ends(base::Random& random) {
  base::Lock lock(mutex_);
  for (auto& [id, running] : running_) {
    if (std::exchange(running.abandoned, true) || running.request.op != IoOp::kWrite) continue;
    IoRequest head;
    head.op = IoOp::kWrite;
    head.file = running.request.file;
    head.offset = running.request.offset;
    head.vec = running.request.vec;
    // Whole, none, or its first sectors.
    const uint64_t sectors = head.bytes() / SimNode::kSector;
    const uint64_t kind = random.below(3);
    if (kind == 1) truncate(head.vec, 0);
    if (kind == 2) truncate(head.vec, random.below(sectors + 1) * SimNode::kSector);
    (void)perform(head);
  }
}

void SimEngine::drain() {
  base::Event idle;
  {
    base::Lock lock(mutex_);
    if (running_.empty() && finishing_ == 0) return;
    idle_ = &idle;
  }
  if (executor_.wait(idle, base::kForever)) {
    base::Lock lock(mutex_);
    idle_ = nullptr;
    return;
  }
  for (;;) {
    uint64_t id = 0;
    {
      base::Lock lock(mutex_);
      idle_ = nullptr;
      if (running_.empty()) return;
      id = running_.begin()->first;
      executor_.cancel(running_.begin()->second.timer);
    }
    finish(id);
  }
}

void SimEngine::stop() {
  {
    base::Lock lock(mutex_);
    stopped_ = true;
  }
  drain();
}

}  // namespace terrace::io
