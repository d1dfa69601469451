// Questions that the index answers (Q1 to Q4), and those that tiers are asked.
#include <algorithm>

#include <fmt/format.h>

#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

// As much as the caller wants of it.
void write(const LookupResult& result, size_t* found, uint16_t* where, uint8_t* reasons) {
  *found = result.found;
  write_numbers(where, result.where, result.found + result.reasons.size());
  write_reasons(reasons, result.found, result.reasons);
}

// Of `families` of them; windows may need fewer members.
Outcome<FamilyLayout> layout_of(const terrace_family_group* groups, size_t count, size_t families) {
  if (const Answer ok = Check().batch(groups, count, "groups"); !ok) return std::unexpected(ok.error());
  if (count == 0) return failure(Code::kInvalidArgument, "group_count is 0: families have at least 1 group");
  FamilyLayout layout;
  layout.groups.clear();
  uint64_t members = 0;
  for (const terrace_family_group& group : std::span(groups, count)) {
    if (group.shards == 0) {
      return failure(Code::kInvalidArgument,
                     fmt::format("groups[{}].shards is 0: at least 1 is allowed", layout.groups.size()));
    }
    members += uint64_t{group.shards} * families;  // below 2^49, each time
    if (members > TERRACE_BATCH_MAX) {
      return failure(Code::kLimitExceeded,
                     fmt::format("{} families have {} members in groups[0] to groups[{}]: {} are allowed",
                                 families, members, layout.groups.size(), TERRACE_BATCH_MAX));
    }
    layout.groups.push_back({.shards = group.shards, .window = group.window});
  }
  return layout;
}

size_t needed_count(const FamilyLayout& layout, size_t families) {
  size_t members = 0;
  for (const FamilyGroup& group : layout.groups) {
    members += group.shards * (group.window == 0 ? families : std::min<size_t>(group.window, families));
  }
  return members;
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_lookup(terrace_store* store, const terrace_key* keys, size_t count, size_t* found,
                            uint16_t* where, uint8_t* reasons, terrace_pin** pin, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").batch(keys, count, "keys").given(found, "found");
    if (!ok) return ok;
    auto result = store->store->lookup(keys_of(keys, count), pin != nullptr);
    if (!result) return refused(result.error());
    std::unique_ptr<terrace_pin> kept;
    if (result->pin) kept = std::make_unique<terrace_pin>(store->store, std::move(result->pin));
    if (pin != nullptr) *pin = kept.release();
    write(*result, found, where, reasons);
    return {};
  });
}

void terrace_pin_release(terrace_pin* pin) {
  end(pin);
}

terrace_code terrace_lookup_async(terrace_store* store, const terrace_key* keys, size_t count,
                                  int64_t timeout_ns, terrace_queue* queue, uint64_t tag,
                                  terrace_lookup_operation** operation, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check()
                          .given(store, "store")
                          .batch(keys, count, "keys")
                          .timeout_or_stores(timeout_ns)
                          .given(operation, "operation");
    if (!ok) return ok;
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    auto made = std::make_unique<terrace_lookup_operation>(store->store);
    auto running = store->store->lookup_async(keys_of(keys, count), Timeout(timeout_ns), *notify);
    if (!running) return refused(running.error());
    made->running = std::move(*running);
    *operation = made.release();
    return {};
  });
}

bool terrace_lookup_ready(const terrace_lookup_operation* operation) {
  return operation != nullptr && value_of(false, [&] { return operation->running.ready(); });
}

terrace_code terrace_lookup_take(terrace_lookup_operation* operation, size_t* found, uint16_t* where,
                                 uint8_t* reasons, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(operation, "operation").given(found, "found"); !ok) return ok;
    if (!operation->running.ready()) return failure(Code::kBusy, "the lookup has no answer yet");
    const auto result = operation->running.take();
    if (!result) return failure(Code::kNotFound, "the lookup's answer was taken before");
    write(*result, found, where, reasons);
    return {};
  });
}

void terrace_lookup_cancel(terrace_lookup_operation* operation) {
  if (operation != nullptr) quietly([&] { operation->running.cancel(); });
}

void terrace_lookup_free(terrace_lookup_operation* operation) {
  end(operation);
}

terrace_code terrace_lookup_families(terrace_store* store, const terrace_key* families, size_t count,
                                     const terrace_family_group* groups, size_t group_count, size_t* found,
                                     uint8_t* reasons, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").batch(families, count, "families").given(found, "found");
    if (!ok) return ok;
    const auto layout = layout_of(groups, group_count, count);
    if (!layout) return std::unexpected(layout.error());
    const auto result = store->store->lookup_families(keys_of(families, count), *layout);
    if (!result) return refused(result.error());
    *found = result->found;
    write_reasons(reasons, result->found, result->reasons);
    return {};
  });
}

terrace_code terrace_needed_members(const terrace_key* families, size_t count,
                                    const terrace_family_group* groups, size_t group_count, terrace_key* keys,
                                    size_t keys_max, size_t* key_count, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().batch(families, count, "families").given(key_count, "key_count");
    if (!ok) return ok;
    const auto layout = layout_of(groups, group_count, count);
    if (!layout) return std::unexpected(layout.error());
    const size_t wanted = needed_count(*layout, count);
    if (keys != nullptr && wanted > keys_max) {
      return failure(Code::kInvalidArgument,
                     fmt::format("keys_max is {}: {} members are needed", keys_max, wanted));
    }
    if (keys != nullptr) {
      for (const Key& key : needed_members(keys_of(families, count), *layout, count)) write_key(keys++, key);
    }
    *key_count = wanted;
    return {};
  });
}

}  // extern "C"
