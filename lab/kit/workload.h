// What clients do: one seeded stream of operations over a catalog. Each seed switches some kinds of operation
// off (swarm testing), so that runs explore different combinations. Rows 1 and 2 use the same generator.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "lab/kit/catalog.h"

namespace terrace::lab {

enum class OpKind : uint8_t {
  kStore,    // reserve, fill, commit
  kReserve,  // reserve and hold
  kCommit,   // commit what was held
  kAbort,    // give it up
  kPut,      // from caller memory
  kLookup,
  kPin,  // lookup that pins, and hold
  kGet,
  kGetAsync,
  kGetInto,  // into caller memory
  kPrefetch,
  kCancel,  // a running get_async, get_into or prefetch
  kRemove,
  kClear,    // a namespace
  kRelease,  // held blocks, pins or tickets
  kSync,
  kPause,  // time passes
};
inline constexpr size_t kOpKinds = 17;
std::string_view to_string(OpKind kind);

struct Operation {
  OpKind kind = OpKind::kPause;
  uint32_t chain = 0;
  uint32_t first = 0, count = 0;  // blocks [first, first + count) of the chain
  bool repeat = false;            // the first key of the slice is asked again at its end
  uint64_t pick = 0;              // chooses among what is held
  base::Duration time{};          // deadline of a get, length of a pause
};

struct WorkloadOptions {
  uint64_t seed = 1;
  // Writes and removals stay in namespaces whose number is `owner` modulo `owners`; reads go everywhere.
  uint32_t owner = 0, owners = 1;
  bool removes = true;
  bool clears = true;
};

class Workload {
 public:
  Workload(const Catalog& catalog, WorkloadOptions options);

  Operation next();
  // Relative frequency; 0 is switched off.
  uint32_t weight(OpKind kind) const { return weights_[static_cast<size_t>(kind)]; }

 private:
  void draw_weights();
  OpKind draw_kind();
  uint32_t draw_chain(bool own);

  const Catalog& catalog_;
  WorkloadOptions options_;
  base::Random random_;
  std::array<uint32_t, kOpKinds> weights_{};
  uint32_t weight_sum_ = 0;
};

}  // namespace terrace::lab
