// lookup_async (Q1): asks the tiers that others write too, one batched question each, and keeps what they
// say: what is there in their residency, what is not in their absence.
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {
constexpr uint64_t kPresenceMax = 1 << 20;  // blocks of one shared tier that are remembered
}

Result<LookupOperation> StorageManager::lookup_async(std::span<const Key> keys, Timeout timeout,
                                                     const Notify& notify, const ScopePtr& scope) {
  auto known = lookup(keys, false, scope);
  if (!known) return std::unexpected(known.error());
  auto state = std::make_shared<LookupFlow>();
  state->manager = shared_from_this();
  state->keys.assign(keys.begin(), keys.end());
  state->notify = notify;
  state->scope = scope;
  const auto now = clock_.now();
  const auto deadline = base::after(now, timeout == kDefaultTimeout ? options_.lookup_timeout : timeout);
  std::vector<std::pair<uint32_t, std::vector<size_t>>> questions;
  {
    Lock lock(mutex_);
    for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
      const TierState& peer = tier_state(tier);
      if (!peer.shared || is_drained(tier) || !peer.tier->available(0)) continue;
      std::vector<size_t> ask;
      for (size_t i = known->found; i < keys.size(); ++i) {
        const BlockId block = blocks_.find(keys[i]);
        const bool there = block != kNoBlock && peer.residency->find(block) != kNoResidence;
        if (!there && !peer.absence.holds(keys[i], now)) ask.push_back(i);
      }
      if (!ask.empty()) questions.emplace_back(tier, std::move(ask));
    }
    state->unanswered = questions.size();
    state->removals_begun = removals_begun_;
  }
  auto operation = surface::Access::running<LookupOperation>(state);
  if (questions.empty()) {
    end_lookup(state);
    return operation;
  }
  const base::TimerId timer =
      executor_.post_at(deadline, [self = shared_from_this(), state] { self->end_lookup(state); });
  {
    Lock lock(mutex_);
    state->timer = timer;
  }
  const auto tiers = tier_pointers();
  for (auto& [tier, asked] : questions) {
    std::vector<Key> question;
    for (const size_t i : asked) question.push_back(keys[i]);
    tiers[tier - 1]->exists(
        question, deadline,
        [self = shared_from_this(), state, tier,
         which = std::move(asked)](Result<std::vector<uint64_t>> lengths) mutable {
          self->executor_.post([self, state, tier, which = std::move(which), lengths = std::move(lengths)] {
            self->present_elsewhere(tier, state, which, lengths);
          });
        });
  }
  return operation;
}

// A tier answered. Late answers teach too.
void StorageManager::present_elsewhere(uint32_t tier, const std::shared_ptr<LookupFlow>& lookup,
                                       std::span<const size_t> asked,
                                       const Result<std::vector<uint64_t>>& lengths) {
  bool last = false;
  {
    Lock lock(mutex_);
    TierState& state = tier_state(tier);
    const auto until = base::after(clock_.now(), options_.negative_presence);
    const uint64_t time = use_times(asked.size() + 1);
    for (size_t n = 0; lengths && n < asked.size() && n < lengths->size(); ++n) {
      const size_t i = asked[n];
      if ((*lengths)[n] == 0) {
        state.absence.note(lookup->keys[i], until);
        continue;
      }
      // It may have been there before a removal that has been acknowledged since (D1).
      if (lookup->removals_begun != removals_begun_) continue;
      const BlockId block = blocks_.acquire(lookup->keys[i]);
      const bool removing = blocks_[block].removing > 0;
      if (state.residency->find(block) == kNoResidence && writing(block, tier) == nullptr && !removing &&
          !closed_.load()) {
        if (state.residency->blocks() >= kPresenceMax) {
          if (const auto leaf = state.residency->coldest_leaf()) state.residency->erase(*leaf);
        }
        if (i > 0) blocks_.set_parent(block, lookup->keys[i - 1]);
        state.residency->insert(block, (*lengths)[n], 0, 0, tier::kNoSegment, time - n);
        state.absence.forget(lookup->keys[i]);
      }
      blocks_.release(block);
    }
    last = --lookup->unanswered == 0;
  }
  if (last) end_lookup(lookup);
}

void StorageManager::end_lookup(const std::shared_ptr<LookupFlow>& lookup) {
  {
    Lock lock(mutex_);
    if (std::exchange(lookup->ended, true)) return;
    if (lookup->timer != 0) executor_.cancel(lookup->timer);
  }
  auto found = this->lookup(lookup->keys, false, lookup->scope);
  lookup->result = found ? std::move(*found) : LookupResult{};
  if (!found) lookup->result->reasons.assign(lookup->keys.size(), MissReason::kCancelled);
  executor_.signal(lookup->event);
  Completion event;
  event.kind = EventKind::kResult;
  Lock lock(mutex_);
  post_event(lookup->notify, event);
}

void StorageManager::cancel(const std::shared_ptr<LookupFlow>& state) {
  end_lookup(state);
}

}  // namespace terrace::store
