#include "io/uring_engine.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <future>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <boost/circular_buffer.hpp>

#include "base/hooks.h"
#include "base/mutex.h"
#include "io/os_error.h"
#include "io/request_queue.h"

namespace terrace::io {
namespace {

constexpr uint64_t kWake = UINT64_MAX;         // user_data of the eventfd read
constexpr uint64_t kIgnored = UINT64_MAX - 1;  // of an entry that was taken back

class UringEngine final : public IoEngine {
 public:
  explicit UringEngine(UringOptions options)
      : options_(std::move(options)),
        depth_(options_.depth),
        slots_(depth_),
        waiting_(depth_),
        ready_(depth_) {
    inbox_.reserve(depth_);
    taken_.reserve(depth_);
    for (uint32_t slot = depth_; slot > 0; --slot) free_.push_back(slot - 1);
  }
  ~UringEngine() override {
    stop();
    if (wake_fd_ >= 0) ::close(wake_fd_);
  }

  Result<void> start();
  void submit(std::span<IoRequest> batch) override TERRACE_EXCLUDES(mutex_);
  IoEngineInfo info() const override { return {"uring", "", depth_}; }
  void stop() override TERRACE_EXCLUDES(mutex_);

 private:
  struct Slot {
    Transfer transfer;
    DropBehind drop = DropBehind::kNothing;  // the stage after the transfer, on buffered files
  };

  // Everything below runs on the engine's thread.
  void run(std::promise<int> ready);
  int set_up_ring();
  bool turn() TERRACE_EXCLUDES(mutex_);  // false: stopped and idle
  bool may_sleep() TERRACE_EXCLUDES(mutex_);
  void start_waiting();
  void prepare();
  bool prepare_one(uint64_t user_data);
  void fill(io_uring_sqe* entry, uint32_t slot);
  int enter(unsigned wait_for);
  void count_refusal(int returned);
  void give_up(int sys_errno);
  void reap();
  void advance(uint32_t slot, int32_t returned);
  void finish(uint32_t slot, Result<void> result);

  UringOptions options_;
  const uint32_t depth_;
  int wake_fd_ = -1;
  std::atomic<std::thread::id> engine_thread_{};

  base::Mutex mutex_;
  std::vector<IoRequest> inbox_ TERRACE_GUARDED_BY(mutex_);
  bool asleep_ TERRACE_GUARDED_BY(mutex_) = false;  // a submitter must write the eventfd
  bool stopping_ TERRACE_GUARDED_BY(mutex_) = false;
  base::Mutex joining_;  // held by whoever starts or stops; before mutex_
  std::thread thread_ TERRACE_GUARDED_BY(joining_);

