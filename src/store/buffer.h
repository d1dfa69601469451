// A slot of L1 in use: being filled, resident, being loaded, or only leased any more. Memory goes back when
// nothing refers to it and L1 does not hold it. Guarded by the store's mutex; the bytes are not (a buffer is
// written by its one owner before it is published, and never after).
#pragma once

#include <span>

#include "memory/arena.h"
#include "record/record.h"
#include "store/types.h"

namespace terrace::store {

class Buffer {
 public:
  // Header page, payload, padding: as the record stands in a tier (decision 6).
  std::span<std::byte> record() const { return slot_bytes.first(record::record_bytes(meta.payload_bytes)); }
  std::span<std::byte> header() const { return slot_bytes.first(record::kHeaderBytes); }
  std::span<std::byte> payload() const {
    return slot_bytes.subspan(record::kHeaderBytes, meta.payload_bytes);
  }

  memory::Slot slot;
  std::span<std::byte> slot_bytes;
  record::BlockMeta meta;
  BlockId block = kNoBlock;
  uint32_t refs = 0;                        // reservation, leases, running transfers
  bool resident = false;                    // L1 holds it
  bool temporary = false;                   // leaves L1 with its last lease (R7)
  bool summed = false;                      // the header page holds the right part sums
  bool header_in_use = false;               // a running write uses the header page
  uint32_t removals = 0;                    // of its block when its bytes were asked for
  bool erase = false;                       // zeroed when freed (D1)
  BlockId parent = kNoBlock;                // kept in L1 while this is private (E1)
  uint64_t write_credit = 0;                // of store.bytes_in_flight, taken by reserve_wait
  uint32_t hits = 0;                        // for sampled verification
  PrefetchTicket::State* ticket = nullptr;  // that leases it until a get takes it (R7)
  size_t ticket_index = 0;
};

}  // namespace terrace::store
