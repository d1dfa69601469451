// remove and clear (D1): gone from every lookup at once, and after kill -9 once acknowledged.
#include <algorithm>

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

// Takes the blocks out of every tier; what is on its way never becomes visible. Fills the tiers' own
// removals. Until those have ended no tier is given the blocks anew: one that names records by key would keep
// the old record for the new one, and a get could bring it back into L1.
uint64_t StorageManager::take_out(Removal& removal, bool erase) {
  uint64_t found = 0;
  ++removals_begun_;
  removal.undoings_failed = undoings_failed_;
  removal.operations.resize(tiers_.size());
  for (const BlockId block : removal.blocks) {
    if ((blocks_[block].mask & ~kInFlightBit) != 0) ++found;
    ++blocks_[block].removals;
    ++blocks_[block].removing;
    if (Buffer* buffer = l1_->find(block)) {
      buffer->erase = erase;
      l1_->drop(block);
    }
    for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
      if (WriteFlow* flow = writing(block, tier)) {
        flow->removed = !TERRACE_MUTANT("store.remove_misses_writes");
        removal.writes.emplace_back(block, tier);
        if (const auto before = std::exchange(flow->before, std::nullopt)) {
          removal.operations[tier - 1].push_back(
              {blocks_[block].key, before->where.place, before->meta.payload_bytes});
        }
      }
      TierState& state = tier_state(tier);
      const ResidenceId id = state.residency->find(block);
      if (id == kNoResidence) continue;
      const Residence& residence = (*state.residency)[id];
      removal.operations[tier - 1].push_back({blocks_[block].key, residence.place, residence.payload_bytes});
      state.residency->erase(block);
    }
    history_.note(blocks_[block].key, MissReason::kRemoved);
  }
  for (const BlockId block : removal.blocks) end_load(block, removal.left);
  TERRACE_CRASH_POINT("store.removal_taken");
  return found;
}

namespace {

// Counts answers of tiers down and wakes the waiter at the last.
class Answers {
 public:
  explicit Answers(base::Executor& executor) : executor_(executor) {}
  tier::Done expect(const std::shared_ptr<Answers>& self) {
    ++left_;
    return [self](Result<void> result) {
      if (!result && !TERRACE_MUTANT("store.ignore_failed_removal")) self->failed_ = true;
      self->one_less();
    };
  }
  bool wait() {
    one_less();  // the waiter's own
    executor_.wait(event_, base::kForever);
    return !failed_;
  }

 private:
  void one_less() {
    if (left_.fetch_sub(1) == 1) executor_.signal(event_);
  }
  base::Executor& executor_;
  std::atomic<size_t> left_{1};
  std::atomic<bool> failed_{false};
  base::Event event_;
};

}  // namespace

Result<void> StorageManager::run_removal(const Removal& removal, bool erase, bool sync) {
  auto lasting = make_lasting(removal, erase, sync);
  Lock lock(mutex_);
  for (const BlockId block : removal.blocks) {
    --blocks_[block].removing;
    blocks_.release(block);
  }
  return lasting;
}

Result<void> StorageManager::make_lasting(const Removal& removal, bool erase, bool sync) {
  const auto tiers = tier_pointers();
  auto answers = std::make_shared<Answers>(executor_);
  for (size_t i = 0; i < tiers.size(); ++i) {
    // Also without any: a tier may still hold, on its medium, what was evicted from it before.
    const auto kind = erase ? tier::RemoveKind::kErase : tier::RemoveKind::kRemove;
    tiers[i]->remove(removal.operations[i], kind, answers->expect(answers));
  }
  TERRACE_SYNC_POINT("store.removal_asked");
  bool lasting = answers->wait();
  TERRACE_CRASH_POINT("store.removal_answered");
  // Writes that were under way are undone when they end; only then is it true that nothing comes back.
  const auto deadline = base::after(clock_.now(), 2 * options_.operation_timeout);
  for (;;) {
    const uint64_t mark = progress();
    if (TERRACE_MUTANT("store.remove_answers_early") || !any_running(removal.writes)) break;
    if (!wait_progress(mark, deadline)) {
      TERRACE_PROBE("store.write_outlives_its_removal");
      return fail(Code::kDeadline, "a write under way did not end in time");
    }
  }
  {
    // Of another removal's write, perhaps: nobody is told that a removal lasts which may not.
    Lock lock(mutex_);
    lasting = lasting && removal.undoings_failed == undoings_failed_;
  }
  if (sync) {
    answers = std::make_shared<Answers>(executor_);
    for (tier::Tier* tier : tiers) tier->sync(answers->expect(answers));
    lasting = answers->wait() && lasting;
    TERRACE_CRASH_POINT("store.clear_synced");
  }
  if (!lasting) {
    TERRACE_PROBE("store.removal_did_not_last");
    return fail(Code::kIo, "a tier could not make the removal last");
  }
  return {};
}

