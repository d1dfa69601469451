#include "lab/kit/client.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::lab {
namespace {

constexpr size_t kAreas = 4;

uint64_t largest_chain(const Catalog& catalog) {
  uint64_t largest = 0;
  for (uint32_t c = 0; c < catalog.chains(); c++) {
    // Each slice may begin at a page; one block may be asked twice.
    uint64_t bytes = 2 * base::kPage;
    uint64_t most = 0;
    for (const uint32_t block : catalog.chain(c)) {
      bytes += catalog[block].bytes + 2 * base::kPage;
      most = std::max(most, catalog[block].bytes);
    }
    largest = std::max(largest, bytes + most + 2 * base::kPage);
  }
  return largest;
}

// Calls that wait for nothing (store.h); the others wait to their deadline.
bool must_not_wait(OpKind kind) {
  return kind != OpKind::kGet && kind != OpKind::kPin && kind != OpKind::kRemove && kind != OpKind::kClear &&
         kind != OpKind::kSync;
}

}  // namespace

Client::Client(Store& store, const Catalog& catalog, ExpectedState& expected, const base::Clock& clock,
               Findings& findings, ClientOptions options, ClientHooks hooks)
    : store_(store),
      catalog_(catalog),
      expected_(expected),
      clock_(clock),
      findings_(findings),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      queue_(store.make_queue()),
      area_bytes_(largest_chain(catalog)),
      areas_(kAreas) {
  for (Area& area : areas_) {
    auto memory = CallerMemory::make(area_bytes_, options_.served);
    TERRACE_ASSERT(memory.has_value());
    area.bytes = std::move(*memory);
    const auto region = area.bytes.register_with(store_);
    if (!region) fail(fmt::format("register_region: {}", to_string(region.error())));
    area.region = region.value_or(0);
  }
}

Client::~Client() = default;

void Client::store_chain(uint32_t chain) {
  Operation operation;
  operation.kind = OpKind::kStore;
  operation.chain = chain;
  operation.count = static_cast<uint32_t>(catalog_.chain(chain).size());
  run(operation);
}

