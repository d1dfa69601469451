// get and get_async: one flow (R1); the validated prefix (R3), write-back (R4), deadlines (R5).
#include <algorithm>

#include "base/assert.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

uint64_t StorageManager::use_times(size_t count) {
  const auto now = static_cast<uint64_t>(clock_.now().time_since_epoch().count()) + parts_.use_time_base;
  last_use_time_ = std::max(last_use_time_ + count, now);
  return last_use_time_;
}

void StorageManager::begin_uses(std::span<const Key> keys, const Key& parent, uint64_t time) {
  l1_->residency().policy().request(keys, parent, time);
  for (TierState& state : tiers_) state.residency->policy().request(keys, parent, time);
}

void StorageManager::touch_all(BlockId block, uint64_t time) {
  blocks_[block].asked = true;
  if (const ResidenceId id = l1_->residency().find(block); id != kNoResidence) {
    l1_->residency().touch(id, time, false);
  }
  for (TierState& state : tiers_) {
    const ResidenceId id = state.residency->find(block);
    if (id == kNoResidence) continue;
    state.residency->touch(id, time, false);
    state.tier->used((*state.residency)[id].place, (*state.residency)[id].rank);
  }
}

// R4.
bool StorageManager::keep(uint32_t source, BlockId block, std::optional<WriteBack> wanted) const {
  if (source == kL1 || mode_ != L1Mode::kCache) return false;
  if (tier_state(source).tier->capabilities().local_memory) return false;
  const WriteBack policy = wanted.value_or(options_.write_back);
  return policy == WriteBack::kAlways || (policy == WriteBack::kSecondTouch && blocks_[block].asked);
}

// Keeps a loaded buffer in L1, unless another copy of the block is there already. Returns what L1 holds.
Buffer* StorageManager::adopt(Buffer* buffer) {
  if (buffer->resident) return buffer;
  if (Buffer* resident = l1_->find(buffer->block)) {
    TERRACE_PROBE("store.loaded_beside_a_copy");
    return resident;
  }
  const bool removed = buffer->removals != blocks_[buffer->block].removals;
  if ((removed && !TERRACE_MUTANT("store.keep_removed_block")) || closed_.load()) return nullptr;
  if (!l1_->may_keep(buffer)) return nullptr;
  l1_->publish(buffer, use_times(1));
  return buffer;
}

// A copy of L1 is verified now and then: memory fails too, and clients of a later server can err.
bool StorageManager::sample_verification(Buffer* buffer) {
  if (!buffer->summed || options_.l1.verify == VerifyL1::kOff) return false;
  return options_.l1.verify == VerifyL1::kAlways || ++buffer->hits % 64 == 0;
}

std::shared_ptr<GetFlow> StorageManager::make_get(std::span<const Key> keys, const GetOptions& options,
                                                  const Notify& notify) {
  auto get = std::make_shared<GetFlow>();
  get->manager = shared_from_this();
  get->items.resize(keys.size());
  get->keys.assign(keys.begin(), keys.end());
  get->write_back = options.write_back;
  get->ticket = prefetch_of(options);
  get->notify = notify;
  get->deadline = deadline_of(options.timeout);
  return get;
}

// Looks keys up a few at a time, so that other engines get the mutex in between.
void StorageManager::begin_get(const std::shared_ptr<GetFlow>& get) {
  constexpr size_t kSlice = 32;
  Start start;
  std::vector<size_t> to_verify;
  bool whole = false;  // all were looked up, or the first hole was met
  for (size_t i = 0; !whole;) {
    {
      Lock lock(mutex_);
      if (get->finished) {  // cancelled meanwhile
        TERRACE_PROBE("store.get_cancelled_while_it_looks");
        break;
      }
      if (i == 0) ++get->pending;  // until all were looked up
      for (const size_t end = i + kSlice; i < end && !whole; ++i) {
        whole = i == get->items.size() || !begin_item(get, i, start, to_verify);
      }
      if (whole && --get->pending == 0) finish_get(*get);
    }
    issue(start);
  }
  if (!to_verify.empty()) {
    executor_.post([self = shared_from_this(), get, to_verify] {
      for (const size_t index : to_verify) self->verify_resident(get, index);
    });
  }
  if (!get->event.is_set()) {
    const base::TimerId timer =
        executor_.post_at(get->deadline, [weak = std::weak_ptr(get), self = shared_from_this()] {
          const auto running = weak.lock();
          if (running == nullptr) return;
          Start given_up;
          {
            Lock lock(self->mutex_);
            if (TERRACE_MUTANT("store.ignore_get_deadline")) return;
            self->end_get(*running, MissReason::kDeadline, given_up);
          }
          self->issue(given_up);
        });
    Lock lock(mutex_);
    if (get->finished) {
      executor_.cancel(timer);
    } else {
      get->timer = timer;
    }
  }
}

