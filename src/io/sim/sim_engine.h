// An engine on a SimDisk, in virtual time: a device that serves one request after the other at a bandwidth,
// and answers each a latency later, in an order the seed draws. Bytes move when the request ends.
//
// When the disk's life ends, a write under way is done, half done or not at all, and everything ends as
// kClosed.
#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/random.h"
#include "io/io_engine.h"
#include "io/sim/sim_disk.h"

namespace terrace::io {

struct SimEngineOptions {
  uint32_t depth = 64;
  uint64_t seed = 1;
  base::Duration latency = std::chrono::microseconds(80);
  base::Duration jitter = std::chrono::microseconds(200);  // up to so much later: this is what reorders
  base::Duration sync_latency = std::chrono::milliseconds(1);
  double read_bytes_per_ns = 2.0;  // GB/s
  double write_bytes_per_ns = 2.0;
};

class SimEngine final : public IoEngine, private SimDisk::Device {
 public:
  // All of them outlive the engine.
  SimEngine(SimDisk& disk, base::Executor& executor, base::Clock& clock, SimEngineOptions options = {});
  ~SimEngine() override;

  void submit(std::span<IoRequest> batch) override TERRACE_EXCLUDES(mutex_);
  IoEngineInfo info() const override { return {"sim", "", options_.depth}; }
  // Lets time pass until all is done; inside a task of the executor, where it cannot, it ends the requests at
  // once.
  void drain() override TERRACE_EXCLUDES(mutex_);
  void stop() override TERRACE_EXCLUDES(mutex_);

 private:
  struct Running {
    IoRequest request;
    base::TimerId timer = 0;
    bool abandoned = false;
  };
  void start(IoRequest request) TERRACE_EXCLUDES(mutex_);
  base::TimePoint end_of(const IoRequest& request) TERRACE_REQUIRES(mutex_);
  void finish(uint64_t id) TERRACE_EXCLUDES(mutex_);
  Result<void> perform(const IoRequest& request);
  void life_ends(base::Random& random) override TERRACE_EXCLUDES(mutex_);

  SimDisk& disk_;
  base::Executor& executor_;
  base::Clock& clock_;
  const SimEngineOptions options_;
  base::Mutex mutex_;
  base::Random random_ TERRACE_GUARDED_BY(mutex_);
  base::TimePoint busy_until_ TERRACE_GUARDED_BY(mutex_){};
  std::map<uint64_t, Running> running_ TERRACE_GUARDED_BY(mutex_);
  uint64_t finishing_ TERRACE_GUARDED_BY(mutex_) = 0;  // `done`s being called
  uint64_t next_id_ TERRACE_GUARDED_BY(mutex_) = 0;
  base::Event* idle_ TERRACE_GUARDED_BY(mutex_) = nullptr;  // of the thread that drains
  bool stopped_ TERRACE_GUARDED_BY(mutex_) = false;
};

}  // namespace terrace::io
