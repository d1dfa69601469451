#include "tier/disk/superblock_file.h"
#include "base/hooks.h"

#include <fmt/format.h>

namespace terrace::tier::disk {

Outcome<SuperblockFile> SuperblockFile::open(io::FileSystem& files, const std::string& directory,
                                             SuperblockRead& read) {
  const std::string path = directory + "/" + std::string(kSuperblockName);
  const auto error = [&](const Error& e) {
    return failure(e.code, fmt::format("{}: {}", path, to_string(e)), e.sys_errno);
  };
  auto file = files.open(path, {.create = true, .direct = true});
  if (!file) return error(file.error());
  const auto stat = files.stat(path);
  if (!stat) return error(stat.error());
  auto page = memory::PageBuffer::make(kPage);
  if (!page) return error(page.error());
  int unreadable = 0;
  for (int copy = 0; copy < 2; ++copy) {
    const uint64_t offset = static_cast<uint64_t>(copy) * kPage;
    if (stat->bytes < offset + kPage) continue;
    if (const auto got = files.read(**file, offset, page->bytes()); !got) {
      if (got.error().code == Code::kIo && ++unreadable == 2) {
        TERRACE_PROBE("disk.superblock_unreadable");
        return error(got.error());
      }
      continue;
    }
    uint32_t version = 0;
    auto superblock = open_superblock(page->bytes(), version);
    if (!superblock && superblock.error().code == Code::kIncompatible) {
      return failure(
          Code::kIncompatible,
          fmt::format("{} was written by format version {}; this program knows version {}: use that "
                      "program, or another directory",
                      directory, version, kFormatVersion));
    }
    if (superblock && (!read.found || superblock->sequence > read.found->sequence)) {
      read.found = *superblock;
      read.copy = copy;
    }
  }
  return SuperblockFile(std::move(*file), read.copy);
}

Result<void> SuperblockFile::write_both(io::FileSystem& files, Superblock& superblock) {
  auto page = memory::PageBuffer::make(kPage);
  if (!page) return std::unexpected(page.error());
  if (auto allocated = files.allocate(*file_, kSuperblockFileBytes); !allocated) return allocated;
  for (int turn = 0; turn < 2; ++turn) {
    // Synced one after the other: a torn write never takes both.
    const uint64_t offset = seal_next(superblock, page->bytes());
    if (auto written = files.write(*file_, offset, page->bytes()); !written) return written;
    TERRACE_CRASH_POINT("disk.superblock_copy_written");
    if (auto synced = files.sync(*file_); !synced) return synced;
    TERRACE_CRASH_POINT("disk.superblock_copy_synced");
    turn_taken();
  }
  return {};
}

uint64_t SuperblockFile::seal_next(Superblock& superblock, std::span<std::byte> page) {
  ++superblock.sequence;
  seal(superblock, page);
  return static_cast<uint64_t>(1 - copy_) * kPage;
}

}  // namespace terrace::tier::disk
