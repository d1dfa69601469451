// After a power cut: records that no sync vouches for are verified whole before they are present (decision
// 9).
#include "base/hooks.h"
#include "tier/disk/scan.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {
namespace {

constexpr uint64_t kPartBytesMax = record::part_bytes(record::kPayloadBytesMax);

}  // namespace

void DiskVolume::check_next(std::unique_ptr<RecordCheck> check) {
  if (check->entries.empty()) return check->turn.settle();
  {
    const base::Lock lock(mutex_);
    if (closing_) return;
    const auto& [index, entry] = check->entries.back();
    check->block = found_block(check->number, index, entry);
    check->entries.pop_back();
    check->verifier.emplace(check->block.meta.key, check->block.meta.payload_bytes, superblock_.secret,
                            check->block.where.binding);
    check->part = 0;
  }
  if (check->buffer.size() == 0) {
    auto buffer = memory::PageBuffer::make(kPage + kPartBytesMax);
    if (!buffer) return;
    check->buffer = std::move(*buffer);
  }
  check_read(std::move(check));
}

// The header travels with the first part.
void DiskVolume::check_read(std::unique_ptr<RecordCheck> check) {
  const uint64_t payload = check->block.meta.payload_bytes, part = record::part_bytes(payload);
  const uint64_t from = check->part == 0 ? 0 : kPage + check->part * part;
  const uint64_t to = std::min(record::record_bytes(payload), kPage + (check->part + 1) * part);
  io::IoRequest request{.op = io::IoOp::kRead,
                        .io_class = io::IoClass::kBackground,
                        .file = nullptr,
                        .offset = 0,
                        .vec = {},
                        .done = nullptr};
  {
    const base::Lock lock(mutex_);
    const SegmentRecord& segment = table_->segment(check->number);
    request.file = segment.data.get();
    request.offset = index_of(check->block.where.place) * segment.slot_bytes + from;
  }
  request.vec[0] = {check->buffer.data() + (check->part == 0 ? 0 : kPage), to - from};
  request.done = [this, check = std::move(check)](Result<void> result) mutable {
    post_step(
        [this, check = std::move(check), result]() mutable { check_arrived(std::move(check), result); });
  };
  parts_.scheduler.submit(std::move(request));
}

void DiskVolume::check_arrived(std::unique_ptr<RecordCheck> check, Result<void> result) {
  const uint64_t payload = check->block.meta.payload_bytes, part = record::part_bytes(payload);
  if (result && check->part == 0) result = check->verifier->header(check->buffer.bytes().first(kPage));
  if (result) {
    const uint64_t bytes = std::min(part, payload - check->part * part);
    result = check->verifier->part(check->part, check->buffer.bytes().subspan(kPage, bytes));
  }
  if (!result) {
    TERRACE_PROBE("disk.unsynced_record_damaged");
    forget_found(check->block.where.place);
  } else if (!check->verifier->complete()) {
    ++check->part;
    return check_read(std::move(check));
  } else {
    tell_found(std::span(&check->block, 1));
  }
  check_next(std::move(check));
}

}  // namespace terrace::tier::disk