// False when the key is a hole: what follows is behind it.
bool StorageManager::begin_item(const std::shared_ptr<GetFlow>& get, size_t index, Start& start,
                                std::vector<size_t>& to_verify) {
  using Phase = GetFlow::Phase;
  auto& item = get->items[index];
  Found found = locate(get->keys[index], item.block, true, get->scope.get());
  if (Buffer* held = held_by(get->ticket.get(), get->keys[index], index)) {
    TERRACE_PROBE("store.get_by_ticket");
    found = {held, 0, MissReason::kNone};
  }
  item.reason = found.reason;
  if (found.buffer != nullptr) {
    l1_->ref(found.buffer);
    take_hold(found.buffer);
    item.buffer = found.buffer;
    item.phase = Phase::kReady;
    if (sample_verification(found.buffer)) {
      item.asked_of = kL1;
      item.phase = Phase::kVerifying;
      ++get->pending;
      to_verify.push_back(index);
    }
  } else if (found.tier != 0) {
    item.reason = load(item.block, found.tier, io::IoClass::kLoad, get, index, start);
    if (item.reason == MissReason::kNone) {
      item.phase = Phase::kLoading;
      item.asked_of = static_cast<uint16_t>(found.tier);
      ++get->pending;
    }
  }
  return item.reason == MissReason::kNone;
}

// On the executor: a hit that the sample chose.
void StorageManager::verify_resident(const std::shared_ptr<GetFlow>& get, size_t index) {
  auto& item = get->items[index];
  Buffer* buffer = nullptr;
  {
    Lock lock(mutex_);
    if (get->finished || item.phase != GetFlow::Phase::kVerifying) {
      TERRACE_PROBE("store.verification_too_late");
      return;
    }
    buffer = item.buffer;
    l1_->ref(buffer);
  }
  const record::PartSums expected = record::sums_in(buffer->header());
  record::PartSums actual;
  record::sum_parts(buffer->meta.key, buffer->payload(), actual);
  const bool right =
      expected.count == actual.count &&
      std::equal(expected.sums.begin(), expected.sums.begin() + expected.count, actual.sums.begin());
  Lock lock(mutex_);
  if (!right) {
    ++l1_counts_.verification_failures;
    history_.note(buffer->meta.key, MissReason::kDamaged);
    if (buffer->resident) l1_->drop(buffer->block);
  }
  if (!get->finished && item.phase == GetFlow::Phase::kVerifying) {
    item.phase = right ? GetFlow::Phase::kReady : GetFlow::Phase::kMissed;
    if (!right) {
      item.reason = MissReason::kDamaged;
      item.buffer = nullptr;
      l1_->unref(buffer);
    }
    if (--get->pending == 0) finish_get(*get);
  }
  l1_->unref(buffer);
}

// All have answered, or the deadline has: the contiguous prefix is the result, the rest is given back (R3,
// R8).
void StorageManager::finish_get(GetFlow& get) {
  using Phase = GetFlow::Phase;
  get.finished = true;
  if (get.timer != 0) executor_.cancel(get.timer);
  size_t prefix = 0;
  while (prefix < get.items.size() && get.items[prefix].phase == Phase::kReady) ++prefix;

  std::vector<BlockView> views;
  std::vector<MissReason> reasons;
  const auto lease = prefix == 0 ? nullptr : std::make_shared<LeasedBlocks>(shared_from_this());
  views.reserve(prefix);
  reasons.reserve(get.items.size() - prefix);
  if (lease != nullptr) lease->buffers.reserve(prefix);
  const uint64_t time = use_times(prefix + 1);
  begin_uses(get.keys, {}, time);
  for (size_t i = 0; i < get.items.size(); ++i) {
    auto& item = get.items[i];
    Buffer* buffer = std::exchange(item.buffer, nullptr);
    if (i >= prefix) {
      if (buffer != nullptr) {
        TERRACE_PROBE("store.arrived_behind_the_hole");
        l1_->unref(buffer);
      }
      if (i == prefix && item.reason == MissReason::kNone) item.reason = MissReason::kDeadline;
      reasons.push_back(i == prefix ? item.reason : MissReason::kBehindHole);
      continue;
    }
    if (keep(item.source, buffer->block, get.write_back)) adopt(buffer);
    touch_all(buffer->block, time - i);  // the head warmest, the tail coldest (E1)
    if (writes_on_hit_ && buffer->resident) queue_writes(buffer, policy::StoreMoment::kSeenAgain, nullptr);
    count_delivered(buffer->block, item.source);
    views.push_back({get.keys[i], buffer->payload(), item.source});
    lease->buffers.push_back(buffer);
  }
  leased_ += prefix;
  if (prefix < get.items.size()) {
    count_missed(std::span(get.keys).subspan(prefix), reasons, get.items[prefix].asked_of);
  }
  get.blocks = surface::Access::blocks(std::move(views), std::move(reasons), lease);
  get.ticket = nullptr;
  executor_.signal(get.event);  // before whoever is told of it looks
  TERRACE_SYNC_POINT("store.get_result_there");
  Completion event;
  event.kind = EventKind::kResult;
  if (!TERRACE_MUTANT("store.forget_result_event")) post_event(get.notify, event);
  check_watermarks();
}

