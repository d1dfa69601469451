#include "tier/disk/options.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "tier/disk/layout.h"

namespace terrace::tier::disk {
namespace {

Outcome<std::string> directory_of(const std::string& path) {
  std::string directory = path;
  if (directory.starts_with("file://")) directory = directory.substr(7);
  if (directory.find("://") != std::string::npos) {
    return failure(Code::kInvalidArgument,
                   fmt::format("disk path '{}' is not allowed: a directory, or file:///directory", path));
  }
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  if (directory.empty()) {
    return failure(Code::kInvalidArgument, fmt::format("disk path '{}' names no directory", path));
  }
  return directory;
}

Outcome<uint64_t> segment_bytes_of(const DiskOptions& options, uint64_t capacity) {
  const bool chosen = options.segment_bytes != 0;
  const uint64_t bytes = chosen
                             ? options.segment_bytes
                             : base::round_down(std::clamp(capacity / 64, 4 * base::kMiB, base::kGiB), kPage);
  if (bytes < kSegmentBytesMin || bytes > kSegmentBytesMax || bytes % kPage != 0) {
    return failure(
        Code::kInvalidArgument,
        fmt::format("disk segment size {} is not allowed: a multiple of 4 KiB from 64 KiB to 1 GiB", bytes));
  }
  const uint64_t least = kReserveBytes + 2 * bytes;
  if (capacity < least) {
    return failure(
        Code::kInvalidArgument,
        fmt::format("disk capacity {} over {} path(s) is too small: at least {} for each path (two segments "
                    "of {} and {} of metadata)",
                    base::format_size(options.capacity_bytes), options.paths.size(), base::format_size(least),
                    base::format_size(bytes), base::format_size(kReserveBytes)));
  }
  if ((capacity - kReserveBytes) / bytes > kSegmentsMax) {
    return failure(Code::kInvalidArgument,
                   fmt::format("disk segment size {} is too small for a capacity of {}: at most "
                               "{} segments a path",
                               bytes, capacity, kSegmentsMax));
  }
  return bytes;
}

}  // namespace

Outcome<std::vector<VolumeOptions>> validate(const DiskOptions& options) {
  if (options.paths.empty() || options.paths.size() > kPathsMax) {
    return failure(Code::kInvalidArgument,
                   fmt::format("{} disk paths are not allowed: 1 to {}", options.paths.size(), kPathsMax));
  }
  if (options.sync_interval <= base::Duration::zero() || options.sync_bytes == 0 ||
      options.quarantine_after == 0) {
    return failure(Code::kInvalidArgument,
                   "disk group sync interval, group sync bytes and quarantine count must be larger than 0");
  }
  const uint64_t capacity = base::round_down(options.capacity_bytes / options.paths.size(), kPage);
  const auto segment_bytes = segment_bytes_of(options, capacity);
  if (!segment_bytes) return std::unexpected(segment_bytes.error());
  std::vector<VolumeOptions> volumes;
  std::set<std::string> seen;
  for (const std::string& path : options.paths) {
    auto directory = directory_of(path);
    if (!directory) return std::unexpected(directory.error());
    if (!seen.insert(*directory).second) {
      return failure(Code::kInvalidArgument, fmt::format("disk path '{}' is named twice", path));
    }
    volumes.push_back({.path = *directory,
                       .capacity_bytes = capacity,
                       .segment_bytes = *segment_bytes,
                       .sync_interval = options.sync_interval,
                       .sync_bytes = options.sync_bytes,
                       .quarantine_after = options.quarantine_after,
                       .breaker = options.breaker});
  }
  return volumes;
}

}  // namespace terrace::tier::disk
