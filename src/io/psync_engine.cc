#include "io/psync_engine.h"

#include <fcntl.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/hooks.h"
#include "base/mutex.h"
#include "io/request_queue.h"

namespace terrace::io {
namespace {

void drop(const IoRequest& request) {
  const int fd = request.file->fd();
  const auto offset = static_cast<off_t>(request.offset);
  const auto bytes = static_cast<off_t>(request.bytes());
  switch (drop_behind(request)) {
    case DropBehind::kNothing:
      break;
    case DropBehind::kDropRange:
      (void)::posix_fadvise(fd, offset, bytes, POSIX_FADV_DONTNEED);
      break;
    case DropBehind::kStartWriteback:
      (void)::sync_file_range(fd, offset, bytes, SYNC_FILE_RANGE_WRITE);
      break;
    case DropBehind::kDropFile:
      (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      break;
  }
}

class PsyncEngine final : public IoEngine {
 public:
  PsyncEngine(PsyncOptions options, SystemCalls& calls)
      : options_(std::move(options)), calls_(calls), queue_(options_.depth) {}
  ~PsyncEngine() override { stop(); }

  Result<void> start();
  void submit(std::span<IoRequest> batch) override TERRACE_EXCLUDES(mutex_);
  IoEngineInfo info() const override { return {"psync", options_.reason, options_.depth}; }
  void stop() override TERRACE_EXCLUDES(mutex_);

 private:
  void run() TERRACE_EXCLUDES(mutex_);
  Result<void> perform(Transfer& transfer);

  const PsyncOptions options_;
  SystemCalls& calls_;
  base::Mutex mutex_;
  base::Condition work_;
  RequestQueue queue_ TERRACE_GUARDED_BY(mutex_);
  bool stopping_ TERRACE_GUARDED_BY(mutex_) = false;
  base::Mutex joining_;  // held by whoever stops; before mutex_
  std::vector<std::thread> threads_ TERRACE_GUARDED_BY(joining_);
};

Result<void> PsyncEngine::start() {
  base::Lock lock(joining_);
  const uint32_t wanted = std::min(options_.depth, kPsyncThreadsMax);
  threads_.reserve(wanted);
  try {
    while (threads_.size() < wanted) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error& error) {
    if (threads_.empty()) return fail(Code::kUnavailable, "no thread for disk IO", error.code().value());
  }
  return {};
}

void PsyncEngine::submit(std::span<IoRequest> batch) {
  {
    base::Lock lock(mutex_);
    if (!stopping_) {
      for (IoRequest& request : batch) {
        queue_.push(std::move(request));
        work_.notify_one();
      }
      return;
    }
  }
  for (IoRequest& request : batch) {
    IoDone done = std::move(request.done);
    done(fail(Code::kClosed, "the engine was stopped"));
  }
}

void PsyncEngine::stop() {
  base::Lock joining(joining_);
  {
    base::Lock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void PsyncEngine::run() {
  for (;;) {
    IoRequest request;
    {
      base::Lock lock(mutex_);
      while (queue_.empty() && !stopping_) work_.wait(mutex_);
      if (queue_.empty()) return;
      request = queue_.pop();
    }
    TERRACE_CRASH_POINT("io.psync_takes");
    Transfer transfer(std::move(request), options_.piece_max);
    const Result<void> result = perform(transfer);
    if (result) drop(transfer.request());
    TERRACE_CRASH_POINT("io.psync_performed");
    IoDone done = transfer.take_done();
    done(result);
  }
}

Result<void> PsyncEngine::perform(Transfer& transfer) {
  const int fd = transfer.request().file->fd();
  for (;;) {
    if (transfer.is_retry()) std::this_thread::yield();
    int64_t returned = 0;
    switch (transfer.request().op) {
      case IoOp::kRead:
        returned = calls_.read(fd, transfer.vectors(), transfer.offset());
        break;
      case IoOp::kWrite:
        returned = calls_.write(fd, transfer.vectors(), transfer.offset());
        break;
      case IoOp::kSync:
        returned = calls_.sync(fd);
        break;
    }
    if (const auto ended = transfer.advance(returned)) return *ended;
  }
}

}  // namespace

Result<std::unique_ptr<IoEngine>> make_psync_engine(PsyncOptions options, SystemCalls& calls) {
  if (options.depth == 0) return fail(Code::kInvalidArgument, "an engine's depth is at least 1");
  auto engine = std::make_unique<PsyncEngine>(std::move(options), calls);
  if (auto started = engine->start(); !started) return std::unexpected(started.error());
  return engine;
}

}  // namespace terrace::io
