// std::mutex with clang's thread-safety annotations: state is GUARDED_BY a named mutex and the compiler
// checks it. Lock order is written down in docs/threads.md.
#pragma once

#include <condition_variable>
#include <mutex>

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
  void lock() TERRACE_THREAD(acquire_capability()) { mutex_.lock(); }
  void unlock() TERRACE_THREAD(release_capability()) { mutex_.unlock(); }
  std::mutex& native() { return mutex_; }

 private:
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
  void notify_all() { condition_.notify_all(); }
  void notify_one() { condition_.notify_one(); }
  void wait(Mutex& mutex) TERRACE_REQUIRES(mutex) {
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  template <class TimePoint>
  bool wait_until(Mutex& mutex, TimePoint deadline) TERRACE_REQUIRES(mutex) {
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }

 private:
  std::condition_variable condition_;
};

}  // namespace terrace::base
