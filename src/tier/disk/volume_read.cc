// Reading a record: part by part, so that the sink verifies one while the next are at the device.
#include <algorithm>

#include "base/hooks.h"
#include "tier/disk/read.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {
namespace {

// Bytes [offset, offset + bytes) of the record, in the caller's up to three pieces.
std::array<io::IoVec, 3> slice(const std::array<io::IoVec, 3>& record, uint64_t offset, uint64_t bytes) {
  std::array<io::IoVec, 3> cut{};
  size_t used = 0;
  for (const io::IoVec& piece : record) {
    if (bytes == 0) break;
    if (offset >= piece.bytes) {
      offset -= piece.bytes;
      continue;
    }
    const uint64_t take = std::min(bytes, piece.bytes - offset);
    cut[used++] = {static_cast<std::byte*>(piece.data) + offset, take};
    bytes -= take;
    offset = 0;
  }
  return cut;
}

}  // namespace

// Whether this read can start: an error says why not.
Result<void> DiskVolume::admit_read(const ReadOp& op) const {
  const uint64_t whole = record::record_bytes(op.payload_bytes);
  if (op.record[0].bytes + op.record[1].bytes + op.record[2].bytes != whole) {
    return fail(Code::kInvalidArgument, "the buffers do not hold the record exactly");
  }
  if (closing_) return fail(Code::kClosed, "the disk tier is closed");
  // Lookups skip it: the breaker opened since.
  if (!usable()) return fail(Code::kUnavailable, "the disk path's breaker is open");
  const SlotRecord* const slot = opened_ ? table_->find(op.place) : nullptr;
  if (slot == nullptr || slot->state != SlotState::kLive || slot->key != op.key ||
      slot->payload_bytes != op.payload_bytes) {
    TERRACE_PROBE("disk.block_left_before_its_read");
    return fail(Code::kNotFound, "the block is not at this place");
  }
  return {};
}

// A request for each part of the record; the header travels with the first, the padding with the last.
std::vector<io::IoRequest> DiskVolume::part_requests(Read& read) {
  const ReadOp& op = read.op;
  SegmentRecord& segment = table_->segment(segment_of(op.place));
  const uint64_t start = index_of(op.place) * segment.slot_bytes;
  const uint64_t part = record::part_bytes(op.payload_bytes);
  const uint64_t whole = record::record_bytes(op.payload_bytes);
  std::vector<io::IoRequest> requests;
  requests.reserve(read.ios);
  for (uint32_t i = 0; i < read.ios; ++i) {
    const uint64_t from = i == 0 ? 0 : record::kHeaderBytes + i * part;
    const uint64_t to = i + 1 == read.ios ? whole : record::kHeaderBytes + (i + 1) * part;
    requests.push_back({.op = io::IoOp::kRead,
                        .io_class = op.io_class,
                        .file = segment.data.get(),
                        .offset = start + from,
                        .vec = slice(op.record, from, to - from),
                        .done = [this, &read, from, bytes = to - from](Result<void> result) {
                          range_ended(read, from, bytes, result);
                        }});
  }
  return requests;
}

ReadTicket DiskVolume::read(ReadOp op) {
  const auto sink = op.sink;
  Result<void> admitted;
  std::vector<io::IoRequest> requests;
  ReadTicket ticket = 0;
  {
    const base::Lock lock(mutex_);
    admitted = admit_read(op);
    if (admitted) {
      ticket = (uint64_t{number_ + 1} << 56) | next_ticket_++;
      auto owned = std::make_unique<Read>();
      Read& read = *owned;
      read.op = std::move(op);
      read.ticket = ticket;
      read.watch = watch(read.op.deadline);
      read.hold = hold_locked();
      read.ios = record::part_count(read.op.payload_bytes);
      {
        const base::Lock read_lock(read.mutex);
        read.missing = read.ios;
      }
      requests = part_requests(read);
      reads_.emplace(ticket, std::move(owned));
    }
  }
  if (ticket == 0) {
    sink->done(admitted);
    return 0;
  }
  const Hold held = hold();
  const io::IoTicket first = parts_.scheduler.submit(requests);
  bool cancel_now = false;
  {
    const base::Lock lock(mutex_);
    const auto found = reads_.find(ticket);  // it may have ended already
    if (found != reads_.end()) {
      found->second->first_io = first;
      cancel_now = found->second->cancel_wanted;
    }
  }
  if (cancel_now) cancel_io(ticket);
  return ticket;
}

void DiskVolume::range_ended(Read& read, uint64_t offset, uint64_t bytes, Result<void> result) {
  {
    const base::Lock lock(read.mutex);
    read.arrived.push_back({offset, bytes, result});
    if (read.handing_over) return;
    read.handing_over = true;
  }
  for (;;) {
    std::vector<Read::Range> ranges;
    {
      const base::Lock lock(read.mutex);
      ranges.swap(read.arrived);
      read.missing -= static_cast<uint32_t>(ranges.size());
      if (ranges.empty()) {
        read.handing_over = false;
        if (read.missing > 0) return;  // another thread goes on, and may end the read at any time
        break;
      }
    }
    for (const Read::Range& range : ranges) {
      if (range.result && read.result) {
        read.op.sink->arrived(range.offset, range.bytes);
      } else if (read.result) {
        read.result = range.result;
        TERRACE_PROBE("disk.rest_of_a_record_not_read");
        cancel_io(read.ticket);  // what still waits need not be read
      }
    }
  }
  end_read(read);
}

void DiskVolume::end_read(Read& read) {
  std::unique_ptr<Read> owned;
  Notices notices;
  {
    const base::Lock lock(mutex_);
    const auto found = reads_.find(read.ticket);
    owned = std::move(found->second);
    reads_.erase(found);
    operation_ended(read.watch, segment_of(read.op.place), read.result, notices);
  }
  deliver(std::move(notices));
  owned->op.sink->done(owned->result);
}

void DiskVolume::cancel(ReadTicket ticket) {
  cancel_io(ticket);
}

// The scheduler calls `done` of what was still queued inside cancel().
void DiskVolume::cancel_io(ReadTicket ticket) {
  io::IoTicket first = 0;
  uint32_t ios = 0;
  {
    const base::Lock lock(mutex_);
    const auto found = reads_.find(ticket);
    if (found == reads_.end()) return;
    found->second->cancel_wanted = true;
    first = found->second->first_io;
    ios = found->second->ios;
  }
  for (uint32_t i = 0; first != 0 && i < ios; ++i) parts_.scheduler.cancel(first + i);
}

}  // namespace terrace::tier::disk
