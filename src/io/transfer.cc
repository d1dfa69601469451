#include "io/transfer.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/bytes.h"
#include "base/hooks.h"
#include "io/os_error.h"

namespace terrace::io {
namespace {

const char* failed_call(IoOp op) {
  switch (op) {
    case IoOp::kRead:
      return "read failed";
    case IoOp::kWrite:
      return "write failed";
    case IoOp::kSync:
      return "sync failed";
  }
  return "io failed";
}

}  // namespace

Transfer::Transfer(IoRequest request, uint64_t piece_max)
    : request_(std::move(request)), piece_max_(piece_max), bytes_(request_.bytes()) {}

std::span<const iovec> Transfer::vectors() {
  uint64_t skip = moved_;
  uint64_t room = piece_max_;
  size_t count = 0;
  for (const IoVec& vec : request_.vec) {
    if (skip >= vec.bytes) {
      skip -= vec.bytes;
      continue;
    }
    const uint64_t bytes = std::min(vec.bytes - skip, room);
    if (bytes == 0) break;
    piece_[count++] = iovec{static_cast<std::byte*>(vec.data) + skip, bytes};
    room -= bytes;
    skip = 0;
  }
  return std::span(piece_.data(), count);
}

std::optional<Result<void>> Transfer::retry_or(std::unexpected<Error> error) {
  if (TERRACE_MUTANT("io.interrupted_is_done")) return Result<void>();
  if (++retries_ <= kRetriesMax) return std::nullopt;
  return error;
}

std::optional<Result<void>> Transfer::advance(int64_t returned) {
  if (returned < 0) {
    const int sys_errno = static_cast<int>(-returned);
    const auto error = os_error(sys_errno, failed_call(request_.op));
    if (sys_errno == EINTR || sys_errno == EAGAIN) {
      TERRACE_PROBE("io.interrupted");
      return retry_or(error);
    }
    return error;
  }
  const uint64_t left = bytes_ - moved_;
  if (request_.op == IoOp::kSync || left == 0) return Result<void>();

  uint64_t moved = std::min(static_cast<uint64_t>(returned), left);
  // A direct transfer goes on at an aligned offset: a ragged end (of the file, usually) is moved again.
  if (moved < left) {
    TERRACE_PROBE("io.short_transfer");
    moved = base::round_down(moved, request_.file->alignment());
  }
  if (moved == 0) {
    const auto error = request_.op == IoOp::kRead ? fail(Code::kCorrupt, "the file ends before the record")
                                                  : fail(Code::kIo, "the device took no bytes");
    if (returned == 0) return error;
    return retry_or(error);
  }
  retries_ = 0;
  moved_ += moved;
  if (moved_ == bytes_ || TERRACE_MUTANT("io.ignore_short_transfer")) return Result<void>();
  return std::nullopt;
}

DropBehind drop_behind(const IoRequest& request) {
  if (request.file->direct()) return DropBehind::kNothing;
  if (request.op == IoOp::kSync) return DropBehind::kDropFile;
  if (request.bytes() < kDropBehindMin) return DropBehind::kNothing;
  return request.op == IoOp::kRead ? DropBehind::kDropRange : DropBehind::kStartWriteback;
}

}  // namespace terrace::io
