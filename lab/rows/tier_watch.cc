#include "lab/rows/tier_watch.h"

#include <algorithm>

#include <fmt/format.h>

#include "lab/kit/oracle.h"

namespace terrace::lab {
namespace {

constexpr base::Duration kBackWithin = std::chrono::seconds(5);
constexpr base::Duration kStep = std::chrono::milliseconds(2);
constexpr Timeout kPatience = std::chrono::seconds(10);

bool must_wait(OpKind kind) {
  return kind == OpKind::kPause || kind == OpKind::kGet || kind == OpKind::kPin || kind == OpKind::kRemove ||
         kind == OpKind::kClear || kind == OpKind::kSync;
}

uint64_t in_ms(base::Duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

TierWatch::TierWatch(Stage& stage, uint64_t seed)
    : stage_(stage),
      workload_(stage.catalog, {.seed = seed ^ 0x7A7C4, .removes = stage.scenario.removes, .clears = false}) {
}

size_t TierWatch::paths() const {
  return stage_.scenario.machine.disk.paths.size();
}

size_t TierWatch::open_paths() const {
  const StoreStats stats = stage_.machine.store().stats();
  const TierStats& disk = stats.tiers[stage_.machine.disk_tier()];
  return static_cast<size_t>(std::ranges::count_if(
      disk.paths, [](const std::string& path) { return path.find(": unavailable") != std::string::npos; }));
}

base::Duration TierWatch::drive(base::Duration step, base::Duration longest,
                                const std::function<bool()>& when) {
  auto& time = stage_.machine.time();
  const base::TimePoint begun = time.now();
  while (time.now() - begun <= longest && !when()) {
    Operation operation = workload_.next();
    while (must_wait(operation.kind)) operation = workload_.next();
    stage_.client.run(operation);
    stage_.findings.count("ops");
    time.run_for(step);
    stage_.client.poll();
  }
  return time.now() - begun;
}

void TierWatch::expect_return() {
  const base::TimePoint well = std::max(stage_.machine.time().now(), stage_.machine.faults().stalled_until());
  const base::TimePoint due = well + kBackWithin;
  if (open_paths() > 0) {
    drive(kStep, due - stage_.machine.time().now(), [this] { return open_paths() == 0; });
  }
  stage_.findings.count("max_return_ms",
                        in_ms(std::max(base::Duration(0), stage_.machine.time().now() - well)));
  if (open_paths() > 0) {
    stage_.fail(fmt::format("{} of {} paths are unavailable {} ms after the device was well again",
                            open_paths(), paths(), in_ms(stage_.machine.time().now() - well)));
  }
}

void TierWatch::expect_others_answer() {
  const uint16_t disk = static_cast<uint16_t>(1u << stage_.machine.disk_tier());
  // Caller memory that the dead device still holds is given back.
  stage_.machine.time().run_for(kPatience);
  stage_.client.poll();
  for (uint32_t block = 0; block < stage_.catalog.size(); block++) {
    if (open_paths() < paths()) return;  // a write that began before may have ended well: it counts no more
    const auto found = stage_.machine.store().lookup(std::span(&stage_.catalog[block].key, 1));
    if (!found || found->found == 0) continue;
    if ((found->where[0] & disk) != 0) stage_.fail("a lookup answers from a path that does not");
    expect_delivered(block);
  }
}

void TierWatch::expect_delivered(uint32_t block) {
  const StoreOptions& store = stage_.machine.options().store;
  if (store.l1.mode == L1Mode::kOff) {
    if (stage_.client.check_block(block, kPatience).value_or(0) == 0)
      stage_.fail("another tier did not answer");
    stage_.findings.count("others_answered");
    return;
  }
  GetOptions how;
  how.timeout = kPatience;
  auto blocks = stage_.machine.store().get(std::span(&stage_.catalog[block].key, 1), how);
  if (!blocks) return stage_.fail(fmt::format("get: {}", to_string(blocks.error())));
  if (blocks->size() == 1) {
    const Verdict verdict = verify(stage_.catalog[block].key, (*blocks)[0].bytes, 1);
    // Short values are judged by the client, which knows their writers.
    if (!verdict.right && stage_.catalog[block].bytes >= 8)
      stage_.findings.fail_wrong("another tier answered wrong");
    stage_.findings.count("others_answered");
  } else if (blocks->reasons()[0] != MissReason::kNoRoom) {
    stage_.fail(fmt::format("block {}: another tier holds it and it missed: {}", block,
                            to_string(blocks->reasons()[0])));
  }
}

}  // namespace terrace::lab
