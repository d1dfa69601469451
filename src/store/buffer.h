// A slot of L1 in use: being filled, resident, being loaded, or only leased any more; or memory of the caller
// that is written straight to the tiers (S7). Memory goes back when nothing refers to it and L1 does not hold
// it. Guarded by the store's mutex; the bytes are not (a buffer is written by its one owner before it is
// published, and never after).
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "io/io_engine.h"
#include "memory/arena.h"
#include "memory/region.h"
#include "record/record.h"
#include "store/types.h"

namespace terrace::store {

struct PrefetchFlow;

// A block that stands in the caller's memory: its payload there, header and tail in pages of ours.
struct CallerMemory {
  std::span<std::byte> payload;
  std::byte* header = nullptr;
  std::byte* tail = nullptr;  // the last part of a page; null when the payload ends with a page
  memory::RegionUse use;
  Notify notify;  // told when the caller has its memory back
};

class Buffer {
 public:
  std::span<std::byte> header() const {
    if (private_header != nullptr) return {private_header, record::kHeaderBytes};
    return caller ? std::span(caller->header, record::kHeaderBytes) : slot_bytes.first(record::kHeaderBytes);
  }
  std::span<std::byte> payload() const {
    return caller ? caller->payload : slot_bytes.subspan(record::kHeaderBytes, meta.payload_bytes);
  }
  // The record as it is written, behind a header page of its own or another one: page-aligned pieces that are
  // together record_bytes(payload). Padding must have been zeroed.
  std::array<io::IoVec, 3> record(std::byte* header_page) const {
    const uint64_t rest = record::record_bytes(meta.payload_bytes) - record::kHeaderBytes;
    if (caller) {
      const uint64_t whole = base::round_down(meta.payload_bytes, base::kPage);
      std::array<io::IoVec, 3> pieces{{{header_page, record::kHeaderBytes}, {}, {}}};
      size_t used = 1;
      if (whole > 0) pieces[used++] = {caller->payload.data(), whole};
      if (rest > whole) pieces[used] = {caller->tail, base::kPage};
      return pieces;
    }
    if (header_page == slot_bytes.data()) return {{{header_page, record::kHeaderBytes + rest}, {}, {}}};
    return {{{header_page, record::kHeaderBytes}, {slot_bytes.data() + record::kHeaderBytes, rest}, {}}};
  }
  // What follows the payload in its last page; once, as a tier may be reading it already when the next one's
  // write begins. On the executor.
  void zero_padding() {
    if (std::exchange(padded, true)) return;
    const uint64_t record_bytes = record::record_bytes(meta.payload_bytes);
    if (!caller)
      std::ranges::fill(slot_bytes.first(record_bytes).subspan(record::kHeaderBytes + meta.payload_bytes),
                        std::byte{0});
  }

  memory::Slot slot;
  memory::SlotOwner owner = 0;          // who may write the slot's memory besides the store
  std::byte* private_header = nullptr;  // of the page pool, where somebody else could write the slot's own
  std::span<std::byte> slot_bytes;
  record::BlockMeta meta;
  BlockId block = kNoBlock;
  TenantId tenant = kNoTenant;     // in whose share it is counted while it is private
  bool is_store = false;           // and as what: a reservation, or something loaded or leased
  uint32_t refs = 0;               // reservation, leases, running transfers
  bool resident = false;           // L1 holds it
  bool temporary = false;          // leaves L1 with its last reference (R7, skip_l1)
  bool staged = false;             // committed and never resident: in flight until it is freed (M2)
  bool summed = false;             // the header page holds the right part sums
  bool padded = false;             // what follows the payload is zero; the executor's
  bool header_in_use = false;      // a running write uses the header page
  uint32_t removals = 0;           // of its block when its bytes were asked for
  bool erase = false;              // zeroed when freed (D1)
  BlockId parent = kNoBlock;       // kept in L1 while this is private (E1)
  uint64_t write_credit = 0;       // of store.bytes_in_flight, taken by reserve_wait
  uint32_t hits = 0;               // for sampled verification
  PrefetchFlow* ticket = nullptr;  // that leases it until a get takes it (R7)
  size_t ticket_index = 0;
  std::unique_ptr<CallerMemory> caller;  // of a block that is no slot of the arena (S7)
};

}  // namespace terrace::store
