#include "lab/rows/crash_check.h"

#include <utility>
#include <vector>

#include "base/random.h"

namespace terrace::lab {

void check_all(Client& client, const CrashScene& scene, ExpectedState& expected, uint64_t cycle,
               Findings& findings) {
  const Catalog& catalog = scene.catalog;
  base::Random random(cycle);
  std::vector<uint32_t> order(catalog.size());
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random.below(i)]);
  for (const uint32_t block : order) {
    const KeyState before = expected.of(block);
    const auto found = client.check_block(block, kReadTimeout);
    findings.count("checked");
    if (scene.complete && before.must_be_found()) findings.count("owed");
    // Of a disk that evicts, a writer's bytes may come back that an eviction had not yet cleared (K5).
    if (found.has_value() && (scene.complete || *found == 0)) expected.settle(block, *found);
  }
}

void check_disk(const CrashScene& scene, const TierStats& disk, Findings& findings) {
  if (scene.complete && disk.evictions + disk.evicted_segments > 0) findings.fail("the disk tier evicted");
  if (disk.allocated_bytes > disk.capacity_bytes) findings.fail("the disk tier is over its capacity");
}

}  // namespace terrace::lab
