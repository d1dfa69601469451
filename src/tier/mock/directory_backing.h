// A mock's records in a directory that several processes share (T3): a file per block, and one file with the
// secret and the bytes in use, guarded by flock. A process that is killed between reserve() and put() leaves
// its room taken: this is a mock.
#pragma once

#include <string>

#include "tier/mock/mock_backing.h"

namespace terrace::tier::mock {

class DirectoryBacking final : public MockBacking {
 public:
  // Makes the directory when it is missing. All who share it name one capacity. Errors: kIo, kPermission,
  // with the path.
  static Outcome<std::shared_ptr<DirectoryBacking>> open(const std::string& path, uint64_t capacity_bytes);
  ~DirectoryBacking() override;
  DirectoryBacking(const DirectoryBacking&) = delete;
  DirectoryBacking& operator=(const DirectoryBacking&) = delete;

  bool reserve(uint64_t bytes) override;
  void give_back(uint64_t bytes) override;
  Result<void> put(Stored stored) override;
  std::shared_ptr<const Stored> get(const Key& key) const override;
  uint64_t payload_bytes(const Key& key) const override;
  bool remove(const Key& key) override;
  std::vector<std::shared_ptr<const Stored>> all() const override { return {}; }  // asked by key only
  uint64_t used_bytes() const override;
  uint64_t blocks() const override;
  uint64_t capacity_bytes() const override { return capacity_bytes_; }
  const record::Secret& secret() const override { return secret_; }

 private:
  struct Ledger {  // the shared file
    record::Secret secret;
    uint64_t used_bytes;
    uint64_t blocks;
  };
  DirectoryBacking(std::string path, int ledger, uint64_t capacity_bytes)
      : path_(std::move(path)), ledger_(ledger), capacity_bytes_(capacity_bytes) {}
  template <class Change>
  bool change(Change change) const;  // under the lock; false: nothing changed
  std::string file_of(const Key& key) const { return path_ + "/" + to_hex(key); }

  const std::string path_;
  const int ledger_;
  const uint64_t capacity_bytes_;
  record::Secret secret_{};
  mutable base::Mutex mutex_;  // flock is the process's, not the thread's
};

}  // namespace terrace::tier::mock
