// A decorator: does to any engine's requests what a FaultPlan says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/executor.h"
#include "base/mutex.h"
#include "io/fault_plan.h"
#include "io/io_engine.h"

namespace terrace::io {

class FaultEngine final : public IoEngine {
 public:
  // Plan, executor and clock outlive the engine. Delays and stalls happen on the executor.
  FaultEngine(std::unique_ptr<IoEngine> engine, FaultPlan& plan, base::Executor& executor, base::Clock& clock)
      : engine_(std::move(engine)), plan_(plan), executor_(executor), clock_(clock) {}
  ~FaultEngine() override { stop(); }

  void submit(std::span<IoRequest> batch) override TERRACE_EXCLUDES(mutex_);
  IoEngineInfo info() const override { return engine_->info(); }
  void drain() override TERRACE_EXCLUDES(mutex_);
  void stop() override TERRACE_EXCLUDES(mutex_);  // what is delayed is submitted at once

 private:
  struct Delayed {
    IoRequest request;
    base::TimerId timer = 0;
  };
  void submit_at(base::TimePoint when, IoRequest request) TERRACE_EXCLUDES(mutex_);
  void submit_delayed(uint64_t id) TERRACE_EXCLUDES(mutex_);
  void submit_all_delayed() TERRACE_EXCLUDES(mutex_);

  const std::unique_ptr<IoEngine> engine_;
  FaultPlan& plan_;
  base::Executor& executor_;
  base::Clock& clock_;
  base::Mutex mutex_;
  base::Condition no_timers_;
  std::map<uint64_t, Delayed> delayed_ TERRACE_GUARDED_BY(mutex_);
  uint64_t next_id_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t timers_ TERRACE_GUARDED_BY(mutex_) = 0;  // tasks at the executor that know this engine
  bool stopping_ TERRACE_GUARDED_BY(mutex_) = false;
};

}  // namespace terrace::io
