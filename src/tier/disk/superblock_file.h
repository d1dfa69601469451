// The file `superblock`: two copies of one page, written in turn, so that one is always whole (decision 9).
#pragma once

#include <memory>
#include <string>

#include <terrace/error.h>

#include "io/file_system.h"
#include "memory/page_buffer.h"
#include "tier/disk/layout.h"

namespace terrace::tier::disk {

// What the file said. Neither copy whole: `found` is empty.
struct SuperblockRead {
  std::optional<Superblock> found;
  int copy = 1;  // that holds `found`; the next write goes to the other
};

class SuperblockFile {
 public:
  // Opens or creates it. Blocking, as everything here. Errors: kIncompatible (a whole copy of another
  // version; the message names both), kIo and what else the file system says; messages name the path.
  static Outcome<SuperblockFile> open(io::FileSystem& files, const std::string& directory,
                                      SuperblockRead& read);

  // Writes and syncs both copies: at open, before a life's first write.
  Result<void> write_both(io::FileSystem& files, Superblock& superblock);
  io::File& file() const { return *file_; }

  // For asynchronous writing of the copy whose turn it is: seals into `page`, returns its offset.
  // turn_taken() when that copy is durable.
  uint64_t seal_next(Superblock& superblock, std::span<std::byte> page);
  void turn_taken() { copy_ = 1 - copy_; }

 private:
  SuperblockFile(std::unique_ptr<io::File> file, int copy) : file_(std::move(file)), copy_(copy) {}

  std::unique_ptr<io::File> file_;
  int copy_;  // holds the newest whole superblock
};

}  // namespace terrace::tier::disk
