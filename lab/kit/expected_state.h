// What the store was told and what it acknowledged, key by key, in a file outside the store that outlives a
// killed process (as RocksDB's db_stress keeps it). Per key four counters in program order, so that after a
// crash every answer is either allowed or a defect:
//
//   begun     the last writer that may have committed        (set before the commit: the pending mark)
//   durable   a writer up to this one ended its write to disk (set after its completion)
//   removing  removal was asked for up to this writer         (set before the call: the pending mark)
//   removed   removal was acknowledged up to this writer      (set after the call)
//
// One thread owns a key's writes and removals; any thread may read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <terrace/error.h>

#include "lab/kit/oracle.h"

namespace terrace::lab {

// A key's counters at one moment.
struct KeyState {
  Writer begun = 0, durable = 0, removing = 0, removed = 0;

  // A get may answer with bytes of this writer.
  bool allows(Writer writer) const { return writer > removed && writer <= begun; }
  // It must be found, as long as nothing was evicted and no device failed.
  bool must_be_found() const { return durable > removing; }
  // It must not be found.
  bool must_be_missing() const { return begun <= removed; }
};

class ExpectedState {
 private:
  struct Entry {
    std::atomic<Writer> begun, durable, removing, removed;
  };
  static_assert(sizeof(Entry) == 16 && std::atomic<Writer>::is_always_lock_free);
  struct Head {
    char magic[8] = {'T', 'E', 'R', 'L', 'A', 'B', 'X', '1'};
    uint32_t keys = 0;
    uint32_t zero = 0;
    std::atomic<uint64_t> operations{0};
    uint64_t zeros = 0;
  };
  static_assert(sizeof(Head) == 32);

 public:
  // In memory only.
  explicit ExpectedState(uint32_t keys);
  // The file; made with all counters zero when it is missing. Errors: a file of another number of keys, the
  // system's.
  static Outcome<std::unique_ptr<ExpectedState>> open(const std::string& path, uint32_t keys);
  // How many keys a file of so many bytes has.
  static uint64_t keys_of_file(uint64_t bytes) {
    return bytes < sizeof(Head) ? 0 : (bytes - sizeof(Head)) / sizeof(Entry);
  }
  ~ExpectedState();
  ExpectedState(const ExpectedState&) = delete;
  ExpectedState& operator=(const ExpectedState&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  KeyState of(uint32_t key) const;

  // The owner's calls.
  Writer begin_write(uint32_t key);  // a new writer, begun
  void write_durable(uint32_t key, Writer writer);
  void begin_remove(uint32_t key);
  void end_remove(uint32_t key);

  // --- after a crash, while nothing runs
  // A power cut took the latest syncs: nothing is owed, and what was removed after `removed` may be back.
  void forgive(uint32_t key, Writer removed);
  // It was looked for after recovery: from here on it stays there (found with this writer's bytes; an older
  // record of the key, not removed, may stand on the disk beside it and be found another time), or gone (0).
  void settle(uint32_t key, Writer found);

  // Operations done, over all lives; any thread.
  void count_operation() { head_->operations.fetch_add(1, std::memory_order_relaxed); }
  uint64_t operations() const { return head_->operations.load(std::memory_order_relaxed); }

 private:
  ExpectedState(void* mapping, size_t bytes, uint32_t keys);

  std::unique_ptr<Entry[]> owned_;
  Head owned_head_;
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  Head* head_ = &owned_head_;
  std::span<Entry> entries_;
};

}  // namespace terrace::lab
