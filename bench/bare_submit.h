// The bare rival of submitting an operation: a queue under a lock and an eventfd that wakes its one consumer.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include <terrace/key.h>

#include "bench/measure.h"

namespace terrace::bench {

class BareSubmit {
 public:
  BareSubmit() : fd_(need_fd(eventfd(0, EFD_CLOEXEC), "eventfd")), consumer_([this] { consume(); }) {}
  ~BareSubmit() {
    stopping_ = true;
    submit({});
    consumer_.join();
    close(fd_);
  }
  BareSubmit(const BareSubmit&) = delete;
  BareSubmit& operator=(const BareSubmit&) = delete;

  // Lock, push every key, unlock, write the eventfd.
  void submit(std::span<const Key> keys) {
    {
      const std::lock_guard lock(mutex_);
      queue_.insert(queue_.end(), keys.begin(), keys.end());
    }
    const uint64_t one = 1;
    if (::write(fd_, &one, sizeof one) != sizeof one) throw CannotRun("eventfd write");
  }

 private:
  void consume() {
    std::vector<Key> taken;
    while (!stopping_) {
      uint64_t count = 0;
      if (::read(fd_, &count, sizeof count) != sizeof count) return;
      const std::lock_guard lock(mutex_);
      taken.clear();
      taken.swap(queue_);
    }
  }

  int fd_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Key> queue_;
  std::thread consumer_;  // last: it uses the rest
};

}  // namespace terrace::bench
