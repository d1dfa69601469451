// One write on its way: record, then slot entry.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "io/scheduler.h"
#include "tier/disk/layout.h"
#include "tier/disk/place.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

class DiskVolume;

// Keeps a volume from being closed while a callback or task may still touch it.
class Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept : volume_(other.volume_) { other.volume_ = nullptr; }
  Hold& operator=(Hold&& other) noexcept {
    std::swap(volume_, other.volume_);
    return *this;
  }
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  friend class DiskVolume;
  explicit Hold(DiskVolume& volume) : volume_(&volume) {}
  DiskVolume* volume_ = nullptr;
};

struct Write {
  WriteOp op;
  uint64_t seq = 0;    // 0: its entry is not being written
  uint64_t watch = 0;  // deadline
  Entry entry{};
  Hold hold;
};

// Calls its function when the last holder lets go, with the first error any of them reported.
class Join {
 public:
  explicit Join(Done done) : done_(std::move(done)) {}
  ~Join() { done_(result_); }
  Join(const Join&) = delete;
  Join& operator=(const Join&) = delete;
  void failed(const Error& error) {
    const base::Lock lock(mutex_);
    if (result_) result_ = std::unexpected(error);
  }

 private:
  base::Mutex mutex_;
  Result<void> result_;
  Done done_;
};

// Submits all requests and calls `then` with their results, in their order, when the last has ended.
void gather(io::IoScheduler& scheduler, std::vector<io::IoRequest> requests,
            std::move_only_function<void(std::vector<Result<void>>)> then);

}  // namespace terrace::tier::disk
