// The places of a block: L1 and the tiers behind it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

namespace terrace::cli {

inline constexpr TierMask kInL1 = 1;
inline constexpr TierMask kBehindL1 = static_cast<TierMask>(~kInL1);
inline constexpr const char* kDiskName = "disk";  // the one tier of a store that is opened by its directory

// `tiers` as StoreStats has them, L1 first.
inline std::vector<std::string> tiers_of(TierMask where, std::span<const TierStats> tiers) {
  std::vector<std::string> names;
  for (size_t i = 0; i < tiers.size(); ++i) {
    if ((where >> i & 1) != 0) names.push_back(tiers[i].name);
  }
  return names;
}

}  // namespace terrace::cli
