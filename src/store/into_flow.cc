// get_into: retrieve into caller memory (R4, R5). Bytes come from L1 by a copy, from a tier through the arena
// when write-back keeps the block (or the region asks for it), and else straight from the tier. Two events:
// `result` at the deadline at the latest, `released` when nothing can touch the memory any more.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/copy.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

using Phase = IntoFlow::Phase;

class StorageManager::IntoSink final : public tier::ReadSink {
 public:
  IntoSink(std::shared_ptr<StorageManager> manager, const DirectRead& read, const ArrivalVerifier& verifier)
      : manager_(std::move(manager)), read_(read), verifier_(verifier) {}

  void arrived(uint64_t offset, uint64_t bytes) override { verifier_.arrived(offset, bytes); }
  void done(Result<void> result) override;

 private:
  std::shared_ptr<StorageManager> manager_;
  DirectRead read_;
  ArrivalVerifier verifier_;
};

void StorageManager::IntoSink::done(Result<void> result) {
  if (!TERRACE_MUTANT("store.trust_direct_reads")) result = verifier_.outcome(result);
  manager_->executor_.post([manager = std::move(manager_), read = std::move(read_), result] {
    manager->finish_direct(read.into, read.index, read.tier, result);
  });
}

Result<IntoOperation> StorageManager::get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                               const GetOptions& options, const Notify& notify,
                                               const ScopePtr& scope) {
  if (auto ok = check_batch(keys.size()); !ok) return std::unexpected(ok.error());
  if (to.size() != keys.size()) return fail(Code::kInvalidArgument, "one region slice for each key");
  auto into = std::make_shared<IntoFlow>();
  into->manager = shared_from_this();
  into->items.resize(keys.size());
  into->keys.assign(keys.begin(), keys.end());
  into->write_back = options.write_back;
  into->notify = notify;
  into->scope = scope;
  for (size_t i = 0; i < keys.size(); ++i) {
    auto slice = regions_.slice(to[i].region, to[i].offset, to[i].bytes);
    if (!slice) return std::unexpected(slice.error());
    auto use = regions_.use(*slice);
    if (!use) return std::unexpected(use.error());
    into->items[i].to = *slice;
    into->items[i].use = std::move(*use);
  }
  const auto deadline = deadline_of(options.timeout);
  const auto ticket = prefetch_of(options);
  Start start;
  {
    Lock lock(mutex_);
    ++intos_running_;
    for (size_t i = 0; i < keys.size(); ++i) {
      auto& item = into->items[i];
      Found found = locate(keys[i], item.block, true, scope.get());
      if (Buffer* held = held_by(ticket.get(), keys[i], i)) found = {held, 0, MissReason::kNone};
      item.reason = found.reason;
      uint64_t bytes = 0;
      if (found.buffer != nullptr)
        bytes = found.buffer->meta.payload_bytes;
      else if (found.tier != 0) {
        const Residency& residency = *tier_state(found.tier).residency;
        bytes = residency[residency.find(item.block)].payload_bytes;
      }
      if (item.reason == MissReason::kNone && bytes != item.to.size()) {
        TERRACE_PROBE("store.slice_of_another_size");
        item.reason = MissReason::kDeclined;
      }
      if (item.reason == MissReason::kNone && found.buffer != nullptr) {
        l1_->ref(found.buffer);
        take_hold(found.buffer);
        item.asked_of = kL1;
        into->loaded(i, found.buffer, kL1, MissReason::kNone);
      } else if (item.reason == MissReason::kNone) {
        item.source = static_cast<uint16_t>(found.tier);
        start_from_tier(into, i, found.tier, start);
        if (item.reason == MissReason::kNone) item.asked_of = item.source;
      }
      if (item.reason != MissReason::kNone) break;
    }
    settle_into(*into);
  }
  if (!into->ready_event.is_set()) {
    const base::TimerId timer =
        executor_.post_at(deadline, [weak = std::weak_ptr(into), self = shared_from_this()] {
          if (const auto running = weak.lock()) self->end_into_now(running, MissReason::kDeadline);
        });
    Lock lock(mutex_);
    if (into->finished)
      executor_.cancel(timer);
    else
      into->timer = timer;
  }
  issue(start);
  return surface::Access::running<IntoOperation>(into);
}

