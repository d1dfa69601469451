// A thread that is joined before it goes. Started by a thread under the lab's scheduler, it is the
// scheduler's too.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "base/hooks.h"

namespace terrace::base {

class Thread {
 public:
  explicit Thread(std::function<void()> body);
  ~Thread() { join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void join();  // may be repeated, by one thread at a time
  std::thread::id id() const { return thread_.get_id(); }
  std::thread::native_handle_type native_handle() { return thread_.native_handle(); }

 private:
#if defined(TERRACE_HOOKS)
  hooks::Interleaver* const interleaver_;
  const uint32_t number_;  // with the scheduler
#endif
  std::thread thread_;
};

}  // namespace terrace::base
