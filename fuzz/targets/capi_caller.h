// Calls of the C ABI, chosen by a byte string: pointers that are NULL, counts, numbers and sizes that may be
// anything C allows. What is refused is refused in words and leaves what it would have written.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include <terrace/terrace.h>

#include "capi/handles.h"
#include "fuzz/kit/input.h"
#include "lab/kit/machine.h"

namespace terrace::fuzz {

class CCaller {
 public:
  CCaller(lab::Machine& machine, Input& input);
  ~CCaller();  // after the store: until then IO may touch its memory
  CCaller(const CCaller&) = delete;
  CCaller& operator=(const CCaller&) = delete;

  void call();
  // Ends every handle.
  void drop_all();

 private:
  struct End {
    void operator()(terrace_reservation* handle) const { terrace_reservation_abort(handle); }
    void operator()(terrace_blocks* handle) const { terrace_blocks_release(handle); }
    void operator()(terrace_pin* handle) const { terrace_pin_release(handle); }
    void operator()(terrace_queue* handle) const { terrace_queue_free(handle); }
    void operator()(terrace_lookup_operation* handle) const { terrace_lookup_free(handle); }
    void operator()(terrace_get_operation* handle) const { terrace_get_free(handle); }
    void operator()(terrace_into_operation* handle) const { terrace_into_free(handle); }
    void operator()(terrace_prefetch_ticket* handle) const { terrace_prefetch_free(handle); }
  };
  template <class Handle>
  using Held = std::deque<std::unique_ptr<Handle, End>>;

  // --- arguments
  // Of a list of `count`, NULL at times; the count may be more than any call takes, which is not read.
  template <class T>
  const T* list(const std::vector<T>& all, size_t& count);
  terrace_key key();
  std::vector<terrace_key> keys();
  std::vector<terrace_slice> slices(size_t count);
  int64_t timeout();
  terrace_prefetch_ticket* ticket() { return tickets_.empty() ? nullptr : tickets_.front().get(); }

  // --- calls that give and take blocks
  void reserve();
  void commit();
  void put();
  void remove();
  // --- calls that ask for them
  void lookup();
  void lookup_families();
  void get();
  void get_into();
  void prefetch();
  void operations();
  void take();
  void drop();
  // --- the rest
  void names();
  void quotas();
  void look_around();
  void pass_time();

  // Whether the call did what it was to do; it said so, or why not.
  bool done(terrace_code code);
  void check(const terrace_blocks* blocks) const;
  template <class Handle>
  void keep(Held<Handle>& held, Handle* handle);

  // What most calls take. Drawn ahead, because compilers order arguments as they like.
  struct How {
    terrace_store* store = nullptr;
    terrace_queue* queue = nullptr;
    uint64_t tag = 0;
    int64_t timeout = 0;
  };

  lab::Machine& machine_;
  Input& input_;
  terrace_store store_;
  std::unique_ptr<terrace_queue, End> queue_;
  std::vector<std::byte> memory_;  // registered: gets go to its first half, puts come from the second
  uint64_t region_ = 0;
  terrace_error error_{};
  How how_;
  Held<terrace_reservation> reservations_;
  Held<terrace_blocks> blocks_;
  Held<terrace_pin> pins_;
  Held<terrace_lookup_operation> lookups_;
  Held<terrace_get_operation> gets_;
  Held<terrace_into_operation> intos_;
  Held<terrace_prefetch_ticket> tickets_;
};

}  // namespace terrace::fuzz