  // Owned by the engine's thread.
  io_uring ring_{};
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<IoRequest> taken_;            // what the inbox held
  RequestQueue waiting_;                    // beyond the depth; empty under a scheduler
  boost::circular_buffer<uint32_t> ready_;  // slots that need a submission entry
  uint64_t wake_value_ = 0;
  bool wake_armed_ = false;
  bool drained_stop_ = false;
  uint32_t refusals_ = 0;
};

Result<void> UringEngine::start() {
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  if (wake_fd_ < 0) return os_error(errno, "eventfd");
  base::Lock joining(joining_);
  std::promise<int> ready;
  std::future<int> refused = ready.get_future();
  try {
    thread_ = std::thread([this, promise = std::move(ready)]() mutable { run(std::move(promise)); });
  } catch (const std::system_error& error) {
    return fail(Code::kUnavailable, "no thread for disk IO", error.code().value());
  }
  const int returned = refused.get();
  if (returned < 0) return os_error(-returned, "io_uring_setup");
  return {};
}

void UringEngine::submit(std::span<IoRequest> batch) {
  const bool inside = std::this_thread::get_id() == engine_thread_.load(std::memory_order_relaxed);
  {
    base::Lock lock(mutex_);
    if (!stopping_) {
      if (!inside) {
        std::move(batch.begin(), batch.end(), std::back_inserter(inbox_));
        if (std::exchange(asleep_, false)) ::eventfd_write(wake_fd_, 1);
        return;
      }
      for (IoRequest& request : batch) waiting_.push(std::move(request));
      batch = {};
    }
  }
  if (batch.empty()) {
    // The next transfer starts before the `done` we are in goes on.
    start_waiting();
    (void)enter(0);
    return;
  }
  for (IoRequest& request : batch) {
    IoDone done = std::move(request.done);
    done(fail(Code::kClosed, "the engine was stopped"));
  }
}

void UringEngine::stop() {
  base::Lock joining(joining_);
  {
    base::Lock lock(mutex_);
    stopping_ = true;
    if (std::exchange(asleep_, false)) ::eventfd_write(wake_fd_, 1);
  }
  if (thread_.joinable()) thread_.join();
}

int UringEngine::set_up_ring() {
  const uint32_t sq_entries =
      options_.sq_entries != 0 ? options_.sq_entries : std::bit_ceil(depth_ + 1);  // and the wake-up
  int returned = -EINVAL;
  // Kernels before 6.1 lack DEFER_TASKRUN, before 5.19 COOP_TASKRUN.
  for (const unsigned flags :
       {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0u}) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_CQSIZE;
    params.cq_entries = options_.cq_entries != 0 ? options_.cq_entries : 2 * sq_entries;
    returned = io_uring_queue_init_params(sq_entries, &ring_, &params);
    if (returned != -EINVAL) break;
  }
  if (returned < 0) return returned;
  if ((ring_.features & IORING_FEAT_NODROP) == 0) {  // before 5.5 an overflow loses completions
    io_uring_queue_exit(&ring_);
    return -EOPNOTSUPP;
  }
  return 0;
}

void UringEngine::run(std::promise<int> ready) {
  engine_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  const int returned = set_up_ring();
  ready.set_value(returned);
  if (returned < 0) return;
  while (turn()) {
  }
  io_uring_queue_exit(&ring_);
}

bool UringEngine::turn() {
  {
    base::Lock lock(mutex_);
    taken_.swap(inbox_);
    drained_stop_ = stopping_;
  }
  for (IoRequest& request : taken_) waiting_.push(std::move(request));
  taken_.clear();
  start_waiting();
  if (drained_stop_ && free_.size() == depth_ && waiting_.empty()) return false;
  TERRACE_CRASH_POINT("io.uring_enters");
  const int returned = enter(may_sleep() ? 1 : 0);
  {
    base::Lock lock(mutex_);
    asleep_ = false;
  }
  count_refusal(returned);
  reap();
  return true;
}

// With the inbox empty and everything handed to the kernel, sleeps until a completion or a wake-up.
bool UringEngine::may_sleep() {
  if (!wake_armed_) wake_armed_ = prepare_one(kWake);
  if (!wake_armed_ || !ready_.empty()) return false;
  base::Lock lock(mutex_);
  if (!inbox_.empty() || stopping_ != drained_stop_) return false;
  asleep_ = true;
  return true;
}

void UringEngine::start_waiting() {
  while (!waiting_.empty() && !free_.empty()) {
    const uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot] = Slot{Transfer(waiting_.pop(), options_.piece_max)};
    ready_.push_back(slot);
  }
  prepare();
}

void UringEngine::prepare() {
  while (!ready_.empty() && prepare_one(ready_.front())) ready_.pop_front();
}

bool UringEngine::prepare_one(uint64_t user_data) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    (void)enter(0);
    entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return false;
  }
  if (user_data == kWake) {
    io_uring_prep_read(entry, wake_fd_, &wake_value_, sizeof wake_value_, 0);
  } else {
    fill(entry, static_cast<uint32_t>(user_data));
  }
  io_uring_sqe_set_data64(entry, user_data);
  return true;
}

void UringEngine::fill(io_uring_sqe* entry, uint32_t index) {
  Slot& slot = slots_[index];
  const IoRequest& request = slot.transfer.request();
  const int fd = request.file->fd();
  switch (slot.drop) {
    case DropBehind::kNothing:
      break;
    case DropBehind::kDropRange:
      return io_uring_prep_fadvise(entry, fd, request.offset, static_cast<off_t>(request.bytes()),
                                   POSIX_FADV_DONTNEED);
    case DropBehind::kStartWriteback:
      return io_uring_prep_sync_file_range(entry, fd, static_cast<unsigned>(request.bytes()), request.offset,
                                           SYNC_FILE_RANGE_WRITE);
    case DropBehind::kDropFile:
      return io_uring_prep_fadvise(entry, fd, 0, 0, POSIX_FADV_DONTNEED);
  }
  const auto vectors = slot.transfer.vectors();
  const uint64_t offset = slot.transfer.offset();
  const auto count = static_cast<unsigned>(vectors.size());
  if (request.op == IoOp::kSync) {
    io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC);
  } else if (count == 0) {
    io_uring_prep_nop(entry);
  } else if (request.op == IoOp::kRead && count == 1) {
    io_uring_prep_read(entry, fd, vectors[0].iov_base, static_cast<unsigned>(vectors[0].iov_len), offset);
  } else if (request.op == IoOp::kRead) {
    io_uring_prep_readv(entry, fd, vectors.data(), count, offset);
  } else if (count == 1) {
    io_uring_prep_write(entry, fd, vectors[0].iov_base, static_cast<unsigned>(vectors[0].iov_len), offset);
  } else {
    io_uring_prep_writev(entry, fd, vectors.data(), count, offset);
  }
  // After EAGAIN a kernel worker may block for it.
  if (slot.transfer.is_retry()) entry->flags |= IOSQE_ASYNC;
}

