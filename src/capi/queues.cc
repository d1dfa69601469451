// Completion queues (S4).
#include <algorithm>
#include <array>

#include "capi/check.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

terrace_completion event_of(const Completion& event) {
  terrace_completion made{};
  write_key(&made.key, event.key);
  made.tag = event.tag;
  made.what = event.error.what;
  if (event.status == WriteStatus::kFailed) made.code = static_cast<terrace_code>(event.error.code);
  made.sys_errno = event.error.sys_errno;
  made.tier = event.tier;
  made.kind = static_cast<uint8_t>(event.kind);
  made.status = static_cast<uint8_t>(event.status);
  made.cause = static_cast<uint8_t>(event.cause);
  return made;
}

// Waits for the first ones only.
size_t take(CompletionQueue& queue, Timeout timeout, std::span<terrace_completion> events) {
  std::array<Completion, 64> some;
  size_t taken = 0;
  while (true) {
    const auto room = std::span(some).first(std::min(some.size(), events.size() - taken));
    const size_t came =
        taken == 0 && timeout > Timeout::zero() ? queue.wait(room, timeout) : queue.poll(room);
    std::ranges::transform(room.first(came), events.subspan(taken).begin(), event_of);
    taken += came;
    if (came < some.size() || taken == events.size()) return taken;
  }
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_make_queue(terrace_store* store, terrace_queue** queue, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(queue, "queue"); !ok) return ok;
    *queue = new terrace_queue{store->store, store->store->make_queue()};
    return {};
  });
}

void terrace_queue_free(terrace_queue* queue) {
  end(queue);
}

int terrace_queue_fd(terrace_queue* queue) {
  return queue == nullptr ? -1 : value_of(-1, [&] { return queue->queue->fd(); });
}

terrace_code terrace_queue_wait(terrace_queue* queue, int64_t timeout_ns, terrace_completion* events,
                                size_t events_max, size_t* count, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check()
                          .given(queue, "queue")
                          .timeout(timeout_ns)
                          .list(events, events_max, "events")
                          .given(count, "count");
    if (!ok) return ok;
    *count = take(*queue->queue, Timeout(timeout_ns), {events, events_max});
    return {};
  });
}

}  // extern "C"
