#include <terrace/options.h>

#include <set>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "base/bytes.h"
#include "policy/eviction.h"
#include "record/record.h"
#include "store/types.h"

namespace terrace {

namespace {

std::unexpected<Failure> bad(std::string message) {
  return failure(Code::kInvalidArgument, std::move(message));
}

Outcome<void> check_watermarks(std::string_view where, double low, double high) {
  if (low > 0 && low <= high && high <= 1) return {};
  return bad(
      fmt::format("{}.low_watermark {} and high_watermark {}: 0 < low <= high <= 1", where, low, high));
}

Outcome<void> check_policy(std::string_view where, const std::string& name) {
  auto policy = policy::make_eviction_policy(name);
  if (policy) return {};
  return bad(fmt::format("{}.eviction: {}", where, policy.error().message));
}

uint64_t machine_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Outcome<void> check_l1(const L1Options& l1) {
  constexpr uint64_t kLeast = 4 * base::kMiB;
  if (l1.budget < kLeast || l1.budget > machine_memory()) {
    return bad(fmt::format("l1.budget {}: between {} and this machine's memory, {}",
                           base::format_size(l1.budget), base::format_size(kLeast),
                           base::format_size(machine_memory())));
  }
  if (l1.largest_block > record::kPayloadBytesMax) {
    return bad(fmt::format("l1.largest_block {}: at most {}", base::format_size(l1.largest_block),
                           base::format_size(record::kPayloadBytesMax)));
  }
  if (auto ok = check_watermarks("l1", l1.low_watermark, l1.high_watermark); !ok) return ok;
  return check_policy("l1", l1.eviction);
}

Outcome<void> check_tier(const TierOptions& tier) {
  const bool disk = tier.kind == TierOptions::Kind::kDisk;
  const std::string where = fmt::format("tier \"{}\"", tier.name);
  if (tier.name.empty()) return bad("a tier needs a name");
  if (disk && tier.disk.paths.empty()) return bad(where + ": disk.paths names at least one directory");
  if (disk) {
    if (auto ok = check_watermarks(where, tier.disk.low_watermark, tier.disk.high_watermark); !ok) return ok;
  }
  return check_policy(where, disk ? tier.disk.eviction : tier.mock.eviction);
}

}  // namespace

Outcome<void> StoreOptions::validate() const {
  if (auto ok = check_l1(l1); !ok) return ok;
  if (tiers.size() >= store::kTiersMax) {
    return bad(fmt::format("{} tiers: at most {}", tiers.size(), store::kTiersMax - 1));
  }
  std::set<std::string_view> names;
  for (const TierOptions& tier : tiers) {
    if (auto ok = check_tier(tier); !ok) return ok;
    if (!names.insert(tier.name).second) return bad(fmt::format("two tiers are named \"{}\"", tier.name));
  }
  if (store_policy != "write_through")
    return bad(fmt::format("store_policy \"{}\": write_through", store_policy));
  if (get_timeout < Timeout::zero()) return bad("get_timeout is not negative");
  if (operation_timeout <= Timeout::zero()) return bad("operation_timeout is positive");
  if (prefetch_hold < Timeout::zero()) return bad("prefetch_hold is not negative");
  return {};
}

}  // namespace terrace
