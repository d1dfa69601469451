// What goes wrong, drawn from a seed: shared by the fault engine, the fault file system and the oracle that
// judges the store by the counts. Any thread. Requests that arrive in the same order get the same faults.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "io/io_engine.h"

namespace terrace::io {

enum class FaultKind : uint8_t {
  kReadError,   // EIO
  kWriteError,  // EIO; half of them after a part was written
  kSyncError,
  kBadSector,         // a read error that stays: the range is bad from now on
  kReadFlip,          // one bit of what was read; success is reported, as by all below
  kMisdirectedRead,   // bytes of another place of the file
  kTornWrite,         // only a head of the bytes is written
  kLostWrite,         // nothing is
  kMisdirectedWrite,  // to another place of the file
  kDelay,
  kOpenError,  // from here on calls of the file system: EIO
  kAllocateError,
  kAllocateNoSpace,
  kRemoveError,
  kListError,
  kLockError,
};
inline constexpr size_t kFaultKinds = 16;
std::string_view to_string(FaultKind kind);

// A value per kind, `faults[FaultKind::kReadError]`.
template <class T>
class PerFault {
 public:
  T& operator[](FaultKind kind) { return values_[static_cast<size_t>(kind)]; }
  const T& operator[](FaultKind kind) const { return values_[static_cast<size_t>(kind)]; }
  friend bool operator==(const PerFault&, const PerFault&) = default;

 private:
  std::array<T, kFaultKinds> values_{};
};

struct FaultRates {
  PerFault<double> chance;  // 0 to 1, per request or call that the kind can meet
  base::Duration delay_min{}, delay_max{};
};
using FaultCounts = PerFault<uint64_t>;

// The fate of one request.
struct Fault {
  enum class Kind : uint8_t { kNone, kError, kFlip, kTruncate, kMove } kind = Kind::kNone;
  uint64_t at =
      0;  // kError: bytes written before it; kFlip: which bit; kTruncate: bytes kept; kMove: the offset
  base::Duration delay{};
};

class FaultPlan {
 public:
  explicit FaultPlan(uint64_t seed, FaultRates rates = {}) : random_(seed), rates_(rates) {}

  void set_rates(const FaultRates& rates) TERRACE_EXCLUDES(mutex_);
  void set_chance(FaultKind kind, double chance) TERRACE_EXCLUDES(mutex_);
  // Every request ends no earlier than this.
  void stall_until(base::TimePoint time) TERRACE_EXCLUDES(mutex_);
  // Reads and writes that touch the range fail with EIO, until cleared.
  void add_bad_range(std::string path, uint64_t offset, uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  void clear_bad_ranges() TERRACE_EXCLUDES(mutex_);
  // What was injected so far. A request that meets a bad range counts as a read or write error.
  FaultCounts counts() const TERRACE_EXCLUDES(mutex_);

  // For the decorators.
  Fault decide(IoOp op, const File& file, uint64_t offset, uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  bool hits(FaultKind kind) TERRACE_EXCLUDES(mutex_);
  base::TimePoint stalled_until() const TERRACE_EXCLUDES(mutex_);

 private:
  struct Range {
    std::string path;
    uint64_t offset = 0, bytes = 0;
  };
  bool draw(FaultKind kind) TERRACE_REQUIRES(mutex_);
  bool is_bad(const std::string& path, uint64_t offset, uint64_t bytes) const TERRACE_REQUIRES(mutex_);
  void decide_read(Fault& fault, const File& file, uint64_t offset, uint64_t bytes) TERRACE_REQUIRES(mutex_);
  void decide_write(Fault& fault, const File& file, uint64_t offset, uint64_t bytes) TERRACE_REQUIRES(mutex_);
  uint64_t head_of(const File& file, uint64_t bytes) TERRACE_REQUIRES(mutex_);
  uint64_t other_place(const File& file, uint64_t offset) TERRACE_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  base::Random random_ TERRACE_GUARDED_BY(mutex_);
  FaultRates rates_ TERRACE_GUARDED_BY(mutex_);
  FaultCounts counts_ TERRACE_GUARDED_BY(mutex_);
  std::vector<Range> bad_ TERRACE_GUARDED_BY(mutex_);
  std::array<Range, 16> recent_ TERRACE_GUARDED_BY(mutex_);  // misdirections go where records are
  uint64_t seen_ TERRACE_GUARDED_BY(mutex_) = 0;
  base::TimePoint stalled_until_ TERRACE_GUARDED_BY(mutex_){};
};

// Cuts the vectors to their first `bytes` bytes.
void truncate(std::array<IoVec, 3>& vectors, uint64_t bytes);
// Flips bit `bit` of the bytes the vectors stand for.
void flip_bit(const std::array<IoVec, 3>& vectors, uint64_t bit);

}  // namespace terrace::io
