#include "cli/offline_store.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "cli/open_store.h"
#include "tier/disk/namespaces_file.h"
#include "tier/disk/options.h"

namespace terrace::cli {
namespace {

namespace disk = tier::disk;

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

std::unexpected<Failure> failed(const std::string& path, const Error& error) {
  return failure(error.code, fmt::format("{}: {}", path, to_string(error)), error.sys_errno);
}

// Absent where the directory's file system is read-only: nobody can hold it for writing either.
Outcome<std::unique_ptr<io::FileLock>> lock_directory(io::FileSystem& files, const std::string& directory) {
  const std::string path = directory + "/" + std::string(disk::kLockName);
  auto lock = files.lock(path);
  if (lock) return std::move(*lock);
  if (lock.error().sys_errno == EROFS) return std::unique_ptr<io::FileLock>();
  if (lock.error().code != Code::kInUse) return failed(path, lock.error());
  const auto owner = files.lock_owner(path);
  return failure(Code::kInUse,
                 fmt::format("{} is in use by {}", directory,
                             owner ? fmt::format("process {}", *owner) : std::string("another process")));
}

}  // namespace

Result<std::vector<std::byte>> read_control_file(io::FileSystem& files, const std::string& path,
                                                 uint64_t bytes_max) {
  auto file = files.open(path, {.read_only = true});
  if (!file) return std::unexpected(file.error());
  const auto stat = files.stat(path);
  if (!stat) return std::unexpected(stat.error());
  std::vector<std::byte> bytes(std::min(stat->bytes, bytes_max));
  if (bytes.empty()) return bytes;
  if (const auto done = files.read(**file, 0, bytes); !done) return std::unexpected(done.error());
  return bytes;
}

std::optional<uint64_t> recorded_capacity(io::FileSystem& files, const std::string& directory) {
  const std::string prefix = directory + "/";
  const auto pages = read_control_file(files, prefix + std::string(disk::kSuperblockName), 2 * disk::kPage);
  std::optional<disk::Superblock> newest;
  uint32_t version = 0;
  for (uint64_t at = 0; pages && at + disk::kPage <= pages->size(); at += disk::kPage) {
    const auto copy = disk::open_superblock(std::span(*pages).subspan(at, disk::kPage), version);
    if (copy && (!newest || copy->sequence > newest->sequence)) newest = *copy;
  }
  if (newest) return newest->capacity_bytes;
  std::optional<uint64_t> needed;
  const auto names = files.list(directory);
  for (size_t i = 0; names && i < names->size(); ++i) {
    const auto name = disk::parse_segment_name((*names)[i]);
    if (!name || !name->is_table) continue;
    const auto page = read_control_file(files, prefix + (*names)[i], disk::kPage);
    const auto header = page ? disk::open_segment_header(*page, version) : std::unexpected(page.error());
    if (!header || header->segment_bytes > disk::kSegmentBytesMax) continue;
    // A store has room for two segments at least.
    const uint64_t segments = std::max<uint64_t>(name->segment + uint64_t{1}, 2);
    needed = std::max(needed.value_or(0), segments * header->segment_bytes + disk::kReserveBytes);
  }
  return needed;
}

Outcome<OfflineStore> OfflineStore::open(io::FileSystem& files, const std::string& directory) {
  if (auto there = require_store(directory); !there) return std::unexpected(there.error());
  OfflineStore store(files, directory);
  const auto names = files.list(directory);
  if (!names) return failed(directory, names.error());
  for (const std::string& name : *names) {
    if (const auto segment = disk::parse_segment_name(name)) store.segments_.push_back(segment->segment);
  }
  std::ranges::sort(store.segments_);
  const auto twice = std::ranges::unique(store.segments_);
  store.segments_.erase(twice.begin(), twice.end());
  const bool has_superblock = std::ranges::find(*names, disk::kSuperblockName) != names->end();
  if (!has_superblock && store.segments_.empty()) {
    return failure(Code::kForeign,
                   fmt::format("{}: not a Terrace store: it has no superblock and no segments", directory));
  }
  // Only now: the lock makes its file where there is none.
  auto lock = lock_directory(files, directory);
  if (!lock) return std::unexpected(lock.error());
  store.lock_ = std::move(*lock);
  if (auto read = store.read_superblocks(); !read) return std::unexpected(read.error());
  if (!store.identity_.superblock) store.identify_by_segments();
  store.read_namespaces();
  return store;
}

void OfflineStore::add_damage(std::string_view name, uint64_t offset, std::string what) {
  damage_.push_back({.file = path_of(name), .offset = offset, .key = std::nullopt, .what = std::move(what)});
}

Outcome<void> OfflineStore::read_superblocks() {
  auto bytes = read_control_file(*files_, path_of(disk::kSuperblockName), 2 * disk::kPage);
  if (!bytes && bytes.error().code == Code::kPermission)
    return failed(path_of(disk::kSuperblockName), bytes.error());
  if (!bytes) {
    add_damage(disk::kSuperblockName, 0, to_string(bytes.error()));
    return {};
  }
  bytes->resize(2 * disk::kPage);
  const std::span<const std::byte> all(*bytes);
  for (int copy = 0; copy < 2; ++copy) {
    uint32_t version = 0;
    const auto superblock = disk::open_superblock(all.subspan(copy * disk::kPage, disk::kPage), version);
    if (!superblock && superblock.error().code == Code::kIncompatible) {
      return failure(
          Code::kIncompatible,
          fmt::format("{} was written by format version {}; this program knows version {}: use that program, "
                      "or another directory",
                      directory_, version, disk::kFormatVersion));
    }
    auto& newest = identity_.superblock;
    if (superblock && (!newest || superblock->sequence > newest->sequence)) newest = *superblock;
  }
  for (int copy = 0; copy < 2; ++copy) {
    uint32_t version = 0;
    const auto page = all.subspan(copy * disk::kPage, disk::kPage);
    const auto superblock = disk::open_superblock(page, version);
    if (superblock) continue;
    // Zeros: the store was just being made, and was killed.
    const bool unmade = identity_.superblock ? identity_.superblock->sequence <= 1 : segments_.empty();
    if (unmade && all_zero(page)) continue;
    add_damage(disk::kSuperblockName, copy * disk::kPage,
               fmt::format("superblock, copy {} of 2: {}", copy + 1, to_string(superblock.error())));
  }
  if (!identity_.superblock) return {};
  const disk::Superblock& found = *identity_.superblock;
  identity_.store_id = found.store_id;
  identity_.secret = found.secret;
  identity_.all_durable = (found.flags & disk::kCleanFlag) != 0 || found.boot_id == files_->boot_id();
  return {};
}

// Every segment header repeats store id and secret (decision 9).
void OfflineStore::identify_by_segments() {
  for (const uint32_t number : segments_) {
    const auto page = read_control_file(*files_, path_of(disk::table_name(number)), disk::kPage);
    uint32_t version = 0;
    const auto header = page ? disk::open_segment_header(*page, version) : std::unexpected(page.error());
    if (!header) continue;
    identity_.store_id = header->store_id;
    identity_.secret = header->secret;
    return;
  }
}

void OfflineStore::read_namespaces() {
  const auto bytes = read_control_file(*files_, path_of(disk::kNamespacesName), disk::kNamespacesBytesMax);
  if (!bytes) {
    if (bytes.error().code != Code::kNotFound) add_damage(disk::kNamespacesName, 0, to_string(bytes.error()));
    return;
  }
  uint64_t whole_bytes = 0;
  namespaces_ = disk::decode_namespaces(*bytes, identity_.secret, whole_bytes);
  if (all_zero(std::span(*bytes).subspan(whole_bytes))) return;
  add_damage(disk::kNamespacesName, whole_bytes,
             "namespace table: names are lost from here on, blocks are not");
}

record::Binding OfflineStore::binding(const OfflineSegment& segment, const OfflineBlock& block) const {
  return disk::make_binding(identity_.store_id, segment.number, block.entry.generation, block.offset);
}

}  // namespace terrace::cli
