// One block from a tier into the arena, shared by everyone who wants it (R2), verified as it arrives (R6).
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

void ArrivalVerifier::arrived(uint64_t offset, uint64_t bytes) {
  if (!result_) return;
  if (!header_arrived_ && offset < record::kHeaderBytes) {
    header_arrived_ = true;
    result_ = verifier_.header(header_);
    if (result_ && offset + bytes > record::kHeaderBytes) {
      verify({record::kHeaderBytes, offset + bytes - record::kHeaderBytes});
    }
    for (const Range& range : early_) verify(range);
    early_.clear();
    return;
  }
  if (header_arrived_) {
    verify({offset, bytes});
  } else {
    TERRACE_PROBE("store.part_before_its_header");
    early_.push_back({offset, bytes});
  }
}

// The range covers whole parts: tiers end their ranges at part boundaries (tier.h).
void ArrivalVerifier::verify(Range range) {
  if (!result_) return;
  const uint64_t part = record::part_bytes(payload_.size());
  const uint64_t first = range.offset - record::kHeaderBytes;
  const uint64_t end = std::min<uint64_t>(first + range.bytes, payload_.size());
  if (end == payload_.size() && !tail_.empty()) {
    std::ranges::copy(tail_, payload_.end() - static_cast<std::ptrdiff_t>(tail_.size()));
  }
  for (uint64_t begin = first; begin < end && result_; begin += part) {
    const auto index = static_cast<uint32_t>(begin / part);
    result_ = verifier_.part(index, payload_.subspan(begin, std::min(part, end - begin)));
  }
}

Result<void> ArrivalVerifier::outcome(Result<void> transferred) const {
  if (!transferred || !result_) return transferred ? result_ : transferred;
  if (!verifier_.complete()) return fail(Code::kCorrupt, "the tier delivered less than the record");
  return {};
}

class StorageManager::LoadSink final : public tier::ReadSink {
 public:
  LoadSink(std::shared_ptr<StorageManager> manager, std::shared_ptr<Load> load,
           const record::Verifier& verifier)
      : manager_(std::move(manager)),
        load_(std::move(load)),
        verifier_(verifier, load_->buffer->header(), load_->buffer->payload()) {}

  void arrived(uint64_t offset, uint64_t bytes) override { verifier_.arrived(offset, bytes); }

  void done(Result<void> result) override;

 private:
  std::shared_ptr<StorageManager> manager_;
  std::shared_ptr<Load> load_;
  ArrivalVerifier verifier_;
};

void StorageManager::LoadSink::done(Result<void> result) {
  if (!TERRACE_MUTANT("store.trust_loads")) result = verifier_.outcome(result);
  if (result) load_->buffer->meta = verifier_.meta();
  manager_->executor_.post([manager = std::move(manager_), load = std::move(load_), result] {
    manager->finish_load(load, result);
  });
}

// Joins the running load of the block or begins one. Returns why not, or kNone: then the waiter will be told.
MissReason StorageManager::load(BlockId block, uint32_t tier, io::IoClass io_class,
                                std::shared_ptr<LoadWaiter> waiter, size_t index, Start& start) {
  if (const auto it = loads_.find(block); it != loads_.end()) {
    TERRACE_ASSERT(it->second->buffer->removals == blocks_[block].removals);  // end_load
    TERRACE_PROBE("store.load_joined");
    it->second->waiters.push_back({std::move(waiter), index});
    return MissReason::kNone;
  }
  Residency& residency = *tier_state(tier).residency;
  const ResidenceId id = residency.find(block);
  // Making room must not evict what is about to be read.
  residency.pin(id);
  record::BlockMeta meta;
  meta.key = blocks_[block].key;
  meta.payload_bytes = residency[id].payload_bytes;
  Buffer* buffer = l1_->allocate_load(meta);
  if (buffer == nullptr) {
    TERRACE_PROBE("store.no_room_for_a_load");
    residency.unpin(id);
    return MissReason::kNoRoom;
  }
  auto load = std::make_shared<Load>();
  load->block = block;
  load->tier = tier;
  load->buffer = buffer;
  load->residence = id;
  load->generation = residency[id].generation;
  load->place = residency[id].place;
  load->io_class = io_class;
  load->begun = clock_.now();
  load->deadline = base::after(load->begun, options_.operation_timeout);
  load->waiters.push_back({std::move(waiter), index});
  loads_.emplace(block, load);
  ++loads_running_;
  start.loads.push_back(std::move(load));
  return MissReason::kNone;
}