// Through the arena where the block will be kept or the memory cannot take direct IO, else straight into the
// region.
void StorageManager::start_from_tier(const std::shared_ptr<IntoFlow>& into, size_t index, uint32_t tier,
                                     Start& start) {
  auto& item = into->items[index];
  const bool aligned = reinterpret_cast<uintptr_t>(item.to.data()) % base::kPage == 0;
  // What may turn out to be another namespace's does not reach the caller's memory.
  const bool told = into->scope == nullptr || blocks_[item.block].name_space != kNoNamespace;
  const bool direct = aligned && told && options_.region_loads == RegionLoads::kDirect &&
                      tier_state(tier).tier->capabilities().reads_into_caller_memory;
  if (keep(tier, item.block, into->write_back) || !direct || loads_.contains(item.block)) {
    item.reason = load(item.block, tier, io::IoClass::kLoad, into, index, start);
    if (item.reason == MissReason::kNone) {
      item.phase = Phase::kLoading;
      return;
    }
    if (!direct) return;
  }
  Residency& residency = *tier_state(tier).residency;
  item.reason = MissReason::kNone;
  item.phase = Phase::kDirect;
  // Removed meanwhile, its number must not name another block before this has ended.
  blocks_.add_ref(item.block);
  item.holds_block = true;
  item.residence = residency.find(item.block);
  item.generation = residency[item.residence].generation;
  item.place = residency[item.residence].place;
  residency.pin(item.residence);
  item.begun = clock_.now();
  item.header = pages_.take();
  if (item.to.size() % base::kPage != 0) item.tail = pages_.take();
  TERRACE_PROBE("store.direct_read");
  start.direct.push_back({tier, into, index});
}

void StorageManager::issue_direct(const DirectRead& read) {
  auto& item = read.into->items[read.index];
  tier::Tier* tier = nullptr;
  Key key;
  base::TimePoint deadline;
  {
    Lock lock(mutex_);
    tier = tier_state(read.tier).tier.get();
    key = read.into->keys[read.index];
    deadline = base::after(clock_.now(), options_.operation_timeout);
  }
  const uint64_t whole = base::round_down(item.to.size(), base::kPage);
  const uint64_t rest = item.to.size() - whole;
  tier::ReadOp op;
  op.key = key;
  op.place = item.place;
  op.payload_bytes = item.to.size();
  op.record[0] = {item.header, record::kHeaderBytes};
  op.record[1] = {item.to.data(), whole};
  op.record[2] = {item.tail, rest == 0 ? 0 : base::kPage};
  if (whole == 0) std::swap(op.record[1], op.record[2]);
  op.deadline = deadline;
  const record::Verifier verifier(key, item.to.size(), tier->secret(item.place),
                                  tier->binding(key, item.place));
  const auto header = std::span<const std::byte>(item.header, record::kHeaderBytes);
  const auto tail = std::span<const std::byte>(item.tail, rest);
  op.sink =
      std::make_shared<IntoSink>(shared_from_this(), read, ArrivalVerifier(verifier, header, item.to, tail));
  const tier::ReadTicket ticket = tier->read(std::move(op));
  bool cancel = false;
  {
    Lock lock(mutex_);
    item.ticket = ticket;
    cancel = item.missed && item.phase == Phase::kDirect;
  }
  if (cancel && ticket != 0) {
    TERRACE_PROBE("store.direct_read_cancelled_as_it_began");
    tier->cancel(ticket);
  }
}

void StorageManager::finish_direct(const std::shared_ptr<IntoFlow>& into, size_t index, uint32_t tier,
                                   Result<void> result) {
  auto& item = into->items[index];
  bool again = false;
  {
    Lock lock(mutex_);
    again = !item.again && !item.missed && worth_another_read(tier, result);
    item.again = item.again || again;
  }
  if (again) return issue_direct({tier, into, index});
  Lock lock(mutex_);
  TierState& state = tier_state(tier);
  const bool held = state.residency->holds(item.residence, item.generation);
  if (held) state.residency->unpin(item.residence);
  pages_.give(std::exchange(item.header, nullptr));
  pages_.give(std::exchange(item.tail, nullptr));
  if (result) {
    ++state.counts.loads;
    state.counts.load_bytes += item.to.size();
    took(state.latencies->reads, item.begun);
    item.phase = Phase::kDone;
  } else {
    item.phase = Phase::kMissed;
    item.reason = read_failed(item.block, tier, item.place, result.error(), held);
  }
  item.use.release();
  settle_into(*into);
  progress_made();
}

// On the executor: from the arena to the caller, unless the operation was answered meanwhile.
void StorageManager::copy_out(const std::shared_ptr<IntoFlow>& into, size_t index) {
  auto& item = into->items[index];
  Buffer* buffer = nullptr;
  {
    Lock lock(mutex_);
    if (item.phase != Phase::kCopyQueued) {
      TERRACE_PROBE("store.copy_given_up");
      return;
    }
    item.phase = Phase::kCopying;
    buffer = item.buffer;
  }
  base::copy_bytes(item.to, buffer->payload());
  Lock lock(mutex_);
  item.phase = item.missed ? Phase::kMissed : Phase::kDone;
  item.use.release();
  if (item.missed) l1_->unref(std::exchange(item.buffer, nullptr));
  settle_into(*into);
  progress_made();
}

