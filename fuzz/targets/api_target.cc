// The public API of a small store on the simulated machine, driven by a byte string: its first bytes are the
// store's options, the rest calls and their arguments.
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/api_caller.h"
#include "policy/admission.h"
#include "policy/eviction.h"
#include "policy/store.h"

namespace terrace::fuzz {
namespace {

constexpr size_t kCallsMax = 256;
constexpr Timeout kDrain = std::chrono::seconds(30);
constexpr base::Duration kAfterlife = std::chrono::minutes(1);

template <class Names>
std::string one_of(Input& input, const Names& names) {
  return std::string(names[input.below(static_cast<uint32_t>(names.size()))]);
}

void draw_rules(Input& input, TierOptions& rules) {
  rules.store_policy = one_of(input, policy::store_policy_names());
  rules.eviction = one_of(input, policy::eviction_policy_names());
}

lab::MachineOptions draw_options(Input& input) {
  lab::MachineOptions options;
  options.disk.paths = {"/store"};
  options.disk.segment_bytes = 128 * base::kKiB;
  options.disk.capacity_bytes = (4 + input.below(8)) * options.disk.segment_bytes + 256 * base::kKiB;
  options.store.l1.budget = (4 + input.below(4)) * base::kMiB;
  options.store.l1.mode = static_cast<L1Mode>(input.below(3));
  options.store.l1.eviction = one_of(input, policy::eviction_policy_names());
  options.store.l1.verify = static_cast<VerifyL1>(input.below(3));
  options.store.write_back = static_cast<WriteBack>(input.below(3));
  options.store.prefetch_policy = static_cast<PrefetchPolicy>(input.below(2));
  options.store.region_loads = static_cast<RegionLoads>(input.below(2));
  options.store.history = input.below(2) == 0 ? 16 : 65536;
  draw_rules(input, options.disk_rules);
  if (input.one_in(3)) {
    options.mock = lab::MachineOptions::Mock{};
    options.mock->first = input.one_in(2);
    options.mock->capacity = 256 * base::kKiB;
    options.mock->tier.exact_index = input.one_in(2);
    draw_rules(input, options.mock->rules);
  }
  return options;
}

void run(std::span<const std::byte> bytes) {
  Input input(bytes);
  lab::Machine machine(draw_options(input));
  const auto started = machine.start();
  if (!started) {
    // Options that do not go together, in words.
    TERRACE_ASSERT(started.error().error.code == Code::kInvalidArgument && !started.error().message.empty());
    return;
  }
  const bool handles_go_last = input.one_in(2);
  {
    Caller caller(machine, input);
    for (size_t i = 0; i < kCallsMax && !input.empty(); ++i) caller.call();
    if (!handles_go_last) caller.drop_all();
    (void)machine.stop(kDrain);
    machine.time().run_for(kAfterlife);  // caller memory is the store's until no IO touches it
  }
  machine.time().run_for(kAfterlife);
  TERRACE_ASSERT(machine.store_is_gone());
}

const Registered kRegistered({.name = "api", .kind = Kind::kStore, .run = run});

}  // namespace
}  // namespace terrace::fuzz
