// A disk in memory, with the file system on it: what survives what is known exactly. SimFileSystem and
// SimEngine share one; a simulation keeps it across the lives of the store on it.
//
// Every write, direct ones too, is pending until its file is synced; a new or removed name until its
// directory is. kill() ends the process and keeps all of it, crash() cuts the power: each page written since
// the sync is kept, dropped or torn at 512 bytes, each unsynced name, length and allocation kept or
// forgotten. After either, files, locks and requests of the lives before have no effect and end as kClosed.
// Directories are durable when made.
//
// Deterministic: nothing depends on addresses. Any thread; never blocks for long.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <terrace/error.h>

#include "base/mutex.h"
#include "base/random.h"
#include "io/file_system.h"
#include "io/sim/sim_node.h"

namespace terrace::io {

struct SimDiskOptions {
  uint64_t capacity = 1ull << 40;  // bytes of files; more is kNoSpace
  bool direct = true;              // takes O_DIRECT
  uint32_t alignment = 4096;       // of direct transfers
  uint64_t seed = 1;               // of kill(), boot ids and random_bytes
};

class SimDisk {
 public:
  explicit SimDisk(SimDiskOptions options = {});

  // --- for the simulation
  void kill() TERRACE_EXCLUDES(mutex_);
  void crash(base::Random& random) TERRACE_EXCLUDES(mutex_);
  // Another process fills the device (or frees it): what is there stays.
  void set_capacity(uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  uint64_t used_bytes() const TERRACE_EXCLUDES(mutex_);
  // What wears a device: whole pages each time they are written, others once a sync.
  uint64_t written_bytes() const TERRACE_EXCLUDES(mutex_);
  uint64_t pending_pages() const TERRACE_EXCLUDES(mutex_);  // page writes a crash may lose
  uint64_t lives() const TERRACE_EXCLUDES(mutex_);          // kills and crashes so far
  // Of every name, length and byte: equal runs leave equal disks.
  uint64_t hash() const TERRACE_EXCLUDES(mutex_);

  // Damage at rest, durable at once. kNotFound when there is no such file; past its end is kInvalidArgument.
  Result<void> flip_bit(const std::string& path, uint64_t bit) TERRACE_EXCLUDES(mutex_);
  Result<void> fill(const std::string& path, uint64_t offset, uint64_t bytes, std::byte value)
      TERRACE_EXCLUDES(mutex_);
  Result<void> swap_pages(const std::string& path, uint64_t page, uint64_t other) TERRACE_EXCLUDES(mutex_);
  // The file as it is now, and puts such bytes in its place: another store's file, an earlier state.
  Result<std::vector<std::byte>> contents(const std::string& path) const TERRACE_EXCLUDES(mutex_);
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) TERRACE_EXCLUDES(mutex_);

  // --- for SimFileSystem and SimEngine
  using NodeId = uint64_t;
  // An open file of one life.
  struct Handle {
    NodeId node = 0;
    uint64_t life = 0;
  };
  // Decides what happens to what is under way when a life ends. Called without the disk's lock.
  class Device {
   public:
    virtual ~Device() = default;
    virtual void life_ends(base::Random& random) = 0;
  };

  const SimDiskOptions& options() const { return options_; }
  void attach(Device& device) TERRACE_EXCLUDES(mutex_);
  void detach(Device& device) TERRACE_EXCLUDES(mutex_);

  Result<Handle> open(const std::string& path, OpenOptions options, uint64_t life) TERRACE_EXCLUDES(mutex_);
  void close(Handle handle) TERRACE_EXCLUDES(mutex_);
  Result<FileStat> stat(const std::string& path) const TERRACE_EXCLUDES(mutex_);
  Result<std::vector<std::string>> list(const std::string& directory) const TERRACE_EXCLUDES(mutex_);
  Result<void> make_directory(const std::string& path, uint64_t life) TERRACE_EXCLUDES(mutex_);
  Result<void> allocate(Handle handle, uint64_t bytes) TERRACE_EXCLUDES(mutex_);
  Result<void> remove(const std::string& path, uint64_t life) TERRACE_EXCLUDES(mutex_);
  Result<void> sync_directory(const std::string& path, uint64_t life) TERRACE_EXCLUDES(mutex_);
  Result<void> read(Handle handle, uint64_t offset, std::span<std::byte> to) const TERRACE_EXCLUDES(mutex_);
  Result<void> write(Handle handle, uint64_t offset, std::span<const std::byte> from)
      TERRACE_EXCLUDES(mutex_);
  Result<void> sync(Handle handle) TERRACE_EXCLUDES(mutex_);
  Result<void> lock(const std::string& path, uint64_t life) TERRACE_EXCLUDES(mutex_);
  void unlock(const std::string& path, uint64_t life) TERRACE_EXCLUDES(mutex_);
  Result<int64_t> lock_owner(const std::string& path) const TERRACE_EXCLUDES(mutex_);
  std::array<uint8_t, 16> boot_id() const TERRACE_EXCLUDES(mutex_);
  void random_bytes(std::span<uint8_t> to) TERRACE_EXCLUDES(mutex_);

 private:
  struct Entry {
    SimNode node;
    uint32_t opens = 0;
  };
  Result<Entry*> find(Handle handle) TERRACE_REQUIRES(mutex_);
  Result<Entry*> find(const std::string& path) TERRACE_REQUIRES(mutex_);
  Result<void> check_life(uint64_t life) const TERRACE_REQUIRES(mutex_);
  Result<void> resize(SimNode& node, uint64_t allocated) TERRACE_REQUIRES(mutex_);  // or kNoSpace
  NodeId create(const std::string& path) TERRACE_REQUIRES(mutex_);
  bool is_named(NodeId node) const TERRACE_REQUIRES(mutex_);
  void forget_unused() TERRACE_REQUIRES(mutex_);
  void end_life() TERRACE_REQUIRES(mutex_);
  void settle_names(base::Random& random) TERRACE_REQUIRES(mutex_);
  std::vector<Device*> devices() const TERRACE_EXCLUDES(mutex_);

  const SimDiskOptions options_;
  mutable base::Mutex mutex_;
  base::Random random_ TERRACE_GUARDED_BY(mutex_);
  uint64_t capacity_ TERRACE_GUARDED_BY(mutex_);
  uint64_t life_ TERRACE_GUARDED_BY(mutex_) = 0;
  std::array<uint8_t, 16> boot_id_ TERRACE_GUARDED_BY(mutex_){};
  std::map<NodeId, Entry> nodes_ TERRACE_GUARDED_BY(mutex_);
  std::map<std::string, NodeId> names_ TERRACE_GUARDED_BY(mutex_);
  std::map<std::string, NodeId> durable_names_ TERRACE_GUARDED_BY(mutex_);
  std::set<std::string> directories_ TERRACE_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> locks_ TERRACE_GUARDED_BY(mutex_);  // path to the life that holds it
  NodeId last_node_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t used_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t written_ TERRACE_GUARDED_BY(mutex_) = 0;
  std::vector<Device*> devices_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::io
