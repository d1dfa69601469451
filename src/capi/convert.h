// Between the structs of C and those of C++.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <terrace/store.h>

#include "capi/answer.h"

namespace terrace::capi {

// Errors: kInvalidArgument for a queue of another store.
Outcome<Notify> notify_of(const terrace_store& store, const terrace_queue* queue, uint64_t tag);

// NULL: one without fields. `name` is what the caller calls it.
Outcome<Namespace> namespace_of(const terrace_namespace* given, const char* name);

// TERRACE_WRITE_BACK_*; 0 is the store's own. It has been checked.
std::optional<WriteBack> write_back_of(uint32_t number);

Outcome<GetOptions> get_options_of(const terrace_get_options* options, int64_t timeout_ns);

// Where members stand: all zero is a family of one.
Outcome<Member> member_of(const terrace_member& member, const char* name);

std::vector<RegionSlice> slices_of(const terrace_slice* slices, size_t count);

// One entry a key, where the caller wants them: `reasons` are those of the keys behind the first `done`.
void write_reasons(uint8_t* to, size_t done, std::span<const MissReason> reasons);
// `first` are those of the first keys; 0 for the other ones of `count`.
void write_numbers(uint16_t* to, std::span<const uint16_t> first, size_t count);

}  // namespace terrace::capi
