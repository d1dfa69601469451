#include "fuzz/targets/api_caller.h"

#include <array>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::fuzz {
namespace {

constexpr uint64_t kMemoryBytes = 256 * base::kKiB;

Namespace space() {
  return {.model_id = "fuzz", .block_tokens = 16, .tenant_salt = "salt"};
}

}  // namespace

Caller::Caller(lab::Machine& machine, Input& input) : machine_(machine), input_(input) {
  for (Memory* memory : {&source_, &target_, &free_}) memory->bytes.resize(kMemoryBytes);
  queue_ = store().make_queue();
  for (Memory* memory : {&source_, &target_, &free_}) {
    const auto region = store().register_region(memory->bytes.data(), memory->bytes.size());
    TERRACE_ASSERT(region.has_value());
    memory->region = *region;
  }
  const auto root = store().open_namespace(space());
  TERRACE_ASSERT(root.has_value());
  root_ = *root;
}

Caller::~Caller() {
  drop_all();
}

void Caller::call() {
  using Call = void (Caller::*)();
  // What matters most comes several times.
  static constexpr std::array kCalls{
      &Caller::reserve,    &Caller::commit,   &Caller::put,          &Caller::get,
      &Caller::get_async,  &Caller::get_into, &Caller::prefetch,     &Caller::take,
      &Caller::pass_time,  &Caller::lookup,   &Caller::remove,       &Caller::drop,
      &Caller::abort,      &Caller::clear,    &Caller::lookup_async, &Caller::lookup_families,
      &Caller::get_stream, &Caller::cancel,   &Caller::regions,      &Caller::queues,
      &Caller::wait,       &Caller::modes,    &Caller::look_around,  &Caller::open_namespace,
      &Caller::close,      &Caller::reserve,  &Caller::commit,       &Caller::put,
      &Caller::get,        &Caller::get_into, &Caller::take,         &Caller::pass_time};
  const Call chosen = kCalls[input_.below(kCalls.size())];
  (this->*chosen)();
}

void Caller::drop_all() {
  for (const Leased& leased : leased_) check(leased.blocks, leased.before, {});
  reservations_.clear();
  leased_.clear();
  gets_.clear();
  intos_.clear();
  tickets_.clear();
  lookups_.clear();
  pins_.clear();
  streams_.clear();
}

void Caller::regions() {
  const uint8_t what = input_.byte();
  if (what % 2 == 0) {
    // Overlaps what is registered, is empty, or is nothing.
    void* const memory = what % 4 == 0 ? free_.bytes.data() + input_.byte() : nullptr;
    TERRACE_ASSERT(!store().register_region(memory, what % 8 == 0 ? 0 : kMemoryBytes / 2));
    return;
  }
  const RegionId region = what % 4 == 1 ? free_.region : input_.number(8);
  if (region == source_.region || region == target_.region) return;
  if (!store().unregister_region(region) || region != free_.region) return;
  free_.region = store().register_region(free_.bytes.data(), free_.bytes.size()).value_or(0);
}

void Caller::queues() {
  std::array<Completion, 16> events;
  const size_t wanted = input_.below(events.size() + 1);
  const size_t got = input_.one_in(4) ? queue_->wait(std::span(events).first(wanted), short_timeout())
                                      : queue_->poll(std::span(events).first(wanted));
  TERRACE_ASSERT(got <= wanted);
  for (size_t i = 0; i < got; ++i) TERRACE_ASSERT(events[i].tag <= last_tag_);
  if (input_.one_in(16)) queue_ = store().make_queue();
}

void Caller::wait() {
  switch (input_.below(5)) {
    case 0:
      (void)store().sync(short_timeout());
      break;
    case 1:
      (void)store().wait_recovered(short_timeout());
      break;
    case 2:
      (void)store().drain_tier(name(), short_timeout());
      break;
    case 3:
      (void)store().resume_tier(name());
      break;
    default:
      if (!intos_.empty()) (void)store().wait(intos_.front().operation, short_timeout());
  }
}

void Caller::modes() {
  (void)store().set_l1_mode(static_cast<L1Mode>(input_.below(3)));
}

void Caller::look_around() {
  const StoreStats stats = store().stats();
  uint64_t misses = 0;
  for (const uint64_t count : stats.misses) misses += count;
  TERRACE_ASSERT(misses == stats.keys_asked - stats.keys_delivered);
  for (const TierStats& tier : stats.tiers) {
    TERRACE_ASSERT(tier.capacity_bytes == 0 || tier.used_bytes <= tier.capacity_bytes);
  }
  (void)store().namespaces();
  (void)store().why(key());
  const size_t limit = input_.one_in(4) ? SIZE_MAX : input_.below(8);
  const auto root = input_.one_in(2) ? std::optional(root_) : std::nullopt;
  const auto after = input_.one_in(2) ? std::optional(key()) : std::nullopt;
  TERRACE_ASSERT(store().list(root, after, limit).size() <= limit);
}

void Caller::open_namespace() {
  Namespace fields;
  const auto text = [&] { return std::string(text_of(input_.take(input_.below(64)))); };
  fields.model_id = text();
  if (input_.one_in(2)) fields.tenant_salt = text();
  if (input_.one_in(2)) fields.groups = static_cast<uint32_t>(input_.number(4));
  if (input_.one_in(32)) fields.adapter = std::string((64 << 10) + input_.below(2), 'a');
  const auto root = store().open_namespace(fields);
  const auto expected = namespace_root(fields);
  TERRACE_ASSERT(!root || (expected && *root == *expected));
}

void Caller::pass_time() {
  const uint8_t time = input_.byte();
  if (time < 128) return machine_.time().run_for(std::chrono::microseconds(time));
  machine_.time().run_for(std::chrono::milliseconds(time - 128) * (time % 16 == 0 ? 100 : 1));
}

// The store closes; calls go on. What handles hold stays.
void Caller::close() {
  if (!input_.one_in(4)) return;
  const auto closed = store().close(short_timeout());
  TERRACE_ASSERT(closed || closed.error().code == Code::kClosed);
}

}  // namespace terrace::fuzz
