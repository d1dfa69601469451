// std::mutex with clang's thread-safety annotations: state is GUARDED_BY a named mutex and the compiler
// checks it. Lock order is written down in docs/threads.md.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/hooks.h"

#if defined(__clang__)
#define TERRACE_THREAD(x) __attribute__((x))
#else
#define TERRACE_THREAD(x)
#endif
#define TERRACE_GUARDED_BY(x) TERRACE_THREAD(guarded_by(x))
#define TERRACE_REQUIRES(...) TERRACE_THREAD(requires_capability(__VA_ARGS__))
#define TERRACE_EXCLUDES(...) TERRACE_THREAD(locks_excluded(__VA_ARGS__))

namespace terrace::base {

class TERRACE_THREAD(capability("mutex")) Mutex {
 public:
#if defined(TERRACE_HOOKS)
  // A thread under the lab's scheduler gives others the chance to take it first.
  void lock() TERRACE_THREAD(acquire_capability()) {
    hooks::Interleaver* const interleaver = hooks::interleaver();
    if (interleaver == nullptr) return mutex_.lock();
    interleaver->reach("lock");
    while (!mutex_.try_lock()) interleaver->wait_for(this);
  }
  void unlock() TERRACE_THREAD(release_capability()) {
    mutex_.unlock();
    if (hooks::Interleaver* const interleaver = hooks::interleaver()) interleaver->give_free(this);
  }
#else
  void lock() TERRACE_THREAD(acquire_capability()) { mutex_.lock(); }
  void unlock() TERRACE_THREAD(release_capability()) { mutex_.unlock(); }
#endif
  std::mutex& native() { return mutex_; }

 private:
#if defined(TERRACE_HOOKS)
  friend class Condition;
  // Around the wait for a condition.
  void let_go(hooks::Interleaver& interleaver) {
    mutex_.unlock();
    interleaver.give_free(this);
  }
  void take_back(hooks::Interleaver& interleaver) {
    while (!mutex_.try_lock()) interleaver.wait_for(this);
  }
#endif

  std::mutex mutex_;
};

class TERRACE_THREAD(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) TERRACE_THREAD(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() TERRACE_THREAD(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex; the caller holds the mutex, as the annotation says.
class Condition {
 public:
  void notify_all() {
    condition_.notify_all();
    give_free();
  }
  void notify_one() {
    condition_.notify_one();
    give_free();
  }
  void wait(Mutex& mutex) TERRACE_REQUIRES(mutex) {
#if defined(TERRACE_HOOKS)
    if (hooks::Interleaver* const interleaver = hooks::interleaver()) {
      mutex.let_go(*interleaver);
      interleaver->wait_for(this);
      return mutex.take_back(*interleaver);
    }
#endif
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  template <class TimePoint>
  bool wait_until(Mutex& mutex, TimePoint deadline) TERRACE_REQUIRES(mutex) {
#if defined(TERRACE_HOOKS)
    if (hooks::Interleaver* const interleaver = hooks::interleaver()) {
      mutex.let_go(*interleaver);
      const bool notified = interleaver->wait_for_a_while(this);
      mutex.take_back(*interleaver);
      return notified;
    }
#endif
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }

 private:
  // Under the lab's scheduler notify_one wakes all: waking for no reason is allowed.
  void give_free() {
#if defined(TERRACE_HOOKS)
    if (hooks::Interleaver* const interleaver = hooks::interleaver()) interleaver->give_free(this);
#endif
  }

  std::condition_variable condition_;
};

}  // namespace terrace::base
