// The places of a block. The command line's store has one tier behind L1: its disk.
#pragma once

#include <string>
#include <vector>

#include <terrace/store.h>

namespace terrace::cli {

inline constexpr TierMask kInL1 = 1;
inline constexpr TierMask kOnDisk = 2;

inline std::vector<std::string> tiers_of(TierMask where) {
  std::vector<std::string> names;
  if ((where & kInL1) != 0) names.emplace_back("l1");
  if ((where & kOnDisk) != 0) names.emplace_back("disk");
  return names;
}

}  // namespace terrace::cli
