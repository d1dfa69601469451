// Loads ahead of a get (R7).
#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

Outcome<PrefetchOptions> prefetch_options_of(const terrace_prefetch_options* options) {
  const auto read = read_sized(options, "options");
  if (!read) return std::unexpected(read.error());
  const Answer ok = Check()
                        .choice(read->policy, TERRACE_PREFETCH_TEMPORARY, "options.policy")
                        .choice(read->write_back, TERRACE_WRITE_BACK_SECOND_TOUCH, "options.write_back");
  if (!ok) return std::unexpected(ok.error());
  PrefetchOptions how{.policy = {}, .write_back = write_back_of(read->write_back)};
  if (read->policy != TERRACE_PREFETCH_STORE) how.policy = static_cast<PrefetchPolicy>(read->policy - 1);
  return how;
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_prefetch(terrace_store* store, const terrace_key* keys, size_t count,
                              const terrace_prefetch_options* options, terrace_queue* queue, uint64_t tag,
                              terrace_prefetch_ticket** ticket, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").batch(keys, count, "keys").given(ticket, "ticket");
    if (!ok) return ok;
    const auto how = prefetch_options_of(options);
    if (!how) return std::unexpected(how.error());
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    auto made = std::make_unique<terrace_prefetch_ticket>(store->store);
    auto running = store->store->prefetch(keys_of(keys, count), *how, *notify);
    if (!running) return refused(running.error());
    made->ticket = std::move(*running);
    *ticket = made.release();
    return {};
  });
}

terrace_code terrace_prefetch_progress(const terrace_prefetch_ticket* ticket, terrace_progress* progress,
                                       terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(ticket, "ticket").given(progress, "progress"); !ok) return ok;
    const auto now = ticket->ticket.progress();
    *progress = {.asked = now.asked, .arrived = now.arrived, .failed = now.failed, .ended = now.ended};
    return {};
  });
}

void terrace_prefetch_cancel(terrace_prefetch_ticket* ticket) {
  if (ticket != nullptr) quietly([&] { ticket->ticket.cancel(); });
}

void terrace_prefetch_release(terrace_prefetch_ticket* ticket) {
  if (ticket != nullptr) quietly([&] { ticket->ticket.release(); });
}

void terrace_prefetch_free(terrace_prefetch_ticket* ticket) {
  end(ticket);
}

}  // extern "C"
