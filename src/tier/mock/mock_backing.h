// What mock tiers keep their records in. Tier objects of one process share a MemoryBacking, those of several
// processes a DirectoryBacking (T3). Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "record/record.h"

namespace terrace::tier::mock {

class MockBacking {
 public:
  struct Stored {
    record::BlockMeta meta;  // whole in memory; key and payload bytes in a directory
    uint64_t rank = 0;
    std::vector<std::byte> bytes;  // the whole record
  };

  virtual ~MockBacking() = default;
  // Room for a record, until put() or give_back(). False: full.
  virtual bool reserve(uint64_t bytes) = 0;
  virtual void give_back(uint64_t bytes) = 0;
  // Uses the room reserved; of two records of one key the first stays, and the other's room is given back.
  // Errors: kIo, with the room given back.
  virtual Result<void> put(Stored stored) = 0;
  // A copy, so that nobody waits for a slow reader; empty when absent.
  virtual std::shared_ptr<const Stored> get(const Key& key) const = 0;
  // Length of the payload, 0 when absent.
  virtual uint64_t payload_bytes(const Key& key) const = 0;
  virtual bool remove(const Key& key) = 0;
  virtual std::vector<std::shared_ptr<const Stored>> all() const = 0;

  virtual uint64_t used_bytes() const = 0;  // reservations included
  virtual uint64_t blocks() const = 0;
  virtual uint64_t capacity_bytes() const = 0;  // 0: no bound
  virtual const record::Secret& secret() const = 0;
};

class MemoryBacking final : public MockBacking {
 public:
  // `capacity_bytes` of records; 0: no bound. The secret is drawn from the seed.
  explicit MemoryBacking(uint64_t capacity_bytes, uint64_t seed = 1);

  bool reserve(uint64_t bytes) override TERRACE_EXCLUDES(mutex_);
  void give_back(uint64_t bytes) override TERRACE_EXCLUDES(mutex_);
  Result<void> put(Stored stored) override TERRACE_EXCLUDES(mutex_);
  std::shared_ptr<const Stored> get(const Key& key) const override TERRACE_EXCLUDES(mutex_);
  uint64_t payload_bytes(const Key& key) const override TERRACE_EXCLUDES(mutex_);
  bool remove(const Key& key) override TERRACE_EXCLUDES(mutex_);
  std::vector<std::shared_ptr<const Stored>> all() const override TERRACE_EXCLUDES(mutex_);
  uint64_t used_bytes() const override TERRACE_EXCLUDES(mutex_);
  uint64_t blocks() const override TERRACE_EXCLUDES(mutex_);
  uint64_t capacity_bytes() const override { return capacity_bytes_; }
  const record::Secret& secret() const override { return secret_; }
  // Rot: flips one bit of the record. False when absent.
  bool flip_bit(const Key& key, uint64_t bit) TERRACE_EXCLUDES(mutex_);

 private:
  const uint64_t capacity_bytes_;
  record::Secret secret_;
  mutable base::Mutex mutex_;
  std::map<Key, std::shared_ptr<const Stored>> stored_ TERRACE_GUARDED_BY(mutex_);
  uint64_t used_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace terrace::tier::mock