void StorageManager::issue(Start& start) {
  if (start.loads.empty() && start.direct.empty() && start.cancels.empty() && start.left.empty()) return;
  const auto tiers = tier_pointers();
  for (const auto& load : start.loads) {
    tier::Tier& tier = *tiers[load->tier - 1];
    const record::BlockMeta& meta = load->buffer->meta;
    const Key key = meta.key;
    tier::ReadOp op;
    op.key = key;
    op.place = load->place;
    op.payload_bytes = meta.payload_bytes;
    op.record[0] = {load->buffer->slot_bytes.data(), record::record_bytes(meta.payload_bytes)};
    op.io_class = load->io_class;
    op.deadline = load->deadline;
    op.sink = std::make_shared<LoadSink>(
        shared_from_this(), load,
        record::Verifier(key, meta.payload_bytes, tier.secret(load->place), tier.binding(key, load->place)));
    const tier::ReadTicket ticket = tier.read(std::move(op));
    TERRACE_SYNC_POINT("store.read_issued");  // a cancel sees the ticket, or we see the cancel
    load->ticket.store(ticket);
    TERRACE_SYNC_POINT("store.ticket_known");
    if (load->cancel_wanted.load() && ticket != 0) {
      TERRACE_PROBE("store.load_cancelled_as_it_began");
      tier.cancel(ticket);
    }
  }
  for (const DirectRead& read : start.direct) issue_direct(read);
  for (const auto& [tier, ticket] : start.cancels) tiers[tier - 1]->cancel(ticket);
  start = {};
}

// `held`: the block was in the tier all the while. Else its place may hold another one's bytes by now.
MissReason StorageManager::reason_of(const Error& error, bool held) {
  if (!held && (error.code == Code::kCorrupt || error.code == Code::kNotFound)) return MissReason::kRemoved;
  switch (error.code) {
    case Code::kCorrupt:
    case Code::kIncompatible:
      return MissReason::kDamaged;
    case Code::kCancelled:
      return MissReason::kCancelled;
    case Code::kUnavailable:
    case Code::kClosed:
      return MissReason::kTierUnavailable;
    default:
      return MissReason::kDeviceError;
  }
}

bool StorageManager::worth_another_read(uint32_t tier, const Result<void>& result) const {
  return !result && result.error().code == Code::kCorrupt && tier_state(tier).shared;
}

MissReason StorageManager::read_failed(BlockId block, uint32_t tier, uint64_t place, const Error& error,
                                       bool held) {
  TierState& state = tier_state(tier);
  if (state.shared && error.code == Code::kNotFound) {  // another process took it away
    forget_damaged(block, tier, place);
    return MissReason::kEvicted;
  }
  const MissReason reason = reason_of(error, held);
  if (reason == MissReason::kDamaged) {
    ++state.counts.verification_failures;
    forget_damaged(block, tier, place);
  } else if (reason != MissReason::kCancelled && reason != MissReason::kRemoved) {
    ++state.counts.load_errors;
  }
  return reason;
}

