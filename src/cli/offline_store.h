// A store's directory, read without opening the store: superblocks, namespaces, slot tables, records. Nothing
// is written but the pid in the lock file, which keeps stores out meanwhile. Single-threaded; every call
// blocks on files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <terrace/error.h>

#include "io/file_system.h"
#include "tier/disk/layout.h"
#include "tier/tier.h"

namespace terrace::cli {

// Something that does not read as it was written.
struct Damage {
  std::string file;
  uint64_t offset = 0;
  std::optional<Key> key;  // of the block it costs, where one is known
  std::string what;
};

// What ties the files of a directory to one store.
struct StoreIdentity {
  tier::disk::Id store_id{};
  record::Secret secret{};
  // The newest whole copy. Absent: both are damaged, and identity comes from the segments.
  std::optional<tier::disk::Superblock> superblock;
  // Everything in the slot tables counts: the store was closed, or this is still the boot it was written in.
  bool all_durable = false;
};

struct OfflineBlock {
  tier::disk::SlotEntry entry;
  uint64_t offset = 0;  // of the record in the data file
  bool must_verify =
      false;  // written after the last group sync before a power cut: there only if it is whole
};

struct OfflineSegment {
  uint32_t number = 0;
  std::string data_path;
  std::unique_ptr<io::File> data;  // null: cannot be opened
  std::vector<OfflineBlock> blocks;
};

class OfflineStore {
 public:
  // Errors: kNotFound (no directory, or nothing in it), kForeign (nothing of Terrace's in it), kIncompatible,
  // kInUse (naming the pid), kPermission, kIo; the message names the directory.
  static Outcome<OfflineStore> open(io::FileSystem& files, const std::string& directory);

  const std::string& directory() const { return directory_; }
  const StoreIdentity& identity() const { return identity_; }
  const std::vector<tier::KnownNamespace>& namespaces() const { return namespaces_; }
  // Numbers of the segments that have files.
  const std::vector<uint32_t>& segments() const { return segments_; }
  // What open() found damaged.
  const std::vector<Damage>& damage() const { return damage_; }

  // The blocks a segment's table names; what is wrong with the table goes to `damage`.
  OfflineSegment read_segment(uint32_t number, std::vector<Damage>& damage) const;
  record::Binding binding(const OfflineSegment& segment, const OfflineBlock& block) const;

  std::string path_of(std::string_view name) const { return directory_ + "/" + std::string(name); }

 private:
  OfflineStore(io::FileSystem& files, std::string directory)
      : files_(&files), directory_(std::move(directory)) {}

  Outcome<void> read_superblocks();
  void identify_by_segments();
  void read_namespaces();
  void add_damage(std::string_view name, uint64_t offset, std::string what);

  io::FileSystem* files_;
  std::string directory_;
  std::unique_ptr<io::FileLock> lock_;
  StoreIdentity identity_;
  std::vector<tier::KnownNamespace> namespaces_;
  std::vector<uint32_t> segments_;
  std::vector<Damage> damage_;
};

// What the store of a directory was last opened with; where both superblocks are damaged, what its segments
// need, so that opening it drops none of them. Absent when there is no store. Takes no lock.
std::optional<uint64_t> recorded_capacity(io::FileSystem& files, const std::string& directory);

// The whole file, or its first `bytes_max`. Empty when it is.
Result<std::vector<std::byte>> read_control_file(io::FileSystem& files, const std::string& path,
                                                 uint64_t bytes_max);

}  // namespace terrace::cli
