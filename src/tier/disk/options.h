// What a disk tier is told (T4, C3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <terrace/error.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tier/breaker.h"

namespace terrace::tier::disk {

enum class PathChoice : uint8_t { kByKey, kByRank };

struct DiskOptions {
  std::vector<std::string> paths;  // directories; "file:///dir" is accepted
  uint64_t capacity_bytes = 0;     // of all paths together, divided evenly; metadata counts
  PathChoice path_choice = PathChoice::kByKey;
  bool require_all_paths = false;  // a failing device at start is an error, not a degraded start
  base::Duration sync_interval = std::chrono::seconds(1);
  uint64_t sync_bytes = 256 * base::kMiB;
  uint64_t segment_bytes =
      0;  // 0: clamp(capacity of a path / 64, 4 MiB, 1 GiB). An existing store keeps its own
  uint32_t quarantine_after = 3;  // device errors of one segment
  BreakerOptions breaker{};
};

inline constexpr uint32_t kPathsMax = 64;
inline constexpr uint64_t kSegmentBytesMin = 64 * base::kKiB;
inline constexpr uint64_t kSegmentBytesMax = base::kGiB;
inline constexpr uint32_t kSegmentsMax = 1u << 24;
// Of each path, beside its segments: superblock, namespace table, lock, the directory itself.
inline constexpr uint64_t kReserveBytes = 256 * base::kKiB;
inline constexpr uint64_t kNamespacesBytesMax = 224 * base::kKiB;

// What one volume is told: one path, its part of the capacity.
struct VolumeOptions {
  std::string path;
  uint64_t capacity_bytes = 0;
  uint64_t segment_bytes = 0;
  base::Duration sync_interval{};
  uint64_t sync_bytes = 0;
  uint32_t quarantine_after = 0;
  BreakerOptions breaker{};
};

// Errors name the option, its value and what is allowed.
Outcome<std::vector<VolumeOptions>> validate(const DiskOptions& options);

}  // namespace terrace::tier::disk