void StorageManager::finish_load(const std::shared_ptr<Load>& load, Result<void> result) {
  std::vector<Load::Waiting> waiters;  // destroyed after the mutex is released
  Start start;
  {
    Lock lock(mutex_);
    if (!load->again && !load->waiters.empty() && worth_another_read(load->tier, result)) {
      load->again = true;
      start.loads.push_back(load);
    }
  }
  if (!start.loads.empty()) return issue(start);
  {
    Lock lock(mutex_);
    if (const auto it = loads_.find(load->block); it != loads_.end() && it->second == load) loads_.erase(it);
    --loads_running_;
    TierState& state = tier_state(load->tier);
    const bool held = state.residency->holds(load->residence, load->generation);
    if (held) state.residency->unpin(load->residence);
    waiters.swap(load->waiters);
    Buffer* buffer = load->buffer;
    MissReason reason = MissReason::kNone;
    if (result) {
      TERRACE_CRASH_POINT("store.loaded");
      ++state.counts.loads;
      state.counts.load_bytes += buffer->meta.payload_bytes;
      took(state.latencies->reads, load->begun);
      // Of a shared tier's block only the record says which namespace it is of.
      if (blocks_[load->block].name_space == kNoNamespace) {
        belongs_to(load->block, buffer->meta.root);
        join_family(load->block, buffer->meta.family, buffer->meta.member);
      }
      buffer->summed = true;
    } else {
      reason = read_failed(load->block, load->tier, load->place, result.error(), held);
    }
    for (const Load::Waiting& waiting : waiters) {
      const bool seen = !result || covers(waiting.waiter->scope.get(), buffer->meta.root);
      const bool given = result && seen;
      if (given) l1_->ref(buffer);
      waiting.waiter->loaded(waiting.index, given ? buffer : nullptr, static_cast<uint16_t>(load->tier),
                             seen ? reason : MissReason::kUnknown);
    }
    if (!TERRACE_MUTANT("store.leak_loaded_buffer")) l1_->unref(buffer);
    load->buffer = nullptr;
    progress_made();
    check_watermarks();
  }
  issue(start);
}

// The waiter gave up. A load nobody waits for any more is cancelled; late IO keeps its slot until it ends
// (R5).
void StorageManager::leave_load(BlockId block, const LoadWaiter* waiter, Start& start) {
  const auto it = loads_.find(block);
  if (it == loads_.end()) return;
  Load& load = *it->second;
  for (auto& waiting : load.waiters) {
    if (waiting.waiter.get() == waiter) start.left.push_back(std::move(waiting.waiter));
  }
  std::erase_if(load.waiters, [](const Load::Waiting& waiting) { return waiting.waiter == nullptr; });
  if (!load.waiters.empty()) return;
  TERRACE_PROBE("store.load_nobody_waits_for");
  load.cancel_wanted.store(true);
  TERRACE_SYNC_POINT("store.cancel_wanted");
  if (const tier::ReadTicket ticket = load.ticket.load(); ticket != 0)
    start.cancels.emplace_back(load.tier, ticket);
  if (TERRACE_MUTANT("store.join_cancelled_load")) return;
  loads_.erase(it);  // a later request starts a fresh one
}

// What it brings was removed: who waits for it waits in vain, and a later request reads what was stored
// since.
void StorageManager::end_load(BlockId block, std::vector<std::shared_ptr<LoadWaiter>>& left) {
  const auto it = loads_.find(block);
  if (it == loads_.end()) return;
  TERRACE_PROBE("store.load_of_what_is_removed");
  const std::shared_ptr<Load> load = std::move(it->second);
  loads_.erase(it);
  for (Load::Waiting& waiting : std::exchange(load->waiters, {})) {
    waiting.waiter->loaded(waiting.index, nullptr, static_cast<uint16_t>(load->tier), MissReason::kRemoved);
    left.push_back(std::move(waiting.waiter));
  }
}

// R6: on a tier only we write, a record that failed verification is removed.
void StorageManager::forget_damaged(BlockId block, uint32_t tier, uint64_t place) {
  TierState& state = tier_state(tier);
  const ResidenceId id = state.residency->find(block);
  if (id == kNoResidence || (*state.residency)[id].place != place) return;
  const Key key = blocks_[block].key;
  if (state.shared) {  // it may be right for others: absent here, for a while
    state.residency->erase(block);
    state.absence.note(key, base::after(clock_.now(), options_.negative_presence));
    history_.note(key, MissReason::kDamaged);
    return;
  }
  TERRACE_PROBE("store.damaged_record_removed");
  const tier::RemoveOp op{key, place, (*state.residency)[id].payload_bytes};
  state.residency->erase(block);
  history_.note(key, MissReason::kDamaged);
  ++removals_running_;
  executor_.post([self = shared_from_this(), op, t = state.tier.get()] {
    t->remove(std::span(&op, 1), tier::RemoveKind::kRemove, [self](Result<void>) {
      self->executor_.post([self] {
        Lock lock(self->mutex_);
        --self->removals_running_;
        self->progress_made();
      });
    });
  });
}

}  // namespace terrace::store
