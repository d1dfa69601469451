// Prefetch (R7): blocks come into L1 ahead of their use, within a bound of bytes in flight, requests in
// order; the ticket leases what arrived until a get takes it or it is let go.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

using Phase = PrefetchFlow::Phase;

Result<PrefetchTicket> StorageManager::prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                                const Notify& notify, const ScopePtr& scope) {
  if (auto ok = check_into_arena(keys.size()); !ok) return std::unexpected(ok.error());
  auto prefetch = std::make_shared<PrefetchFlow>();
  prefetch->manager = shared_from_this();
  prefetch->items.resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) prefetch->items[i].key = keys[i];
  prefetch->policy = options.policy.value_or(options_.prefetch_policy);
  prefetch->write_back = options.write_back;
  prefetch->notify = notify;
  prefetch->scope = scope;
  {
    Lock lock(mutex_);
    prefetches_.push_back(prefetch);
    post_advance();  // loads are begun on the executor (P6)
  }
  return surface::Access::running<PrefetchTicket>(prefetch);
}

void StorageManager::post_advance() {
  if (advance_posted_) return;
  advance_posted_ = true;
  executor_.post([self = shared_from_this()] {
    Start start;
    {
      Lock lock(self->mutex_);
      self->advance_posted_ = false;
      self->advance_prefetches(start);
    }
    self->issue(start);
  });
}

void StorageManager::advance_prefetches(Start& start) {
  while (!prefetches_.empty()) {
    const auto front = prefetches_.front();
    advance(front, start);
    if (front->next < front->items.size()) return;  // out of credit: it and those behind it wait
    prefetches_.pop_front();
  }
}

// Asks for as many further blocks as the credit allows.
void StorageManager::advance(const std::shared_ptr<PrefetchFlow>& prefetch, Start& start) {
  auto& items = prefetch->items;
  while (prefetch->next < items.size() && !prefetch->ended) {
    const size_t index = prefetch->next;
    auto& item = items[index];
    BlockId block = kNoBlock;
    const Found found = locate(item.key, block, true, prefetch->scope.get());
    if (found.buffer != nullptr) {
      l1_->ref(found.buffer);
      item.buffer = found.buffer;
      item.phase = Phase::kReady;
    } else if (found.tier != 0) {
      const Residency& residency = *tier_state(found.tier).residency;
      const uint64_t bytes = residency[residency.find(block)].payload_bytes;
      if (prefetch_bytes_ > 0 && prefetch_bytes_ + bytes > prefetch_credit_max_) {
        TERRACE_PROBE("store.prefetch_waits_for_credit");
        break;
      }
      if (load(block, found.tier, io::IoClass::kPrefetch, prefetch, index, start) == MissReason::kNone) {
        item.bytes = bytes;
        item.phase = Phase::kLoading;
        prefetch_bytes_ += bytes;
        ++prefetch->loading;
      } else {
        item.phase = Phase::kGone;
      }
    } else {
      item.phase = Phase::kGone;
    }
    ++prefetch->next;
    if (item.phase == Phase::kGone) {  // what is behind the hole is of no use
      for (; prefetch->next < items.size(); ++prefetch->next) items[prefetch->next].phase = Phase::kGone;
    }
  }
  arrived(*prefetch);
}

// Keeps the validated contiguous part, ends the prefetch when all have answered.
void StorageManager::arrived(PrefetchFlow& prefetch) {
  auto& items = prefetch.items;
  for (; prefetch.validated < items.size() && items[prefetch.validated].phase == Phase::kReady;
       ++prefetch.validated) {
    auto& item = items[prefetch.validated];
    const Key parent = prefetch.validated == 0 ? Key{} : items[prefetch.validated - 1].key;
    begin_uses(std::span(&item.key, 1), parent, use_times(1));
    ++prefetch.arrived;
    const bool retained = prefetch.policy == PrefetchPolicy::kRetain &&
                          keep(item.source, item.buffer->block, prefetch.write_back);
    const bool was_resident = item.buffer->resident;
    blocks_[item.buffer->block].asked = true;
    // A buffer L1 holds already is found there; so is this one, even if only for as long as the ticket leases
    // it. In staging only the ticket's owner finds it (M2).
    if (mode_ == L1Mode::kCache && adopt(item.buffer) == item.buffer && !was_resident) {
      TERRACE_PROBE("store.prefetched_block_kept");
      item.buffer->temporary = !retained;
    }
    if (item.buffer->ticket == nullptr) {
      item.buffer->ticket = &prefetch;
      item.buffer->ticket_index = prefetch.validated;
    }
  }
  if (prefetch.ended || prefetch.loading > 0 || prefetch.next < items.size()) return;
  end_prefetch(prefetch);
}

