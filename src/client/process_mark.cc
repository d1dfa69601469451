#include "client/process_mark.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <new>

namespace terrace::client {

namespace {

using Number = std::atomic<uint64_t>;

// Null where the kernel cannot empty it: then the process's number serves.
Number* make_page() {
  const auto bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* const page = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (::madvise(page, bytes, MADV_WIPEONFORK) == 0) return new (page) Number(0);
  ::munmap(page, bytes);
  return nullptr;
}

Number* page() {
  static Number* const made = make_page();
  return made;
}

}  // namespace

ProcessMark ProcessMark::here() {
  Number* const number = page();
  if (number == nullptr) return ProcessMark(static_cast<uint64_t>(::getpid()));
  static Number last{0};  // a fork goes on counting
  uint64_t none = 0;
  const uint64_t next = ++last;
  number->compare_exchange_strong(none, next);
  return ProcessMark(none == 0 ? next : none);
}

bool ProcessMark::is_here() const {
  const Number* const number = page();
  return number_ == (number == nullptr ? static_cast<uint64_t>(::getpid()) : number->load());
}

}  // namespace terrace::client