void StorageManager::end_get(GetFlow& get, MissReason reason, Start& start) {
  using Phase = GetFlow::Phase;
  if (get.finished) return;
  for (auto& item : get.items) {
    if (item.phase == Phase::kLoading) leave_load(item.block, &get, start);
    if (item.phase == Phase::kLoading || item.phase == Phase::kVerifying) {
      item.phase = Phase::kMissed;
      item.reason = reason;
    }
  }
  // Ended before all were looked at.
  const auto next = std::ranges::find_if(get.items, [](const auto& item) {
    return item.phase == Phase::kMissed && item.reason == MissReason::kBehindHole;
  });
  if (next != get.items.end()) {
    TERRACE_PROBE("store.get_ended_before_all_were_looked_at");
    next->reason = reason;
  }
  get.pending = 0;
  finish_get(get);
}

Result<Blocks> StorageManager::get(std::span<const Key> keys, const GetOptions& options) {
  if (auto ok = check_into_arena(keys.size()); !ok) return std::unexpected(ok.error());
  const auto get = make_get(keys, options, {});
  begin_get(get);
  // The flow's own timer ends it at the deadline; this bound is for an executor that is gone.
  if (!executor_.wait(get->event, base::kForever)) cancel(get);
  auto blocks = take(get);
  if (!blocks) return fail(Code::kInternal, "a finished get has no result");
  return std::move(*blocks);
}

Result<GetOperation> StorageManager::get_async(std::span<const Key> keys, const GetOptions& options,
                                               const Notify& notify, const ScopePtr& scope) {
  if (auto ok = check_into_arena(keys.size()); !ok) return std::unexpected(ok.error());
  const auto get = make_get(keys, options, notify);
  get->scope = scope;
  // What L1 holds is answered here; loads are begun on the executor, so that submitting costs the engine no
  // more than the look at the index (P6).
  std::vector<TierMask> where;
  if (index_.prefix(keys, tier_bit(kL1), where) == keys.size() && mode_ == L1Mode::kCache) {
    TERRACE_PROBE("store.get_begun_in_its_submit");
    begin_get(get);
  } else {
    executor_.post([self = shared_from_this(), get] { self->begin_get(get); });
  }
  return surface::Access::running<GetOperation>(get);
}

bool StorageManager::wait(GetFlow& get) {
  return executor_.wait(get.event, base::kForever);
}

void StorageManager::cancel(const std::shared_ptr<GetFlow>& state) {
  Start start;
  {
    Lock lock(mutex_);
    end_get(*state, MissReason::kCancelled, start);
  }
  issue(start);
}

std::optional<Blocks> StorageManager::take(const std::shared_ptr<GetFlow>& state) {
  Lock lock(mutex_);
  if (!state->finished) return std::nullopt;
  return std::exchange(state->blocks, std::nullopt);
}

void StorageManager::release(std::span<Buffer* const> buffers) {
  Lock lock(mutex_);
  // A closed store's bytes go with its memory; a server's clients may read them until they let go.
  const bool closed = closed_.load();
  for (Buffer* buffer : buffers) {
    if (closed) buffer->erase = false;
    if (!TERRACE_MUTANT("store.leak_lease")) l1_->unref(buffer);
  }
  leased_ -= std::min<uint64_t>(leased_, buffers.size());
  progress_made();
}

void GetFlow::loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason)
    TERRACE_THREAD(no_thread_safety_analysis) {
  Item& item = items[index];
  item.phase = buffer != nullptr ? Phase::kReady : Phase::kMissed;
  item.buffer = buffer;
  item.source = source;
  item.reason = reason;
  if (--pending == 0) manager->finish_get(*this);
}

}  // namespace terrace::store
