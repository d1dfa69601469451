// The bare rival of the disk tier: an io_uring loop that keeps `depth` transfers of one block each at the
// device, from and to a pool on huge pages, O_DIRECT, without sums, records, index or threads. It says what
// the device can do.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/measure.h"

namespace terrace::bench {

struct BareOptions {
  std::string file;  // written by this side
  uint64_t file_bytes = 0;
  std::string read_directory;  // read from the files below it; empty: from `file`
  uint64_t block = 0;
  uint32_t depth = 1;
  uint64_t pool_bytes = 0;
};

class BareDevice {
 public:
  explicit BareDevice(const BareOptions& options);
  ~BareDevice();
  BareDevice(const BareDevice&) = delete;
  BareDevice& operator=(const BareDevice&) = delete;

  // Blocks in order of the file, around and around; goes on where the last call ended. `bytes` > 0 ends after
  // that many, `seconds` > 0 after that time.
  Sample write(uint64_t bytes, double seconds = 0);
  Sample read(uint64_t bytes, double seconds = 0);

 private:
  struct Place {
    int fd;
    uint64_t offset;
  };
  Sample run(bool writes, std::span<const Place> places, uint64_t& next, uint64_t bytes, double seconds);
  void queue(bool writes, const Place& place);
  void find_readable();
  void add_readable(const std::string& path);

  BareOptions options_;
  HugePool pool_;
  io_uring ring_{};
  std::vector<int> fds_;
  std::vector<Place> writable_, readable_;
  uint64_t next_write_ = 0, next_read_ = 0, next_block_ = 0;
};

}  // namespace terrace::bench
