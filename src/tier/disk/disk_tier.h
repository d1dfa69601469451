// The disk tier (T4): one contract over one or several directories. Each keeps its own superblock, breaker
// and index part; where a block goes is chosen when it is written, among the healthy ones.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "tier/disk/options.h"
#include "tier/disk/volume.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

// What a disk tier uses; outlives it. The executor's tasks block on files (making a segment, opening one in
// recovery): give it a thread of its own, not the one that serves an engine.
struct DiskParts {
  base::Clock& clock;
  base::Executor& executor;
  io::FileSystem& files;
  std::vector<std::reference_wrapper<io::IoScheduler>> schedulers;  // one for each path, in order
};

class DiskTier final : public Tier, private TierListener {
 public:
  // Blocks. Errors name path or option, value and what is allowed: kInvalidArgument, kPermission, kForeign,
  // kIncompatible, kInUse (with the pid), kIo when every path, or with require_all_paths any, fails.
  static Outcome<std::unique_ptr<DiskTier>> open(const DiskOptions& options, const DiskParts& parts);
  ~DiskTier() override;

  std::string_view name() const override { return "disk"; }
  Capabilities capabilities() const override { return {.survives_restart = true}; }
  void start(TierListener& listener) override;
  PlaceAnswer place(const record::BlockMeta& meta) override;
  void withdraw(Place place, uint64_t payload_bytes) override;
  void write(std::span<WriteOp> batch) override;
  ReadTicket read(ReadOp op) override;
  void cancel(ReadTicket ticket) override;
  void remove(std::span<const RemoveOp> batch, RemoveKind kind, Done done) override;
  // kUnsupported: the index is exact, and the store's.
  void exists(std::span<const Key> keys, base::TimePoint deadline,
              std::move_only_function<void(Result<std::vector<uint64_t>>)> done) override;
  record::Secret secret(Place place) const override;
  record::Binding binding(const Key& key, Place place) const override;
  bool available(Place place) const override;
  void remember_namespace(const KnownNamespace& known) override;
  std::vector<KnownNamespace> namespaces() const override;
  void used(Place place, uint64_t rank) override;
  Status status() const override;
  void sync(Done done) override;
  uint64_t close(base::TimePoint deadline) override;

 private:
  DiskTier(PathChoice path_choice, std::vector<std::unique_ptr<DiskVolume>> volumes);

  DiskVolume* volume(Place place) const;
  uint32_t preferred(const record::BlockMeta& meta) const;

  // TierListener: the volumes', passed on; recovered() once, when all of them are.
  std::vector<uint32_t> found(std::span<const FoundBlock> blocks) override;
  void recovered(Result<void> result) override;
  void gone(const Key& key, Place place) override;
  void state_changed() override;

  const PathChoice path_choice_;
  TierListener* listener_ = nullptr;
  std::atomic<uint32_t> recovering_{0};
  std::vector<std::unique_ptr<DiskVolume>> volumes_;
};

}  // namespace terrace::tier::disk
