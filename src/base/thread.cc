#include "base/thread.h"

#include <utility>

namespace terrace::base {

#if defined(TERRACE_HOOKS)

Thread::Thread(std::function<void()> body)
    : interleaver_(hooks::interleaver()),
      number_(interleaver_ == nullptr ? 0 : interleaver_->expect_thread()) {
  thread_ = std::thread([interleaver = interleaver_, number = number_, body = std::move(body)]() mutable {
    if (interleaver == nullptr) return body();
    hooks::set_interleaver(interleaver);
    interleaver->enter(number);
    body();
    body = nullptr;
    interleaver->leave();
  });
}

void Thread::join() {
  if (!thread_.joinable()) return;
  if (interleaver_ != nullptr && hooks::interleaver() == interleaver_) interleaver_->await_end(number_);
  thread_.join();
}

#else

Thread::Thread(std::function<void()> body) : thread_(std::move(body)) {}

void Thread::join() {
  if (thread_.joinable()) thread_.join();
}

#endif

}  // namespace terrace::base
