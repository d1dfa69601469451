// What must add up in what a store says of itself; what does not, in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <terrace/store.h>

namespace terrace::lab {

// At any time: misses (Q5), capacity (P8) unless a `surplus` of an earlier size may be there still, and at
// most so many bytes on their way to tiers (0: the store's own bound).
std::vector<std::string> check_sums(const StoreStats& stats, uint64_t writes_in_flight_most, bool surplus);
// When everything was released and has ended.
std::optional<std::string> check_nothing_is_held(const StoreStats& stats);
uint64_t held(const StoreStats& stats);
// The tier's used bytes are its blocks' records, no slot more.
std::optional<std::string> check_slots(const Store& store, uint16_t tier);

}  // namespace terrace::lab
