// The half of Client that asks the store for blocks, and checks what came.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/client.h"

namespace terrace::lab {
namespace {

constexpr size_t kHeldBlocks = 4, kHeldPins = 3, kRunningGets = 8, kRunningPrefetches = 3;
constexpr uint64_t kGuard = 64;
constexpr std::byte kUntouched{0x5A};

GetOptions within(Timeout timeout) {
  GetOptions options;
  options.timeout = timeout;
  return options;
}

// Entry number `pick` of a map, or its end.
template <class Map>
auto entry_at(Map& map, uint64_t pick) {
  return map.empty() ? map.end() : std::next(map.begin(), static_cast<int64_t>(pick % map.size()));
}

}  // namespace

Client::Asked Client::ask(std::span<const uint32_t> blocks, Timeout timeout) const {
  Asked asked;
  asked.begun = clock_.now();
  asked.due = base::after(asked.begun, timeout);
  asked.complete = options_.complete;
  for (const uint32_t block : blocks) {
    asked.blocks.push_back(block);
    asked.keys.push_back(catalog_[block].key);
    asked.before.push_back(expected_.of(block));
  }
  return asked;
}

Client::Asked Client::ask(const Operation& operation) const {
  const auto slice = catalog_.chain(operation.chain).subspan(operation.first, operation.count);
  std::vector<uint32_t> blocks(slice.begin(), slice.end());
  if (operation.repeat) blocks.push_back(blocks.front());
  return ask(blocks, operation.time);
}

std::optional<Writer> Client::check_block_into(uint32_t block, Timeout timeout) {
  Area* area = free_area(areas_);
  if (area == nullptr) return std::nullopt;
  Asked asked = ask(std::span(&block, 1), timeout);
  const RegionSlice slice{.region = area->region, .offset = 0, .bytes = catalog_[block].bytes};
  auto into = store_.get_into(asked.keys, std::span(&slice, 1), within(timeout));
  if (!into) {
    fail(fmt::format("get_into: {}", to_string(into.error())));
    return std::nullopt;
  }
  keys_asked_ += asked.keys.size();
  if (!store_.wait(*into, options_.patience)) fail("get_into: not released in time");
  const IntoResult result = into->result();
  check_reasons(asked, result.delivered, result.reasons, "check");
  check_owed(asked, result.delivered, result.reasons, "check");
  if (result.delivered == 0) {
    const bool gone = result.reasons[0] == MissReason::kUnknown || result.reasons[0] == MissReason::kRemoved;
    return gone ? std::optional<Writer>(0) : std::nullopt;
  }
  const auto bytes = area->bytes.bytes().first(slice.bytes);
  const Writer writer = check_value(block, asked.before[0], bytes, result.source[0], "check");
  return writer == 0 ? std::nullopt : std::optional(writer);
}

std::optional<Writer> Client::check_block(uint32_t block, Timeout timeout) {
  if (options_.mode == L1Mode::kOff) return check_block_into(block, timeout);
  Asked asked = ask(std::span(&block, 1), timeout);
  auto blocks = store_.get(asked.keys, within(timeout));
  if (!blocks) {
    fail(fmt::format("get: {}", to_string(blocks.error())));
    return std::nullopt;
  }
  keys_asked_ += asked.keys.size();
  const MissReason why = blocks->reasons().empty() ? MissReason::kNone : blocks->reasons()[0];
  const std::vector<Writer> writers = check_blocks(asked, std::move(*blocks), false, "check");
  if (why != MissReason::kNone) say(fmt::format("check: {} is missing: {}", name(block), to_string(why)));
  if (why == MissReason::kUnknown || why == MissReason::kRemoved) return 0;
  return why == MissReason::kNone && !writers.empty() ? std::optional(writers[0]) : std::nullopt;
}

void Client::lookup(const Operation& operation, bool pin) {
  Asked asked = ask(operation);
  if (pin && pins_.size() >= kHeldPins) pins_.pop_front();
  auto found = store_.lookup(asked.keys, pin);
  if (!found) return fail(fmt::format("lookup: {}", to_string(found.error())));
  findings_.count("lookups");
  observe(found->found);
  say(fmt::format("{} chain {} [{}, +{}): {} found", pin ? "pin" : "lookup", operation.chain, operation.first,
                  operation.count, found->found));
  if (found->found > asked.keys.size() || found->where.size() != found->found) {
    return fail(fmt::format("lookup: {} found, {} places, {} asked", found->found, found->where.size(),
                            asked.keys.size()));
  }
  for (size_t i = 0; i < found->found; i++) {
    const KeyState now = expected_.of(asked.blocks[i]);
    if (now.begun <= asked.before[i].removed)
      fail(fmt::format("{}: found, never stored", name(asked.blocks[i])));
    if (found->where[i] == 0) fail(fmt::format("{}: found nowhere", name(asked.blocks[i])));
  }
  check_reasons(asked, found->found, found->reasons, "lookup");
  check_owed(asked, found->found, found->reasons, "lookup");
  if (!pin) return;
  if (found->found > 0 && operation.pick % 2 == 0 &&
      options_.mode != L1Mode::kOff) {  // Q2: what is pinned is there
    const size_t pinned = found->found;
    Asked again = ask(std::span(asked.blocks).first(pinned), std::chrono::seconds(2));
    auto blocks = store_.get(again.keys, within(std::chrono::seconds(2)));
    if (!blocks) return fail(fmt::format("get of pinned: {}", to_string(blocks.error())));
    keys_asked_ += again.keys.size();
    if (options_.reliable && options_.alone && blocks->size() < pinned) {
      const MissReason why = blocks->reasons().empty() ? MissReason::kNone : blocks->reasons()[0];
      const bool rot = why == MissReason::kDamaged && !options_.pristine;
      if (why != MissReason::kNoRoom && !rot) {  // L1 may be full of leases
        fail(fmt::format("pinned {}, delivered {}: {}", pinned, blocks->size(), to_string(why)));
      }
    }
    check_blocks(again, std::move(*blocks), false, "get of pinned");
  }
  pins_.push_back(std::move(found->pin));
}

void Client::get(const Operation& operation) {
  if (operation.pick % 16 == 7) return get_stream(operation);
  Asked asked = ask(operation);
  GetOptions how = within(operation.time);
  if (operation.pick % 4 == 0)
    how.write_back = operation.pick % 8 == 0 ? WriteBack::kNever : WriteBack::kAlways;
  const auto ticket = entry_at(prefetches_, operation.pick);
  if (ticket != prefetches_.end() && operation.pick % 3 == 1) how.ticket = &ticket->second.ticket;
  auto blocks = store_.get(asked.keys, how);
  if (!blocks) return fail(fmt::format("get: {}", to_string(blocks.error())));
  findings_.count("gets");
  keys_asked_ += asked.keys.size();
  say(fmt::format("get chain {} [{}, +{}): {} delivered, {}", operation.chain, operation.first,
                  operation.count, blocks->size(),
                  blocks->reasons().empty() ? "all" : to_string(blocks->reasons()[0])));
  check_lateness(asked, "get");
  check_blocks(asked, std::move(*blocks), operation.pick % 3 == 0, "get");
}

void Client::get_stream(const Operation& operation) {
  const Asked asked = ask(operation);
  StreamOptions how;
  how.timeout = operation.time;
  auto stream = store_.get_stream(asked.keys, how);
  if (!stream) return fail(fmt::format("get_stream: {}", to_string(stream.error())));
  findings_.count("streams");
  keys_asked_ += asked.keys.size();
  size_t delivered = 0;
  while (const auto block = stream->next()) {
    if (delivered == asked.keys.size() || block->key != asked.keys[delivered]) {
      return fail_wrong("get_stream: a block out of order");
    }
    check_value(asked.blocks[delivered], asked.before[delivered], block->bytes, block->source, "get_stream");
    ++delivered;
  }
  observe(delivered);
  const MissReason why = stream->reason();
  if ((why == MissReason::kNone) != (delivered == asked.keys.size()) || delivered != stream->delivered()) {
    fail(fmt::format("get_stream: {} of {} delivered, reason {}", delivered, asked.keys.size(),
                     to_string(why)));
  }
  if (why == MissReason::kNone) return;
  std::vector<MissReason> reasons(asked.keys.size() - delivered, MissReason::kBehindHole);
  reasons[0] = why;
  check_reasons(asked, delivered, reasons, "get_stream");
  check_owed(asked, delivered, reasons, "get_stream");
}

void Client::get_async(const Operation& operation) {
  if (gets_.size() >= kRunningGets) return;
  Asked asked = ask(operation);
  const uint64_t tag = next_tag();
  auto running = store_.get_async(asked.keys, within(operation.time), notify(tag));
  if (!running) return fail(fmt::format("get_async: {}", to_string(running.error())));
  findings_.count("gets");
  keys_asked_ += asked.keys.size();
  say(fmt::format("get_async chain {} [{}, +{}) tag {}", operation.chain, operation.first, operation.count,
                  tag));
  if (operation.pick % 64 == 0) {
    orphans_.insert(tag);  // destroyed while it runs
    return;
  }
  gets_.emplace(tag, RunningGet{std::move(*running), std::move(asked)});
}

void Client::finish_get(uint64_t tag) {
  auto node = gets_.extract(tag);
  RunningGet& get = node.mapped();
  if (!get.operation.ready()) fail("get_async: its event came before its result");
  auto blocks = get.operation.take();
  if (!blocks) return fail("get_async: nothing to take after its event");
  if (get.operation.take()) fail("get_async: taken twice");
  say(fmt::format("get_async tag {}: {} delivered", tag, blocks->size()));
  check_blocks(get.asked, std::move(*blocks), tag % 3 == 0, "get_async");
}

void Client::get_into(const Operation& operation) {
  Area* area = free_area(areas_);
  if (area == nullptr) return;
  RunningInto into;
  into.asked = ask(operation);
  into.area = static_cast<size_t>(area - areas_.data());
  into.wrong_size = operation.pick % 32 == 0;
  // Half of them at page boundaries, where a tier reads straight into the region; else back to back or
  // nearly.
  const bool aligned = operation.pick % 2 == 0 || options_.mode == L1Mode::kOff;
  uint64_t offset = kGuard;
  for (const uint32_t block : into.asked.blocks) {
    if (aligned) offset = base::round_up(offset, base::kPage);
    into.slices.push_back({.region = area->region, .offset = offset, .bytes = catalog_[block].bytes});
    offset += catalog_[block].bytes + (operation.pick % 3 == 0 ? kGuard : 0);
  }
  if (into.wrong_size) into.slices[0].bytes -= 1;
  into.wrong_size = into.wrong_size && into.slices[0].bytes > 0;
  if (into.slices[0].bytes == 0) into.slices[0].bytes = 1;
  std::ranges::fill(area->bytes.bytes(), kUntouched);
  const uint64_t tag = next_tag();
  auto running = store_.get_into(into.asked.keys, into.slices, within(operation.time), notify(tag));
  if (!running) return fail(fmt::format("get_into: {}", to_string(running.error())));
  findings_.count("gets");
  keys_asked_ += into.asked.keys.size();
  say(fmt::format("get_into chain {} [{}, +{}) tag {}", operation.chain, operation.first, operation.count,
                  tag));
  into.operation = std::move(*running);
  area->busy = true;
  intos_.emplace(tag, std::move(into));
}

// Its result is there: what was delivered is right now, and stays so.
void Client::check_into(RunningInto& into) {
  if (!into.operation.ready()) return fail("get_into: its event came before its result");
  const IntoResult result = into.operation.result();
  const std::span<const std::byte> memory = areas_[into.area].bytes.bytes();
  if (result.delivered > into.asked.keys.size() || result.source.size() != result.delivered) {
    return fail(fmt::format("get_into: {} delivered, {} sources, {} asked", result.delivered,
                            result.source.size(), into.asked.keys.size()));
  }
  if (into.wrong_size && result.delivered > 0) fail("get_into: delivered into a slice of another size");
  for (size_t i = 0; i < result.delivered; i++) {
    const auto bytes = memory.subspan(into.slices[i].offset, into.slices[i].bytes);
    check_value(into.asked.blocks[i], into.asked.before[i], bytes, result.source[i], "get_into");
  }
  check_reasons(into.asked, result.delivered, result.reasons, "get_into");
}

void Client::finish_into(uint64_t tag) {
  auto node = intos_.extract(tag);
  RunningInto& into = node.mapped();
  if (!into.operation.released()) fail("get_into: its event came before it released the memory");
  check_into(into);  // nothing changed after the result
  const std::span<const std::byte> memory = areas_[into.area].bytes.bytes();
  uint64_t position = 0;
  const auto check_gap = [&](uint64_t end) {
    for (; position < end; position++) {
      if (memory[position] != kUntouched) {
        fail_wrong(fmt::format("get_into: wrote byte {} of the region, outside its slices", position));
        return;
      }
    }
  };
  for (const RegionSlice& slice : into.slices) {
    check_gap(slice.offset);
    position = slice.offset + slice.bytes;
  }
  check_gap(std::min(area_bytes_, position + kGuard));
  areas_[into.area].busy = false;
}

void Client::prefetch(const Operation& operation) {
  if (prefetches_.size() >= kRunningPrefetches) {
    const auto oldest = prefetches_.begin();
    if (!oldest->second.has_result) orphans_.insert(oldest->first);
    prefetches_.erase(oldest);
  }
  RunningPrefetch prefetch;
  prefetch.asked = ask(operation);
  const uint64_t tag = next_tag();
  PrefetchOptions how;
  if (operation.pick % 3 == 0) how.policy = PrefetchPolicy::kTemporary;
  auto ticket = store_.prefetch(prefetch.asked.keys, how, notify(tag));
  if (!ticket) return fail(fmt::format("prefetch: {}", to_string(ticket.error())));
  findings_.count("prefetches");
  say(fmt::format("prefetch chain {} [{}, +{}) tag {}", operation.chain, operation.first, operation.count,
                  tag));
  prefetch.ticket = std::move(*ticket);
  prefetches_.emplace(tag, std::move(prefetch));
}

void Client::cancel(const Operation& operation) {
  switch (operation.pick % 3) {
    case 0:
      if (const auto get = entry_at(gets_, operation.pick / 3); get != gets_.end()) {
        get->second.asked.cancelled = true;
        get->second.operation.cancel();
      }
      break;
    case 1:
      if (const auto into = entry_at(intos_, operation.pick / 3); into != intos_.end()) {
        into->second.asked.cancelled = true;
        into->second.operation.cancel();
      }
      break;
    default:
      if (const auto prefetch = entry_at(prefetches_, operation.pick / 3); prefetch != prefetches_.end()) {
        prefetch->second.asked.cancelled = true;
        prefetch->second.ticket.cancel();
        if (prefetch->second.has_result) prefetches_.erase(prefetch);
      }
      break;
  }
}

// Memory that the store may still touch cannot be taken away from it (R5).
void Client::try_to_take_back_a_region(uint64_t pick) {
  Area& area = areas_[pick % areas_.size()];
  if (!area.busy || options_.server_ends) return;  // while it is away it takes no other
  const auto taken = store_.unregister_region(area.region);
  if (!taken && taken.error().code != Code::kBusy)
    fail(fmt::format("unregister_region: {}", to_string(taken.error())));
  if (!taken) return;  // else it was released already, and its event has not come yet
  area.region = area.bytes.register_with(store_).value_or(0);
  if (area.region == 0) fail("register_region: refused after unregister_region");
}

void Client::release(const Operation& operation) {
  if (operation.pick % 8 == 3) try_to_take_back_a_region(operation.pick / 8);
  switch (operation.pick % 4) {
    case 0:
      if (!pins_.empty()) pins_.pop_front();
      break;
    case 1:
      if (const auto prefetch = entry_at(prefetches_, operation.pick / 4);
          prefetch != prefetches_.end() && prefetch->second.has_result) {
        prefetch->second.ticket.release();
        prefetches_.erase(prefetch);
      }
      break;
    default:
      if (!blocks_.empty()) {
        check_held(blocks_.front());
        blocks_.pop_front();
      }
      break;
  }
}

// P3: what is held has not changed.
void Client::check_held(const HeldBlocks& held) {
  for (size_t i = 0; i < held.blocks.size(); i++) {
    const BlockView& view = held.blocks[i];
    const Verdict verdict = verify(view.key, view.bytes, held.writers[i]);
    if (!verdict.right || verdict.writer != held.writers[i]) {
      fail_wrong(fmt::format("held {} changed under its lease: {}", name(held.numbers[i]),
                             describe(view.key, view.bytes, verdict)));
    }
  }
}

// Returns the writers of the right ones.
std::vector<Writer> Client::check_blocks(Asked& asked, Blocks blocks, bool hold, std::string_view what) {
  observe(blocks.size());
  HeldBlocks held;
  if (blocks.size() > asked.keys.size()) {
    fail(fmt::format("{}: {} delivered, {} asked", what, blocks.size(), asked.keys.size()));
    return {};
  }
  for (size_t i = 0; i < blocks.size(); i++) {
    if (blocks[i].key != asked.keys[i]) {
      fail_wrong(fmt::format("{}: block {} of the answer is of another key", what, i));
      continue;
    }
    const Writer writer =
        check_value(asked.blocks[i], asked.before[i], blocks[i].bytes, blocks[i].source, what);
    if (writer == 0) continue;
    held.numbers.push_back(asked.blocks[i]);
    held.writers.push_back(writer);
  }
  const std::vector<Writer> writers = held.writers;
  check_reasons(asked, blocks.size(), blocks.reasons(), what);
  if (!asked.cancelled) check_owed(asked, blocks.size(), blocks.reasons(), what);
  if (!hold || releasing_ || held.numbers.size() != blocks.size() || blocks.size() == 0) return writers;
  held.blocks = std::move(blocks);
  blocks_.push_back(std::move(held));
  if (blocks_.size() > kHeldBlocks) {
    check_held(blocks_.front());
    blocks_.pop_front();
  }
  return writers;
}

// P1, P2 and D1 for one value. Returns its writer, 0 when it is wrong.
Writer Client::check_value(uint32_t block, const KeyState& before, std::span<const std::byte> bytes,
                           uint16_t source, std::string_view what) {
  const CatalogBlock& wanted = catalog_[block];
  const KeyState now = expected_.of(block);
  findings_.count("values");
  findings_.count("bytes_checked", bytes.size());
  observe(source);
  if (bytes.size() != wanted.bytes) {
    fail_wrong(
        fmt::format("{}: {} delivered with {} bytes from tier {}", what, name(block), bytes.size(), source));
    return 0;
  }
  const Verdict verdict = verify(wanted.key, bytes, now.begun);
  observe(verdict.writer);
  if (!verdict.right) {
    fail_wrong(fmt::format("{}: {} from tier {}: {}", what, name(block), source,
                           describe(wanted.key, bytes, verdict)));
    return 0;
  }
  const KeyState allowed{.begun = now.begun, .removed = before.removed};
  if (!allowed.allows(verdict.writer)) {
    fail_wrong(fmt::format("{}: {} from tier {} is {} writer {} (begun {}, removed {})", what, name(block),
                           source, verdict.writer & kPrivate ? "of the uncommitted" : "of",
                           verdict.writer & ~kPrivate, now.begun, before.removed));
    return 0;
  }
  return verdict.writer;
}

// Q5: one reason for each key that was not delivered.
void Client::check_reasons(const Asked& asked, size_t delivered, std::span<const MissReason> reasons,
                           std::string_view what) {
  if (delivered + reasons.size() != asked.keys.size()) {
    return fail(fmt::format("{}: {} asked, {} delivered, {} reasons", what, asked.keys.size(), delivered,
                            reasons.size()));
  }
  findings_.count("misses", reasons.size());
  for (size_t i = 0; i < reasons.size(); i++) {
    observe(static_cast<uint64_t>(reasons[i]));
    const bool first = i == 0;
    const bool hole = reasons[i] == MissReason::kBehindHole;
    if (reasons[i] == MissReason::kNone || static_cast<size_t>(reasons[i]) >= kMissReasons || hole == first) {
      fail(fmt::format("{}: miss {} of {} has reason {}", what, i, reasons.size(), to_string(reasons[i])));
    }
  }
  if (reasons.empty()) return;
  const uint32_t block = asked.blocks[delivered];
  if (reasons[0] == MissReason::kCancelled && !asked.cancelled)
    fail(fmt::format("{}: cancelled by nobody", what));
  // A key that was never committed may have been refused, reserved, removed or asked for too late; no more.
  const bool story = reasons[0] == MissReason::kEvicted || reasons[0] == MissReason::kDropped ||
                     reasons[0] == MissReason::kWriteFailed || reasons[0] == MissReason::kDamaged;
  if (expected_.of(block).begun == 0 && story) {
    fail(fmt::format("{}: {} was never stored, its reason is {}", what, name(block), to_string(reasons[0])));
  }
  const bool device = reasons[0] == MissReason::kDeviceError || reasons[0] == MissReason::kTierUnavailable;
  const bool damaged = reasons[0] == MissReason::kDamaged;
  if (device || damaged) findings_.count("fault_misses");
  const bool drained =
      reasons[0] == MissReason::kTierUnavailable && (options_.drains || options_.server_ends);
  if ((device && !drained && options_.reliable) || (damaged && options_.pristine)) {
    fail(fmt::format("{}: {} missed as {} on a healthy device", what, name(block), to_string(reasons[0])));
  }
}

// What was acknowledged and neither removed nor evicted is found.
void Client::check_owed(const Asked& asked, size_t delivered, std::span<const MissReason> reasons,
                        std::string_view what) {
  if (!asked.complete || delivered == asked.blocks.size() || reasons.empty()) return;
  const uint32_t block = asked.blocks[delivered];
  const KeyState before = asked.before[delivered], now = expected_.of(block);
  if (!before.must_be_found() || now.removing != before.removing) return;
  const MissReason why = reasons[0];
  if (why == MissReason::kDeadline || why == MissReason::kNoRoom || why == MissReason::kCancelled) return;
  if (why == MissReason::kTierUnavailable && options_.server_ends) return;
  if (why == MissReason::kDamaged && options_.power_was_cut) return;
  // Stored anew while recovery had not found the old record: without an L1 that answers, it is on its way.
  if (why == MissReason::kInFlight && options_.mode != L1Mode::kCache) return;
  fail(fmt::format("{}: {} was acknowledged (writer {} of {}, removed up to {}) and is missing: {}", what,
                   name(block), before.durable, before.begun, before.removing, to_string(why)));
}

void Client::check_lateness(const Asked& asked, std::string_view what) {
  if (options_.slack.count() == 0) return;
  const base::Duration late = clock_.now() - asked.due;
  if (late.count() >= 0) {
    findings_.count("at_deadline");
    findings_.count("max_late_us", static_cast<uint64_t>(late.count()) / 1000);
  }
  if (late > options_.slack) {
    fail(fmt::format("{}: answered {} us after its deadline", what, late.count() / 1000));
  }
}

}  // namespace terrace::lab
