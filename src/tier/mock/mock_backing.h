// What mock tiers keep their records in: shared by tier objects of one process (T3). Sharing between two
// processes comes with the server: it is a second implementation of this class, over a file in shared memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "record/record.h"

namespace terrace::tier::mock {

class MockBacking {
 public:
  // `capacity_bytes` of records; 0: no bound. The secret is drawn from the seed.
  explicit MockBacking(uint64_t capacity_bytes, uint64_t seed = 1);

  struct Stored {
    record::BlockMeta meta;
    uint64_t rank = 0;
    std::vector<std::byte> bytes;  // the whole record
  };

  // Room for a record, until put() or give_back(). False: full.
  bool reserve(uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  void give_back(uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  // Uses the room reserved; of two records of one key the first stays, and the other's room is given back.
  void put(Stored stored) TERRACE_EXCLUDES(mutex_);
  // A copy, so that nobody waits for a slow reader; empty when absent.
  std::shared_ptr<const Stored> get(const Key& key) const TERRACE_EXCLUDES(mutex_);
  bool remove(const Key& key) TERRACE_EXCLUDES(mutex_);
  std::vector<std::shared_ptr<const Stored>> all() const TERRACE_EXCLUDES(mutex_);
  // Rot: flips one bit of the record. False when absent.
  bool flip_bit(const Key& key, uint64_t bit) TERRACE_EXCLUDES(mutex_);

  uint64_t used_bytes() const TERRACE_EXCLUDES(mutex_);
  uint64_t blocks() const TERRACE_EXCLUDES(mutex_);
  uint64_t capacity_bytes() const { return capacity_bytes_; }
  const record::Secret& secret() const { return secret_; }

 private:
  const uint64_t capacity_bytes_;
  record::Secret secret_;
  mutable base::Mutex mutex_;
  std::map<Key, std::shared_ptr<const Stored>> stored_ TERRACE_GUARDED_BY(mutex_);
  uint64_t used_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;  // reservations included
};

}  // namespace terrace::tier::mock