void Client::run(const Operation& operation) {
  operations_++;
  observe(static_cast<uint64_t>(operation.kind));
  const base::TimePoint begun = clock_.now();
  carry_out(operation);
  const base::Duration took = clock_.now() - begun;
  if (options_.instant && must_not_wait(operation.kind) && took.count() > 0) {
    fail(fmt::format("{} waited for {} us", to_string(operation.kind), took.count() / 1000));
  }
  if (took > options_.patience) {
    findings_.count("stuck");
    fail(fmt::format("{} took {} s", to_string(operation.kind), took.count() / 1'000'000'000));
  }
}

// A store without an arena puts and gets into caller memory only (M3).
bool Client::without_arena(const Operation& operation) {
  switch (operation.kind) {
    case OpKind::kStore:
    case OpKind::kReserve:
      put(operation);
      return true;
    case OpKind::kGet:
    case OpKind::kGetAsync:
      get_into(operation);
      return true;
    case OpKind::kPrefetch:
      return true;
    default:
      return false;
  }
}

void Client::carry_out(const Operation& operation) {
  if (options_.mode == L1Mode::kOff && without_arena(operation)) return;
  switch (operation.kind) {
    case OpKind::kStore:
      store_blocks(operation, false);
      break;
    case OpKind::kReserve:
      store_blocks(operation, true);
      break;
    case OpKind::kCommit:
      commit_held(operation);
      break;
    case OpKind::kAbort:
      abort_held(operation);
      break;
    case OpKind::kPut:
      put(operation);
      break;
    case OpKind::kLookup:
      lookup(operation, false);
      break;
    case OpKind::kPin:
      lookup(operation, true);
      break;
    case OpKind::kGet:
      get(operation);
      break;
    case OpKind::kGetAsync:
      get_async(operation);
      break;
    case OpKind::kGetInto:
      get_into(operation);
      break;
    case OpKind::kPrefetch:
      prefetch(operation);
      break;
    case OpKind::kCancel:
      cancel(operation);
      break;
    case OpKind::kRemove:
      remove(operation);
      break;
    case OpKind::kClear:
      clear(operation);
      break;
    case OpKind::kRelease:
      release(operation);
      break;
    case OpKind::kSync:
      sync();
      break;
    case OpKind::kPause:
      if (options_.switches && operation.pick % 16 == 0) switch_mode();
      break;  // the rest is the runner's: it knows how time passes
  }
}

size_t Client::owed() const {
  const auto prefetching =
      std::ranges::count_if(prefetches_, [](const auto& entry) { return !entry.second.has_result; });
  return written_.size() + gets_.size() + intos_.size() + static_cast<size_t>(prefetching) + puts_.size();
}

void Client::release_all() {
  releasing_ = true;
  for (auto& [tag, get] : gets_) {
    get.asked.cancelled = true;
    get.operation.cancel();
  }
  for (auto& [tag, into] : intos_) {
    into.asked.cancelled = true;
    into.operation.cancel();
  }
  for (auto& [tag, prefetch] : prefetches_) {
    prefetch.asked.cancelled = true;
    prefetch.ticket.cancel();
  }
  std::erase_if(prefetches_, [](const auto& entry) { return entry.second.has_result; });
  for (const HeldBlocks& held : blocks_) check_held(held);
  blocks_.clear();
  reservations_.clear();
  pins_.clear();
}

void Client::leave() {
  for (Area& area : areas_) {
    const auto left = store_.unregister_region(area.region);
    if (!left) fail(fmt::format("unregister_region: {}", to_string(left.error())));
    area.region = 0;
  }
}

void Client::abandon() {
  written_.clear();
  gets_.clear();
  intos_.clear();
  prefetches_.clear();
  puts_.clear();
  blocks_.clear();
  reservations_.clear();
  pins_.clear();
}

void Client::poll() {
  std::array<Completion, 64> events;
  for (;;) {
    const size_t count = queue_->poll(events);
    for (size_t i = 0; i < count; i++) take_event(events[i]);
    if (count < events.size()) break;
  }
  check_overdue();
  check_stuck();
}

void Client::take_event(const Completion& event) {
  observe(event.tag);
  observe(static_cast<uint64_t>(event.kind) << 24 | static_cast<uint64_t>(event.status) << 16 |
          static_cast<uint64_t>(event.cause) << 8 | event.tier);
  if (event.tag == 0 || event.tag > last_tag_) {
    return fail(fmt::format("event of kind {} for tag {}, which was never given",
                            static_cast<int>(event.kind), event.tag));
  }
  switch (event.kind) {
    case EventKind::kWrite:
      return take_write(event);
    case EventKind::kWriteBatch:
      return take_batch(event);
    case EventKind::kResult:
      return take_result(event);
    case EventKind::kReleased:
      return take_released(event);
  }
}

void Client::take_write(const Completion& event) {
  findings_.count("writes");
  const auto found = written_.find(event.tag);
  const uint32_t block = catalog_.find(event.key);
  if (found == written_.end())
    return fail(fmt::format("write event of tag {} after its batch's event", event.tag));
  Written& written = found->second;
  const auto writer = written.writers.find(block);
  if (writer == written.writers.end()) {
    return fail(fmt::format("write event of tag {} for a key it did not store", event.tag));
  }
  if (event.tier == 0 || event.tier > options_.tiers) {
    return fail(fmt::format("{}: write event for tier {}", name(block), event.tier));
  }
  if (++written.seen[{block, event.tier}] > 1) {
    fail(fmt::format("{}: tier {} reported twice for tag {}", name(block), event.tier, event.tag));
  }
  switch (event.status) {
    case WriteStatus::kOk:
      if (event.tier != options_.durable_tier) break;
      expected_.write_durable(block, writer->second);
      if (hooks_.durable) hooks_.durable(block, writer->second);
      break;
    case WriteStatus::kDropped:
      findings_.count("dropped");
      if (event.cause == DropCause::kNone) fail(fmt::format("{}: dropped without a cause", name(block)));
      break;
    case WriteStatus::kFailed:
      findings_.count("write_failures");
      if (options_.reliable) fail(fmt::format("{}: write failed: {}", name(block), to_string(event.error)));
      break;
  }
  say(fmt::format("  event: {} tier {} status {} cause {} ({} us)", name(block), event.tier,
                  static_cast<int>(event.status), to_string(event.cause),
                  (clock_.now() - written.begun).count() / 1000));
}

void Client::take_batch(const Completion& event) {
  if (written_.erase(event.tag) == 0)
    fail(fmt::format("batch event of tag {} came twice or for no store", event.tag));
}

void Client::take_result(const Completion& event) {
  if (orphans_.erase(event.tag) > 0) return;
  if (gets_.contains(event.tag)) return finish_get(event.tag);
  if (const auto into = intos_.find(event.tag); into != intos_.end() && !into->second.has_result) {
    into->second.has_result = true;
    return check_into(into->second);
  }
  if (const auto found = prefetches_.find(event.tag);
      found != prefetches_.end() && !found->second.has_result) {
    RunningPrefetch& prefetch = found->second;
    prefetch.has_result = true;
    const auto progress = prefetch.ticket.progress();
    observe(progress.arrived);
    if (!progress.ended) fail("prefetch: its event came before it ended");
    if (progress.asked != prefetch.asked.keys.size() || progress.arrived + progress.failed > progress.asked) {
      fail(fmt::format("prefetch: asked {} arrived {} failed {}", progress.asked, progress.arrived,
                       progress.failed));
    }
    if (prefetch.asked.cancelled) prefetches_.erase(found);
    return;
  }
  fail(fmt::format("result event of tag {} came twice or for no retrieve", event.tag));
}

void Client::take_released(const Completion& event) {
  const auto found = intos_.find(event.tag);
  if (found == intos_.end()) return take_back(event.tag, event.key);
  if (!found->second.has_result) fail("get_into: released came before result");
  finish_into(event.tag);
}

// Every retrieve answers at its deadline (R5), however late its IO may be.
void Client::check_overdue() {
  if (options_.slack.count() == 0) return;
  const auto check = [&](Asked& asked, std::string_view what) {
    if (asked.overdue || clock_.now() - asked.due <= options_.slack) return;
    asked.overdue = true;
    fail(fmt::format("{}: no answer {} us after its deadline", what,
                     (clock_.now() - asked.due).count() / 1000));
  };
  for (auto& [tag, get] : gets_) check(get.asked, "get_async");
  for (auto& [tag, into] : intos_) {
    if (!into.has_result) check(into.asked, "get_into");
  }
}

// Virtual time passes between polls only as the runner lets it, so age is age.
void Client::check_stuck() {
  const base::TimePoint now = clock_.now();
  const auto report = [&](auto& running, std::string_view what, auto&& begun) {
    for (auto entry = running.begin(); entry != running.end();) {
      if (now - begun(entry->second) < options_.patience) {
        ++entry;
        continue;
      }
      findings_.count("stuck");
      fail(fmt::format("stuck: {} of tag {} is still running after {} s", what, entry->first,
                       (now - begun(entry->second)).count() / 1'000'000'000));
      entry = running.erase(entry);
    }
  };
  report(written_, "a write", [](const Written& written) { return written.begun; });
  report(puts_, "a put", [](const RunningPut& put) { return put.begun; });
  report(gets_, "a get", [](const RunningGet& get) { return get.asked.due; });
  report(intos_, "a get_into", [](const RunningInto& into) { return into.asked.due; });
  report(prefetches_, "a prefetch",
         [&](const RunningPrefetch& prefetch) { return prefetch.has_result ? now : prefetch.asked.begun; });
}

bool Client::server_was_away(const Error& error) const {
  return options_.server_ends && (error.code == Code::kUnavailable || error.code == Code::kDeadline);
}

void Client::observe(uint64_t value) const {
  if (hooks_.observe) hooks_.observe(value);
}

void Client::fail(std::string_view what) {
  findings_.fail(fmt::format("{}op {}: {}", options_.context, operations_, what));
  say(fmt::format("FAILED: {}", what));
}

void Client::fail_wrong(std::string_view what) {
  findings_.fail_wrong(fmt::format("{}op {}: {}", options_.context, operations_, what));
  say(fmt::format("WRONG: {}", what));
}

void Client::say(const std::string& text) const {
  if (!options_.verbose) return;
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now().time_since_epoch());
  fmt::print("[{:>14} us] client {} op {}: {}\n", micros.count(), options_.number, operations_, text);
}

std::string Client::name(uint32_t block) const {
  if (block == kNoBlock) return "unknown block";
  return fmt::format("block {} ({}, {} bytes)", block, to_hex(catalog_[block].key).substr(0, 8),
                     catalog_[block].bytes);
}

Client::Area* Client::free_area(std::vector<Area>& areas) {
  for (Area& area : areas) {
    if (!area.busy && area.region != 0) return &area;
  }
  return nullptr;
}

}  // namespace terrace::lab
