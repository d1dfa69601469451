// Blocks that are leased: get and get_async (R1, R3).
#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

std::unique_ptr<terrace_blocks> handle_of(const std::shared_ptr<Store>& store, Blocks blocks) {
  auto handle = std::make_unique<terrace_blocks>(store, std::move(blocks));
  const auto views = handle->blocks.views();
  handle->list.reserve(views.size());
  for (const BlockView& view : views) {
    terrace_block& block = handle->list.emplace_back();
    write_key(&block.key, view.key);
    block.data = view.bytes.data();
    block.bytes = view.bytes.size();
    block.source = view.source;
  }
  handle->reasons.resize(views.size() + handle->blocks.reasons().size());
  write_reasons(handle->reasons.data(), views.size(), handle->blocks.reasons());
  return handle;
}

Answer check_get(const terrace_store* store, const terrace_key* keys, size_t count, const void* result,
                 const char* name) {
  return Check().given(store, "store").batch(keys, count, "keys").given(result, name);
}

template <class T>
const T* list_of(const std::vector<T>* list, size_t* count) {
  if (count != nullptr) *count = list == nullptr ? 0 : list->size();
  return list == nullptr ? nullptr : list->data();
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_get(terrace_store* store, const terrace_key* keys, size_t count, int64_t timeout_ns,
                         const terrace_get_options* options, terrace_blocks** blocks, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = check_get(store, keys, count, blocks, "blocks"); !ok) return ok;
    const auto how = get_options_of(options, timeout_ns);
    if (!how) return std::unexpected(how.error());
    auto got = store->store->get(keys_of(keys, count), *how);
    if (!got) return refused(got.error());
    *blocks = handle_of(store->store, std::move(*got)).release();
    return {};
  });
}

const terrace_block* terrace_blocks_list(const terrace_blocks* blocks, size_t* count) {
  return list_of(blocks == nullptr ? nullptr : &blocks->list, count);
}

const uint8_t* terrace_blocks_reasons(const terrace_blocks* blocks, size_t* count) {
  return list_of(blocks == nullptr ? nullptr : &blocks->reasons, count);
}

void terrace_blocks_release(terrace_blocks* blocks) {
  end(blocks);
}

terrace_code terrace_get_async(terrace_store* store, const terrace_key* keys, size_t count,
                               int64_t timeout_ns, const terrace_get_options* options, terrace_queue* queue,
                               uint64_t tag, terrace_get_operation** operation, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = check_get(store, keys, count, operation, "operation"); !ok) return ok;
    const auto how = get_options_of(options, timeout_ns);
    if (!how) return std::unexpected(how.error());
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    auto made = std::make_unique<terrace_get_operation>(store->store);
    auto running = store->store->get_async(keys_of(keys, count), *how, *notify);
    if (!running) return refused(running.error());
    made->running = std::move(*running);
    *operation = made.release();
    return {};
  });
}

bool terrace_get_ready(const terrace_get_operation* operation) {
  return operation != nullptr && value_of(false, [&] { return operation->running.ready(); });
}

terrace_code terrace_get_take(terrace_get_operation* operation, terrace_blocks** blocks,
                              terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(operation, "operation").given(blocks, "blocks"); !ok) return ok;
    if (!operation->running.ready()) return failure(Code::kBusy, "the get has no result yet");
    auto got = operation->running.take();
    if (!got) return failure(Code::kNotFound, "the get's result was taken before");
    *blocks = handle_of(operation->store, std::move(*got)).release();
    return {};
  });
}

void terrace_get_cancel(terrace_get_operation* operation) {
  if (operation != nullptr) quietly([&] { operation->running.cancel(); });
}

void terrace_get_free(terrace_get_operation* operation) {
  end(operation);
}

}  // extern "C"
