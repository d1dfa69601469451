#include "bench/bare_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/bytes.h"

namespace terrace::bench {

BareDevice::BareDevice(const BareOptions& options) : options_(options), pool_(options.pool_bytes) {
  const int ring = io_uring_queue_init(std::max(8u, options.depth), &ring_,
                                       IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (ring < 0) throw CannotRun(fmt::format("this machine refuses io_uring: {}", std::strerror(-ring)));
  const int fd =
      need_fd(open(options.file.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600), options.file);
  fds_.push_back(fd);
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(options.file_bytes))) {
    throw CannotRun(fmt::format("{}: {}", options.file, std::strerror(error)));
  }
  for (uint64_t at = 0; at + options.block <= options.file_bytes; at += options.block) {
    writable_.push_back({fd, at});
  }
}

BareDevice::~BareDevice() {
  io_uring_queue_exit(&ring_);
  for (const int fd : fds_) close(fd);
}

// Only what was really written: reads of preallocated, never written extents do not reach the device, and
// SEEK_DATA leaves those out.
void BareDevice::add_readable(const std::string& path) {
  const int fd = need_fd(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC), path);
  fds_.push_back(fd);
  for (off_t at = 0;;) {
    const off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0) return;
    const off_t hole = lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return;
    uint64_t begin = base::round_up(static_cast<uint64_t>(data), base::kPage);
    for (; begin + options_.block <= static_cast<uint64_t>(hole); begin += options_.block) {
      readable_.push_back({fd, begin});
    }
    at = hole;
  }
}

void BareDevice::find_readable() {
  if (options_.read_directory.empty()) {
    add_readable(options_.file);
  } else {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.read_directory)) {
      if (entry.is_regular_file() && entry.file_size() >= options_.block) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) add_readable(path);
  }
  if (readable_.empty()) throw CannotRun("the bare loop found no written block to read");
}

void BareDevice::queue(bool writes, const Place& place) {
  const auto block = pool_.block(next_block_++, options_.block);
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  const auto bytes = static_cast<unsigned>(block.size());
  if (writes) {
    io_uring_prep_write(entry, place.fd, block.data(), bytes, place.offset);
  } else {
    io_uring_prep_read(entry, place.fd, block.data(), bytes, place.offset);
  }
}

Sample BareDevice::run(bool writes, std::span<const Place> places, uint64_t& next, uint64_t bytes,
                       double seconds) {
  const Stopwatch watch;
  uint64_t started = 0, ended = 0;
  const auto more = [&] {
    return (bytes == 0 || started * options_.block < bytes) && (seconds == 0 || watch.seconds() < seconds);
  };
  while (true) {
    while (started - ended < options_.depth && more()) {
      queue(writes, places[next++ % places.size()]);
      ++started;
    }
    if (started == ended) break;
    const int submitted = io_uring_submit_and_wait(&ring_, 1);
    if (submitted < 0 && submitted != -EINTR) {
      throw CannotRun(fmt::format("io_uring_submit_and_wait: {}", std::strerror(-submitted)));
    }
    io_uring_cqe* completions[64];
    const unsigned count = io_uring_peek_batch_cqe(&ring_, completions, 64);
    for (unsigned i = 0; i < count; ++i) {
      const int result = completions[i]->res;
      if (result < 0) throw CannotRun(fmt::format("bare transfer: {}", std::strerror(-result)));
      if (static_cast<uint64_t>(result) != options_.block) throw CannotRun("bare transfer came short");
    }
    io_uring_cq_advance(&ring_, count);
    ended += count;
  }
  return watch.stop(ended * options_.block);
}

Sample BareDevice::write(uint64_t bytes, double seconds) {
  return run(true, writable_, next_write_, bytes, seconds);
}

Sample BareDevice::read(uint64_t bytes, double seconds) {
  if (readable_.empty()) find_readable();
  return run(false, readable_, next_read_, bytes, seconds);
}

}  // namespace terrace::bench
