#include "lab/kit/workload.h"

#include <algorithm>
#include <chrono>

#include "base/assert.h"

namespace terrace::lab {
namespace {

struct Kind {
  OpKind kind;
  std::string_view name;
  uint32_t weight;
  bool always;  // never switched off
};
constexpr std::array<Kind, kOpKinds> kKinds{{
    {OpKind::kStore, "store", 220, true},
    {OpKind::kReserve, "reserve", 40, false},
    {OpKind::kCommit, "commit", 30, true},
    {OpKind::kAbort, "abort", 15, true},
    {OpKind::kPut, "put", 60, false},
    {OpKind::kLookup, "lookup", 100, false},
    {OpKind::kPin, "pin", 30, false},
    {OpKind::kGet, "get", 160, true},
    {OpKind::kGetAsync, "get_async", 100, false},
    {OpKind::kGetInto, "get_into", 60, false},
    {OpKind::kPrefetch, "prefetch", 50, false},
    {OpKind::kCancel, "cancel", 20, false},
    {OpKind::kRemove, "remove", 20, false},
    {OpKind::kClear, "clear", 1, false},
    {OpKind::kRelease, "release", 120, true},
    {OpKind::kSync, "sync", 2, false},
    {OpKind::kPause, "pause", 60, true},
}};
constexpr bool in_order() {
  for (size_t i = 0; i < kOpKinds; i++) {
    if (kKinds[i].kind != static_cast<OpKind>(i)) return false;
  }
  return true;
}
static_assert(in_order());

bool writes(OpKind kind) {
  return kind == OpKind::kStore || kind == OpKind::kReserve || kind == OpKind::kPut ||
         kind == OpKind::kRemove || kind == OpKind::kClear;
}

// Mostly short, at times none at all or long enough for a slow device.
base::Duration draw_time(base::Random& random) {
  switch (random.below(8)) {
    case 0:
      return base::Duration(0);
    case 1:
      return std::chrono::microseconds(1 + random.below(100));
    case 2:
      return std::chrono::milliseconds(500 + random.below(2000));
    default:
      return std::chrono::microseconds(100 + random.below(20'000));
  }
}

}  // namespace

std::string_view to_string(OpKind kind) {
  return kKinds[static_cast<size_t>(kind)].name;
}

Workload::Workload(const Catalog& catalog, WorkloadOptions options)
    : catalog_(catalog), options_(options), random_(options.seed) {
  TERRACE_ASSERT(options.owners > 0 && options.owner < options.owners && options.owners <= catalog.spaces());
  draw_weights();
}

void Workload::draw_weights() {
  for (const Kind& kind : kKinds) {
    const bool off = !kind.always && random_.one_in(4);
    weights_[static_cast<size_t>(kind.kind)] = off ? 0 : kind.weight;
  }
  if (!options_.removes) weights_[static_cast<size_t>(OpKind::kRemove)] = 0;
  if (!options_.clears) weights_[static_cast<size_t>(OpKind::kClear)] = 0;
  for (const uint32_t weight : weights_) weight_sum_ += weight;
}

OpKind Workload::draw_kind() {
  uint64_t point = random_.below(weight_sum_);
  for (const Kind& kind : kKinds) {
    const uint32_t weight = weights_[static_cast<size_t>(kind.kind)];
    if (point < weight) return kind.kind;
    point -= weight;
  }
  return OpKind::kPause;
}

// Skewed: the first chains are asked for most.
uint32_t Workload::draw_chain(bool own) {
  const double skewed = random_.unit() * random_.unit();
  auto chain = static_cast<uint32_t>(skewed * catalog_.chains());
  for (uint32_t step = 0; own && step < catalog_.chains(); step++) {
    if (catalog_.space_of(chain) % options_.owners == options_.owner) break;
    chain = (chain + 1) % catalog_.chains();
  }
  return chain;
}

Operation Workload::next() {
  Operation operation;
  operation.kind = draw_kind();
  operation.chain = draw_chain(writes(operation.kind));
  const auto length = static_cast<uint32_t>(catalog_.chain(operation.chain).size());
  // From the head, as engines ask; now and then from the middle, where the parent may be missing.
  operation.first = random_.one_in(8) ? static_cast<uint32_t>(random_.below(length)) : 0;
  const uint32_t rest = length - operation.first;
  operation.count = random_.one_in(2) ? rest : 1 + static_cast<uint32_t>(random_.below(rest));
  operation.repeat = random_.one_in(32);
  operation.pick = random_.next();
  operation.time = draw_time(random_);
  return operation;
}

}  // namespace terrace::lab
