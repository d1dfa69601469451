// A small file system of a process's own, and another process that fills it: for rows about full devices.
// Root's only. Mounts live in the process's own mount namespace and loop devices free themselves, so all of
// it is gone with the process, however that ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/types.h>

namespace terrace::lab {

enum class SmallDevice : uint8_t { kTmpfs, kExt4 };
std::string to_string(SmallDevice device);

// Mounts one of `bytes` at `where`, an empty directory. `scratch` takes the image of an ext4. Empty when that
// worked, else why not. Call it while the process has one thread.
std::string mount_small(SmallDevice device, uint64_t bytes, const std::filesystem::path& scratch,
                        const std::filesystem::path& where);

// The other process. Started while this one has one thread; killed when this object goes.
class Filler {
 public:
  explicit Filler(const std::filesystem::path& directory);
  ~Filler();
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

  void begin_fill(uint64_t leave = 0);  // takes all that is free but so much, while the caller goes on
  void begin_free();                    // gives it back
  bool ended(int timeout_ms = 0);       // what was begun last

 private:
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  bool busy_ = false;
};

// What the file system counts for the directory and everything in it.
uint64_t disk_use(const std::filesystem::path& directory);

}  // namespace terrace::lab
