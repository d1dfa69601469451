// A place of the disk tier: volume (8 bits), segment (24), slot index (32).
#pragma once

#include <cstdint>

#include "tier/tier.h"

namespace terrace::tier::disk {

constexpr Place make_place(uint32_t volume, uint32_t segment, uint32_t index) {
  return (uint64_t{volume} << 56) | (uint64_t{segment} << 32) | index;
}
constexpr uint32_t volume_of(Place place) {
  return static_cast<uint32_t>(place >> 56);
}
constexpr uint32_t segment_of(Place place) {
  return static_cast<uint32_t>(place >> 32) & 0xFFFFFF;
}
constexpr uint32_t index_of(Place place) {
  return static_cast<uint32_t>(place);
}

// Buckets and segments as the store sees them: unique over all volumes. The domain of a segment is its
// volume.
constexpr uint64_t make_bucket(uint32_t volume, uint64_t slot_bytes) {
  return (uint64_t{volume} << 56) | slot_bytes;
}
constexpr uint32_t make_segment(uint32_t volume, uint32_t segment) {
  return (volume << 24) | segment;
}
static_assert(segment_domain(make_segment(3, 77)) == 3);

}  // namespace terrace::tier::disk
