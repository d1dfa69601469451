// The C ABI over a small store on the simulated machine, driven by a byte string.
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/capi_caller.h"

namespace terrace::fuzz {
namespace {

constexpr size_t kCallsMax = 256;

void run(std::span<const std::byte> bytes) {
  Input input(bytes);
  lab::MachineOptions options;
  options.disk.paths = {"/store"};
  options.disk.segment_bytes = 128 * base::kKiB;
  options.disk.capacity_bytes = 6 * options.disk.segment_bytes;
  options.store.l1.budget = 4 * base::kMiB;
  options.store.l1.mode = static_cast<L1Mode>(input.below(3));
  lab::Machine machine(options);
  const auto started = machine.start();
  TERRACE_ASSERT(started.has_value());
  CCaller caller(machine, input);
  for (size_t i = 0; i < kCallsMax && !input.empty(); ++i) caller.call();
  caller.drop_all();
  (void)machine.stop(std::chrono::seconds(30));
  machine.time().run_for(std::chrono::minutes(1));
  TERRACE_ASSERT(machine.store_is_gone());
}

const Registered kRegistered({.name = "capi", .kind = Kind::kStore, .run = run});

}  // namespace
}  // namespace terrace::fuzz
