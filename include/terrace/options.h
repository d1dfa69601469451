// What a store is opened with. Every field has a default; validate() names the first value that is not
// allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <terrace/error.h>

namespace terrace {

using Timeout = std::chrono::nanoseconds;

enum class L1Mode : uint8_t {
  kCache,    // blocks stay until evicted (M1)
  kStaging,  // only the transfer buffer between engine and tiers: never answered from (M2)
  kOff,      // no arena: bytes move between registered caller memory and the tiers (M3)
};

enum class VerifyL1 : uint8_t { kOff, kSampled, kAlways };  // sampled: 1 hit in 64

struct L1Options {
  uint64_t budget = 1ull << 30;  // bytes of the arena; a hard wall
  L1Mode mode = L1Mode::kCache;
  std::string eviction = "lru";  // a name of policy/eviction_registry.cc (E1)
  double high_watermark = 0.95;  // the background pass starts above this share of the budget
  double low_watermark = 0.90;   // and stops at this one
  uint64_t largest_block = 0;    // payload bytes of the largest block to come; 0: unknown
  VerifyL1 verify = VerifyL1::kSampled;
};

enum class IoChoice : uint8_t { kAuto, kUring, kPsync };
enum class DiskPlacement : uint8_t { kByKey, kByRank };

struct DiskOptions {
  std::vector<std::string> paths;  // directories, `file://` accepted; missing ones are made
  uint64_t capacity = 0;           // bytes over all paths, metadata counted; never exceeded
  DiskPlacement placement = DiskPlacement::kByKey;
  bool require_all_paths = false;  // a failing path is an error at open, not a degraded start
  IoChoice io = IoChoice::kAuto;
  Timeout sync_interval = std::chrono::seconds(1);  // group sync: what a power cut may lose
  uint64_t sync_bytes = 256ull << 20;
  uint32_t quarantine_after = 3;  // device errors in a segment
};

// A simulated tier, for measurements and tests (T3).
struct MockOptions {
  uint64_t capacity = 1ull << 30;
  uint64_t bytes_per_second = 0;  // 0: unlimited
  Timeout latency{0};             // added to each operation
  // A directory that holds the blocks, so that tiers of several processes share them; others write there too,
  // so a lookup knows what this process wrote or saw, and lookup_async asks (Q1). Empty: memory of this tier
  // alone.
  std::string backing;
};

struct TierOptions {
  enum class Kind : uint8_t { kDisk, kMock } kind = Kind::kDisk;
  std::string name = "disk";                   // unique; seen in stats and completions
  std::string store_policy = "write_through";  // a name of policy/store_policy.cc (S5)
  std::string eviction = "lru";                // a name of policy/eviction_registry.cc (E1)
  double high_watermark = 0.98;                // the background pass starts above this share of the capacity
  double low_watermark = 0.95;                 // and stops at this one
  std::string admission = "always";            // or "write_budget", of these; a name of policy/admission.cc
  uint64_t write_bytes_per_second = 0;         // 0: unlimited
  uint64_t write_bytes_per_day = 0;            // 0: unlimited
  DiskOptions disk;                            // of kDisk
  MockOptions mock;                            // of kMock
};

// What is kept in L1 of what was loaded from L2 (R4): all, nothing, or what was asked for before.
enum class WriteBack : uint8_t { kAlways, kNever, kSecondTouch };
enum class PrefetchPolicy : uint8_t { kRetain, kTemporary };  // R7
enum class RegionLoads : uint8_t { kDirect, kBounced };       // R5

// How much of a store a tenant may use (D2). Bytes are those of records: payload, 4 KiB and what fills the
// last page. What is absent is not limited.
struct TenantQuota {
  std::optional<uint64_t> l1{};             // blocks in L1 and buffers reserved there
  std::map<std::string, uint64_t> tiers{};  // by name: blocks there and on their way there
  std::optional<uint64_t> reserved{};       // of L1: buffers reserved, in staging until their writes ended
  std::optional<uint64_t> leased{};  // of L1: what is loading or leased and not kept; loads are refused
  friend bool operator==(const TenantQuota&, const TenantQuota&) = default;
};

struct TenantOptions {
  std::string tenant;  // tenant_name() of its salt
  TenantQuota quota{};
};

struct StoreOptions {
  L1Options l1;
  std::vector<TierOptions> tiers;  // L2, nearest first; at most 7
  WriteBack write_back = WriteBack::kAlways;
  PrefetchPolicy prefetch_policy = PrefetchPolicy::kRetain;  // of requests that name none
  RegionLoads region_loads = RegionLoads::kDirect;
  uint64_t store_bytes_in_flight = 0;     // 0: min(256 MiB, L1/2), headers of l1.largest_block not counted
  uint64_t prefetch_bytes_in_flight = 0;  // 0: min(256 MiB, L1/4)
  Timeout prefetch_hold = std::chrono::seconds(30);
  Timeout get_timeout = std::chrono::seconds(2);
  Timeout lookup_timeout = std::chrono::milliseconds(20);       // of lookup_async
  Timeout negative_presence = std::chrono::milliseconds(1000);  // how long a shared tier's "no" is believed
  Timeout operation_timeout =
      std::chrono::seconds(5);        // of one tier operation; beyond it the device failed (T2)
  uint32_t history = 65536;           // keys whose fate is remembered after they left
  std::vector<TenantOptions> quotas;  // from the start; a tenant once

  Outcome<void> validate() const;
  // What is allowed and probably not meant (M5), a line each.
  std::vector<std::string> warnings() const;
};

}  // namespace terrace
