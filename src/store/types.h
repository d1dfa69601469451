// Names shared by the store's parts.
#pragma once

#include <cstdint>

#include <terrace/store.h>

namespace terrace::store {

using BlockId = uint32_t;
inline constexpr BlockId kNoBlock = UINT32_MAX;

using TenantId = uint32_t;
inline constexpr TenantId kNoTenant = 0;  // of blocks whose namespace nobody told yet; has no quota

inline constexpr uint32_t kL1 = 0;  // tiers are numbered from 1
inline constexpr uint16_t kNoTier = UINT16_MAX;
inline constexpr uint32_t kTiersMax = 8;  // L1 included

// Set in the index beside the tiers' bits: reserved, being written or being loaded, and not yet in any tier.
inline constexpr TierMask kInFlightBit = 1u << 15;

constexpr TierMask tier_bit(uint32_t tier) {
  return static_cast<TierMask>(1u << tier);
}

}  // namespace terrace::store