// What recovery has yet to announce can be removed only then.
Result<void> StorageManager::await_recovery() {
  if (wait_recovered(2 * options_.operation_timeout)) return {};
  return fail(Code::kDeadline, "the tiers are still recovering: nothing was removed");
}

bool StorageManager::any_running(std::span<const std::pair<BlockId, uint32_t>> writes) const {
  Lock lock(mutex_);
  return std::ranges::any_of(writes, [this](const auto& write) TERRACE_THREAD(no_thread_safety_analysis) {
    const WriteFlow* flow = writing(write.first, write.second);
    return flow != nullptr;
  });
}

Result<uint64_t> StorageManager::remove(std::span<const Key> keys, bool erase, const ScopePtr& scope) {
  if (auto ok = check_batch(keys.size()); !ok) return std::unexpected(ok.error());
  if (auto ok = await_recovery(); !ok) return std::unexpected(ok.error());
  Removal removal;
  uint64_t found = 0;
  {
    Lock lock(mutex_);
    const bool shares = std::ranges::any_of(tiers_, &TierState::shared);
    boost::unordered_flat_set<Key, KeyHash> named;
    for (const Key& key : keys) {
      const BlockId block = blocks_.find(key);
      // A shared tier may hold what this process never saw.
      const bool meant = block == kNoBlock ? shares : may_see(scope.get(), block);
      if (meant && named.insert(key).second) removal.blocks.push_back(blocks_.acquire(key));
    }
    found = take_out(removal, erase);
    for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
      if (!tier_state(tier).shared) continue;
      for (const Key& key : named) removal.operations[tier - 1].push_back({key, 0, 0});
    }
    progress_made();
  }
  if (auto ok = run_removal(removal, erase, false); !ok) return std::unexpected(ok.error());
  return found;
}

Result<uint64_t> StorageManager::clear(const ClearScope& scope) {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (!scope.all && !scope.root && !scope.tenant_salt) {
    return fail(Code::kInvalidArgument, "clear needs a scope: root, tenant_salt or all");
  }
  if (auto ok = await_recovery(); !ok) return std::unexpected(ok.error());
  const std::string tenant = scope.tenant_salt ? tenant_name(*scope.tenant_salt) : "";
  Removal removal;
  uint64_t found = 0;
  {
    Lock lock(mutex_);
    for (BlockId block = 0; block < blocks_.capacity(); ++block) {
      // Also what no tier holds any more: a prefetch's ticket may lease it still.
      if (blocks_[block].refs == 0) continue;
      const auto& known = namespaces_[blocks_[block].name_space];
      const bool meant = scope.all || (scope.root && known.root == *scope.root) ||
                         (scope.tenant_salt && known.fields.tenant_salt == tenant);
      if (!meant) continue;
      blocks_.add_ref(block);
      removal.blocks.push_back(block);
    }
    found = take_out(removal, scope.erase);
    progress_made();
  }
  if (auto ok = run_removal(removal, scope.erase, true); !ok) return std::unexpected(ok.error());
  return found;
}

}  // namespace terrace::store