int UringEngine::enter(unsigned wait_for) {
  const int refused = options_.refuse_enter ? options_.refuse_enter() : 0;
  return refused != 0 ? refused : io_uring_submit_and_wait(&ring_, wait_for);
}

// EAGAIN, EBUSY, ENOMEM: the kernel is short of something. Lets it finish what it has, up to a bound.
void UringEngine::count_refusal(int returned) {
  if (returned >= 0 || returned == -EINTR) {
    refusals_ = 0;
    return;
  }
  if (++refusals_ > options_.refusals_max) return give_up(-returned);
  if (io_uring_cq_ready(&ring_) > 0 || io_uring_cq_has_overflow(&ring_)) return;
  (void)::poll(nullptr, 0, 1);
  (void)io_uring_get_events(&ring_);
}

// The kernel takes no submissions: fails the transfers it has not seen. Those it has seen end by themselves.
void UringEngine::give_up(int sys_errno) {
  refusals_ = 0;
  std::vector<uint32_t> failed(ready_.begin(), ready_.end());
  ready_.clear();
  const io_uring_sq& queue = ring_.sq;
  const unsigned mask = *queue.kring_mask;
  for (unsigned at = io_uring_smp_load_acquire(queue.khead); at != queue.sqe_tail; ++at) {
    io_uring_sqe& entry = queue.sqes[at & mask];
    if (entry.user_data >= depth_) continue;
    failed.push_back(static_cast<uint32_t>(entry.user_data));
    io_uring_prep_nop(&entry);
    io_uring_sqe_set_data64(&entry, kIgnored);
  }
  for (const uint32_t slot : failed) finish(slot, os_error(sys_errno, "io_uring takes no requests"));
}

void UringEngine::reap() {
  io_uring_cqe* completion = nullptr;
  for (uint32_t left = 2 * depth_; left > 0 && io_uring_peek_cqe(&ring_, &completion) == 0; --left) {
    const uint64_t user_data = completion->user_data;
    const int32_t returned = completion->res;
    io_uring_cqe_seen(&ring_, completion);
    if (user_data == kWake) {
      wake_armed_ = false;
    } else if (user_data < depth_) {
      advance(static_cast<uint32_t>(user_data), returned);
    }
  }
}

void UringEngine::advance(uint32_t index, int32_t returned) {
  Slot& slot = slots_[index];
  if (slot.drop != DropBehind::kNothing) return finish(index, {});  // what the page cache answers is no error
  if (options_.change_result) returned = options_.change_result(returned);
  const auto ended = slot.transfer.advance(returned);
  if (ended && *ended) slot.drop = drop_behind(slot.transfer.request());
  if (ended && slot.drop == DropBehind::kNothing) return finish(index, *ended);
  ready_.push_back(index);
}

void UringEngine::finish(uint32_t index, Result<void> result) {
  TERRACE_CRASH_POINT("io.uring_performed");
  IoDone done = slots_[index].transfer.take_done();
  free_.push_back(index);
  done(result);
}

}  // namespace

Result<std::unique_ptr<IoEngine>> make_uring_engine(UringOptions options) {
  if (options.depth == 0 || options.depth > 4096) {
    return fail(Code::kInvalidArgument, "an engine's depth is 1 to 4096");
  }
  auto engine = std::make_unique<UringEngine>(std::move(options));
  if (auto started = engine->start(); !started) return std::unexpected(started.error());
  return engine;
}

}  // namespace terrace::io
