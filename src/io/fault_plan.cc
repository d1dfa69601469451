#include "io/fault_plan.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace terrace::io {

std::string_view to_string(FaultKind kind) {
  static constexpr std::array<std::string_view, kFaultKinds> kNames = {
      "read_error",       "write_error",    "sync_error",        "bad_sector",        "read_flip",
      "misdirected_read", "torn_write",     "lost_write",        "misdirected_write", "delay",
      "open_error",       "allocate_error", "allocate_no_space", "remove_error",      "list_error",
      "lock_error"};
  return kNames[static_cast<size_t>(kind)];
}

void FaultPlan::set_rates(const FaultRates& rates) {
  base::Lock lock(mutex_);
  rates_ = rates;
}

void FaultPlan::set_chance(FaultKind kind, double chance) {
  base::Lock lock(mutex_);
  rates_.chance[kind] = chance;
}

void FaultPlan::stall_until(base::TimePoint time) {
  base::Lock lock(mutex_);
  stalled_until_ = time;
}

base::TimePoint FaultPlan::stalled_until() const {
  base::Lock lock(mutex_);
  return stalled_until_;
}

void FaultPlan::add_bad_range(std::string path, uint64_t offset, uint64_t bytes) {
  base::Lock lock(mutex_);
  bad_.push_back({std::move(path), offset, bytes});
}

void FaultPlan::clear_bad_ranges() {
  base::Lock lock(mutex_);
  bad_.clear();
}

FaultCounts FaultPlan::counts() const {
  base::Lock lock(mutex_);
  return counts_;
}

bool FaultPlan::hits(FaultKind kind) {
  base::Lock lock(mutex_);
  return draw(kind);
}

bool FaultPlan::draw(FaultKind kind) {
  const double chance = rates_.chance[kind];
  if (chance <= 0 || random_.unit() >= chance) return false;
  ++counts_[kind];
  return true;
}

bool FaultPlan::is_bad(const std::string& path, uint64_t offset, uint64_t bytes) const {
  return std::ranges::any_of(bad_, [&](const Range& range) {
    return range.path == path && offset < range.offset + range.bytes && range.offset < offset + bytes;
  });
}

Fault FaultPlan::decide(IoOp op, const File& file, uint64_t offset, uint64_t bytes) {
  base::Lock lock(mutex_);
  Fault fault;
  if (draw(FaultKind::kDelay)) {
    const auto spread = static_cast<uint64_t>((rates_.delay_max - rates_.delay_min).count());
    fault.delay = rates_.delay_min + base::Duration(static_cast<int64_t>(random_.below(spread + 1)));
  }
  if (op == IoOp::kSync) {
    if (draw(FaultKind::kSyncError)) fault.kind = Fault::Kind::kError;
    return fault;
  }
  if (bytes == 0) return fault;
  if (op == IoOp::kRead) decide_read(fault, file, offset, bytes);
  if (op == IoOp::kWrite) decide_write(fault, file, offset, bytes);
  recent_[seen_++ % recent_.size()] = {file.path(), offset, bytes};
  return fault;
}

void FaultPlan::decide_read(Fault& fault, const File& file, uint64_t offset, uint64_t bytes) {
  if (is_bad(file.path(), offset, bytes)) {
    ++counts_[FaultKind::kReadError];
    fault.kind = Fault::Kind::kError;
  } else if (draw(FaultKind::kReadError)) {
    fault.kind = Fault::Kind::kError;
  } else if (draw(FaultKind::kBadSector)) {
    const uint64_t page = base::round_down(offset + random_.below(bytes), base::kPage);
    bad_.push_back({file.path(), page, base::kPage});
    fault.kind = Fault::Kind::kError;
  } else if (draw(FaultKind::kMisdirectedRead)) {
    fault = {Fault::Kind::kMove, other_place(file, offset), fault.delay};
  } else if (draw(FaultKind::kReadFlip)) {
    fault = {Fault::Kind::kFlip, random_.below(bytes * 8), fault.delay};
  }
}

void FaultPlan::decide_write(Fault& fault, const File& file, uint64_t offset, uint64_t bytes) {
  if (is_bad(file.path(), offset, bytes)) {
    ++counts_[FaultKind::kWriteError];
    fault.kind = Fault::Kind::kError;
  } else if (draw(FaultKind::kWriteError)) {
    fault = {Fault::Kind::kError, random_.one_in(2) ? head_of(file, bytes) : 0, fault.delay};
  } else if (draw(FaultKind::kLostWrite)) {
    fault = {Fault::Kind::kTruncate, 0, fault.delay};
  } else if (draw(FaultKind::kTornWrite)) {
    fault = {Fault::Kind::kTruncate, head_of(file, bytes), fault.delay};
  } else if (draw(FaultKind::kMisdirectedWrite)) {
    fault = {Fault::Kind::kMove, other_place(file, offset), fault.delay};
  }
}

// A whole number of the units the file takes, fewer than `bytes`.
uint64_t FaultPlan::head_of(const File& file, uint64_t bytes) {
  const uint64_t unit = std::max<uint64_t>(file.alignment(), 512);
  const uint64_t units = (bytes + unit - 1) / unit;
  return random_.below(units) * unit;
}

// Another place of the file: where a recent request went, or the neighbouring pages.
uint64_t FaultPlan::other_place(const File& file, uint64_t offset) {
  const uint64_t start = random_.below(recent_.size());
  for (size_t i = 0; i < recent_.size(); ++i) {
    const Range& range = recent_[(start + i) % recent_.size()];
    if (range.bytes > 0 && range.path == file.path() && range.offset != offset) return range.offset;
  }
  const uint64_t distance = (1 + random_.below(16)) * base::kPage;
  return offset >= distance ? offset - distance : offset + distance;
}

void truncate(std::array<IoVec, 3>& vectors, uint64_t bytes) {
  for (IoVec& vec : vectors) {
    vec.bytes = std::min(vec.bytes, bytes);
    bytes -= vec.bytes;
  }
}

void flip_bit(const std::array<IoVec, 3>& vectors, uint64_t bit) {
  uint64_t byte = bit / 8;
  for (const IoVec& vec : vectors) {
    if (byte < vec.bytes) {
      static_cast<std::byte*>(vec.data)[byte] ^= std::byte{1} << (bit % 8);
      return;
    }
    byte -= vec.bytes;
  }
}

}  // namespace terrace::io