void StorageManager::settle_into(IntoFlow& into) {
  const bool waiting = std::ranges::any_of(into.items, [](const auto& item) {
    return !item.missed && item.phase != Phase::kDone && item.phase != Phase::kMissed;
  });
  if (!into.finished && !waiting) {
    into.finished = true;
    if (into.timer != 0) executor_.cancel(into.timer);
    IntoResult& result = into.answer;
    auto& items = into.items;
    while (result.delivered < items.size() && items[result.delivered].phase == Phase::kDone)
      ++result.delivered;
    const uint64_t time = use_times(result.delivered + 1);
    begin_uses(into.keys, {}, time);
    for (size_t i = 0; i < items.size(); ++i) {
      auto& item = items[i];
      const bool copying = item.phase == Phase::kCopying;  // it gives its buffer back itself
      if (i < result.delivered) {
        if (item.buffer != nullptr && keep(item.source, item.block, into.write_back)) adopt(item.buffer);
        touch_all(item.block, time - i);
        if (writes_on_hit_ && item.buffer != nullptr && item.buffer->resident) {
          queue_writes(item.buffer, policy::StoreMoment::kSeenAgain, nullptr);
        }
        result.source.push_back(item.source);
        count_delivered(item.block, item.source);
      } else {
        const bool first = i == result.delivered;
        result.reasons.push_back(first ? item.reason : MissReason::kBehindHole);
      }
      if (item.buffer != nullptr && !copying) l1_->unref(std::exchange(item.buffer, nullptr));
      if (!into.touching(item)) item.use.release();
    }
    if (result.delivered < items.size()) {
      count_missed(std::span(into.keys).subspan(result.delivered), result.reasons,
                   items[result.delivered].asked_of);
    }
    executor_.signal(into.ready_event);  // before whoever is told of it looks
    TERRACE_SYNC_POINT("store.into_result_there");
    Completion event;
    event.kind = EventKind::kResult;
    post_event(into.notify, event);
  }
  if (!into.finished || into.released_sent) return;
  const bool early = TERRACE_MUTANT("store.release_memory_early");
  if (!early && std::ranges::any_of(into.items, [&](const auto& item) { return into.touching(item); }))
    return;
  into.released_sent = true;
  --intos_running_;
  for (auto& item : into.items) {
    if (std::exchange(item.holds_block, false)) blocks_.release(item.block);
  }
  executor_.signal(into.released_event);
  Completion event;
  event.kind = EventKind::kReleased;
  post_event(into.notify, event);
  progress_made();
}

void StorageManager::end_into(IntoFlow& into, MissReason reason, Start& start) {
  if (into.finished) return;
  for (auto& item : into.items) {
    if (item.phase == Phase::kDone || item.phase == Phase::kMissed) continue;
    item.missed = true;
    item.reason = reason;
    if (item.phase == Phase::kLoading) leave_load(item.block, &into, start);
    if (item.phase == Phase::kDirect && item.ticket != 0) {
      TERRACE_PROBE("store.direct_read_cancelled");
      start.cancels.emplace_back(item.source, item.ticket);
    }
    if (!into.touching(item)) item.phase = Phase::kMissed;
  }
  settle_into(into);
}

void StorageManager::end_into_now(const std::shared_ptr<IntoFlow>& into, MissReason reason) {
  Start start;
  {
    Lock lock(mutex_);
    end_into(*into, reason, start);
  }
  issue(start);
}

void StorageManager::cancel(const std::shared_ptr<IntoFlow>& state) {
  end_into_now(state, MissReason::kCancelled);
}

bool StorageManager::wait(const std::shared_ptr<IntoFlow>& state, Timeout timeout) {
  return executor_.wait(state->released_event, deadline_of(timeout));
}

IntoResult StorageManager::result(const IntoFlow& state) const {
  Lock lock(mutex_);
  return state.answer;
}

// In L1 now: the copy to the caller is the executor's.
void IntoFlow::loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason)
    TERRACE_THREAD(no_thread_safety_analysis) {
  Item& item = items[index];
  item.source = source;
  item.reason = reason;
  item.buffer = buffer;
  item.phase = buffer != nullptr ? Phase::kCopyQueued : Phase::kMissed;
  if (buffer == nullptr) return manager->settle_into(*this);
  manager->executor_.post([self = shared_from_this(), index] { self->manager->copy_out(self, index); });
}

}  // namespace terrace::store
