// Blocks that go into the caller's memory (R5).
#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_get_into(terrace_store* store, const terrace_key* keys, const terrace_slice* to,
                              size_t count, int64_t timeout_ns, const terrace_get_options* options,
                              terrace_queue* queue, uint64_t tag, terrace_into_operation** operation,
                              terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check()
                          .given(store, "store")
                          .batch(keys, count, "keys")
                          .list(to, count, "to")
                          .given(operation, "operation");
    if (!ok) return ok;
    const auto how = get_options_of(options, timeout_ns);
    if (!how) return std::unexpected(how.error());
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    auto made = std::make_unique<terrace_into_operation>(store->store);
    auto running = store->store->get_into(keys_of(keys, count), slices_of(to, count), *how, *notify);
    if (!running) return refused(running.error());
    made->running = std::move(*running);
    *operation = made.release();
    return {};
  });
}

bool terrace_into_ready(const terrace_into_operation* operation) {
  return operation != nullptr && value_of(false, [&] { return operation->running.ready(); });
}

bool terrace_into_released(const terrace_into_operation* operation) {
  return operation != nullptr && value_of(false, [&] { return operation->running.released(); });
}

terrace_code terrace_into_wait(const terrace_into_operation* operation, int64_t timeout_ns, bool* released,
                               terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(operation, "operation").timeout(timeout_ns).given(released, "released");
    if (!ok) return ok;
    *released = operation->store->wait(operation->running, Timeout(timeout_ns));
    return {};
  });
}

terrace_code terrace_into_result(const terrace_into_operation* operation, size_t* delivered,
                                 uint16_t* sources, uint8_t* reasons, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(operation, "operation").given(delivered, "delivered"); !ok) return ok;
    if (!operation->running.ready()) return failure(Code::kBusy, "the get_into has no result yet");
    const IntoResult result = operation->running.result();
    *delivered = result.delivered;
    write_numbers(sources, result.source, result.delivered + result.reasons.size());
    write_reasons(reasons, result.delivered, result.reasons);
    return {};
  });
}

void terrace_into_cancel(terrace_into_operation* operation) {
  if (operation != nullptr) quietly([&] { operation->running.cancel(); });
}

void terrace_into_free(terrace_into_operation* operation) {
  end(operation);
}

}  // extern "C"