void StorageManager::end_prefetch(PrefetchFlow& prefetch) {
  prefetch.ended = true;
  auto& items = prefetch.items;
  for (size_t i = prefetch.validated; i < items.size(); ++i) {
    if (Buffer* buffer = std::exchange(items[i].buffer, nullptr)) l1_->unref(buffer);
    items[i].phase = Phase::kGone;
  }
  prefetch.failed = items.size() - prefetch.arrived;
  Completion event;
  event.kind = EventKind::kResult;
  post_event(prefetch.notify, event);
  if (prefetch.arrived == 0 || prefetch.cancelled) return;
  const auto release_at = base::after(clock_.now(), options_.prefetch_hold);
  prefetch.hold_timer =
      executor_.post_at(release_at, [weak = prefetch.weak_from_this(), self = shared_from_this()] {
        if (const auto held = weak.lock()) {
          TERRACE_PROBE("store.prefetched_for_nobody");
          self->release(held);
        }
      });
}

Buffer* StorageManager::held_by(PrefetchFlow* ticket, const Key& key, size_t hint) const {
  if (ticket == nullptr) return nullptr;
  const auto& items = ticket->items;
  const bool hinted = hint < items.size() && items[hint].key == key;
  const auto found = hinted ? items.begin() + static_cast<int64_t>(hint)
                            : std::ranges::find(items, key, &PrefetchFlow::Item::key);
  if (found == items.end() || found->buffer == nullptr) return nullptr;
  // What was removed meanwhile is leased still, and found no more (D1).
  const Buffer& buffer = *found->buffer;
  const bool removed = buffer.removals != blocks_[buffer.block].removals;
  return removed && !TERRACE_MUTANT("store.ticket_finds_removed") ? nullptr : found->buffer;
}

// A ticket of another store brought nothing here.
std::shared_ptr<PrefetchFlow> StorageManager::prefetch_of(const GetOptions& options) const {
  if (options.ticket == nullptr) return nullptr;
  auto prefetch = std::dynamic_pointer_cast<PrefetchFlow>(surface::Access::state_of(*options.ticket));
  return prefetch != nullptr && prefetch->manager.get() == this ? prefetch : nullptr;
}

// A get takes the block over from the ticket.
void StorageManager::take_hold(Buffer* buffer) {
  PrefetchFlow* ticket = std::exchange(buffer->ticket, nullptr);
  if (ticket == nullptr) return;
  auto& item = ticket->items[buffer->ticket_index];
  TERRACE_ASSERT(item.buffer == buffer);
  item.buffer = nullptr;
  l1_->unref(buffer);  // the get holds its own reference
}

void StorageManager::drop_holds(PrefetchFlow& prefetch) {
  for (auto& item : prefetch.items) {
    Buffer* buffer = std::exchange(item.buffer, nullptr);
    if (buffer == nullptr) continue;
    if (buffer->ticket == &prefetch) buffer->ticket = nullptr;
    l1_->unref(buffer);
  }
  if (prefetch.hold_timer != 0) executor_.cancel(std::exchange(prefetch.hold_timer, 0));
}

void StorageManager::release(const std::shared_ptr<PrefetchFlow>& state) {
  Lock lock(mutex_);
  drop_holds(*state);
  progress_made();
}

void StorageManager::cancel(const std::shared_ptr<PrefetchFlow>& state) {
  Start start;
  {
    Lock lock(mutex_);
    state->cancelled = true;
    if (!state->ended) {
      for (auto& item : state->items) {
        if (item.phase != Phase::kLoading) continue;
        TERRACE_PROBE("store.prefetch_cancelled_while_it_loads");
        leave_load(blocks_.find(item.key), state.get(), start);
        if (TERRACE_MUTANT("store.leak_prefetch_credit")) continue;
        prefetch_bytes_ -= item.bytes;
        item.phase = Phase::kGone;
      }
      state->loading = 0;
      state->next = state->items.size();
      end_prefetch(*state);
      std::erase(prefetches_, state);
      post_advance();
    }
    drop_holds(*state);
    progress_made();
  }
  issue(start);
}

PrefetchTicket::Progress StorageManager::progress(const PrefetchFlow& state) const {
  Lock lock(mutex_);
  return {state.items.size(), state.arrived, state.failed, state.ended};
}

void PrefetchFlow::loaded(size_t index, Buffer* buffer, uint16_t from, MissReason)
    TERRACE_THREAD(no_thread_safety_analysis) {
  Item& item = items[index];
  item.source = from;
  item.buffer = buffer;
  item.phase = buffer != nullptr ? Phase::kReady : Phase::kGone;
  manager->prefetch_bytes_ -= item.bytes;
  --loading;
  if (buffer == nullptr) {  // nothing behind it will be asked for
    for (; next < items.size(); ++next) items[next].phase = Phase::kGone;
  }
  manager->arrived(*this);
  manager->post_advance();
}

}  // namespace terrace::store
