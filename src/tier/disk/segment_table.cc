#include "tier/disk/segment_table.h"

#include "base/assert.h"
#include "tier/disk/write.h"

namespace terrace::tier::disk {

SegmentTable::SegmentTable(uint64_t segment_bytes, uint32_t segments)
    : slots_({.segment_bytes = segment_bytes - kSegmentOverhead,
              .segments = segments,
              .unit = kPage,
              .slot_overhead = kSlotOverhead}),
      segments_(segments) {}

SlotRecord* SegmentTable::find(Place place) {
  const uint32_t number = segment_of(place);
  if (number >= segments_.size() || index_of(place) >= segments_[number].slots.size()) return nullptr;
  return &segments_[number].slots[index_of(place)];
}

const SlotRecord* SegmentTable::find(Place place) const {
  return const_cast<SegmentTable*>(this)->find(place);
}

void SegmentTable::free(Place place) {
  SlotRecord* const slot = find(place);
  TERRACE_ASSERT(slot != nullptr && slot->state != SlotState::kFree);
  if (slot->state == SlotState::kLive) --live_blocks;
  slot->state = SlotState::kFree;
  const uint32_t number = segment_of(place);
  slots_.free({number, index_of(place), segments_[number].slot_bytes},
              record::record_bytes(slot->payload_bytes));
}

bool SegmentTable::segments_help() const {
  for (uint32_t number = 0; number < size(); ++number) {
    if (slots_.slot_bytes_of(number) != 0 && !slots_.is_quarantined(number)) return true;
  }
  return false;
}

void SegmentTable::withhold(uint32_t number) {
  SegmentRecord& segment = segments_[number];
  if (segment.withheld || slots_.is_quarantined(number)) return;
  segment.withheld = true;
  slots_.quarantine(number);
}

void SegmentTable::withhold_growth() {
  for (uint32_t number = 0; number < size(); ++number) {
    const SegmentRecord& segment = segments_[number];
    if (slots_.slot_bytes_of(number) == 0 && segment.disk_bytes == 0) withhold(number);
  }
}

void SegmentTable::end_withholding() {
  // From the back, so that the lowest number is the next to be used.
  for (uint32_t number = size(); number-- > 0;) {
    if (!segments_[number].withheld || slots_.taken_in(number) > 0) continue;
    segments_[number].withheld = false;
    slots_.reset_segment(number);
  }
}

void SegmentTable::sacrifice(uint64_t count) {
  for (uint32_t number = size(); number-- > 0 && count > 0;) {
    if (segments_[number].found || slots_.is_quarantined(number)) continue;
    slots_.quarantine(number);
    --count;
  }
}

uint64_t SegmentTable::disk_bytes() const {
  uint64_t bytes = 0;
  for (const SegmentRecord& segment : segments_) bytes += segment.disk_bytes;
  return bytes;
}

}  // namespace terrace::tier::disk
