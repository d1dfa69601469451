// From L1 to the tiers (S3, S4): credit, place, seal, write, publish, report.
#include <algorithm>

#include "base/assert.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

DropCause cause_of(tier::Refusal refusal) {
  switch (refusal) {
    case tier::Refusal::kNoRoom:
      return DropCause::kNoRoom;
    case tier::Refusal::kTooLarge:
      return DropCause::kTooLarge;
    case tier::Refusal::kUnavailable:
      return DropCause::kUnavailable;
  }
  return DropCause::kUnavailable;
}

// What is told of a block that is nowhere because its write was dropped.
MissReason fate_of(DropCause cause) {
  if (cause == DropCause::kNotAdmitted) return MissReason::kDeclined;
  return cause == DropCause::kRemoved ? MissReason::kRemoved : MissReason::kDropped;
}

}  // namespace

WriteFlow* StorageManager::writing(BlockId block, uint32_t tier) const {
  const auto it = writes_.find({block, tier});
  return it == writes_.end() ? nullptr : it->second.get();
}

void StorageManager::post_event(const Notify& notify, Completion event) {
  if (notify.queue == nullptr) return;
  event.tag = notify.tag;
  executor_.post([queue = notify.queue, event] { static_cast<EventQueue&>(*queue).push(event); });
}

// Each tier's store policy says whether the block goes there now (S5).
void StorageManager::queue_writes(Buffer* buffer, policy::StoreMoment moment,
                                  const std::shared_ptr<Batch>& batch) {
  bool wanted = false, leaves = false;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    const TierState& state = tier_state(tier);
    leaves = leaves || state.store_policy->leaves_l1();
    if (!state.store_policy->writes(moment, buffer->meta.key)) continue;
    wanted = true;
    if (batch != nullptr) ++batch->pending;
    queue_write(tier, buffer, batch);
  }
  if (leaves) buffer->temporary = true;
  if (!wanted && buffer->staged) blocks_[buffer->block].fate = MissReason::kDeclined;
}

void StorageManager::report(const std::shared_ptr<Batch>& batch, const Completion& event) {
  if (batch == nullptr) return;
  post_event(batch->notify, event);
  if (TERRACE_MUTANT("store.event_twice")) post_event(batch->notify, event);
  TERRACE_ASSERT(batch->pending > 0);
  if (--batch->pending == 0 && batch->complete) finish_batch(batch);
}

// Why the write cannot begin; kNone: it has its place.
DropCause StorageManager::admit_write(uint32_t tier, Buffer* buffer, tier::Placement& where) {
  TierState& state = tier_state(tier);
  if (is_drained(tier)) return DropCause::kUnavailable;
  if (blocks_[buffer->block].removing > 0 && !TERRACE_MUTANT("store.write_beside_its_removal")) {
    TERRACE_PROBE("store.stored_anew_beside_its_removal");
    return DropCause::kRemoved;
  }
  const uint64_t bytes = record::record_bytes(buffer->meta.payload_bytes);
  // Credit a reserve_wait took is spent first; it is counted in write_bytes_ already.
  if (buffer->write_credit < bytes && write_bytes_ + bytes > store_credit_max_ &&
      !TERRACE_MUTANT("store.no_write_bound")) {
    TERRACE_PROBE("store.write_without_credit");
    return DropCause::kBacklog;
  }
  const BlockId parent = blocks_.find(buffer->meta.parent);
  const bool follows = buffer->meta.parent.is_zero() ||
                       (parent != kNoBlock &&
                        (state.residency->find(parent) != kNoResidence || writing(parent, tier) != nullptr));
  if (!follows) {
    TERRACE_PROBE("store.write_without_its_parent");
    return DropCause::kParentDropped;
  }
  const auto now = static_cast<uint64_t>(clock_.now().time_since_epoch().count());
  if (!state.admission->admit(buffer->meta.key, bytes, now)) {
    TERRACE_PROBE("store.write_not_admitted");
    return DropCause::kNotAdmitted;
  }
  const auto placed = place(tier, buffer->block, buffer->meta);
  if (!placed) return placed.error();
  where = *placed;
  return DropCause::kNone;
}

DropCause StorageManager::queue_write(uint32_t tier, Buffer* buffer, const std::shared_ptr<Batch>& batch) {
  const BlockId block = buffer->block;
  TierState& state = tier_state(tier);
  Completion event;
  event.kind = EventKind::kWrite;
  event.tier = static_cast<uint16_t>(tier);
  event.key = buffer->meta.key;
  if (state.residency->find(block) != kNoResidence) {
    report(batch, event);
    return DropCause::kNone;
  }
  if (WriteFlow* running = writing(block, tier)) {
    if (batch != nullptr) {
      TERRACE_PROBE("store.write_joined");
      running->batches.push_back(batch);
    }
    return DropCause::kNone;
  }
  tier::Placement where;
  if (const DropCause cause = admit_write(tier, buffer, where); cause != DropCause::kNone) {
    ++state.counts.drops[static_cast<size_t>(cause)];
    blocks_[block].fate = fate_of(cause);
    event.status = WriteStatus::kDropped;
    event.cause = cause;
    report(batch, event);
    return cause;
  }

  auto flow = std::make_unique<WriteFlow>();
  flow->block = block;
  flow->parent = blocks_[block].parent;
  flow->tier = tier;
  flow->buffer = buffer;
  flow->where = where;
  state.residency->policy().request(std::span(&buffer->meta.key, 1), buffer->meta.parent, last_use_time_);
  flow->rank = state.residency->policy().rank({buffer->meta.key, use_times(1), true});
  flow->credit = record::record_bytes(buffer->meta.payload_bytes);
  flow->tenant = blocks_[block].tenant;
  state.residency->shares().hold(flow->tenant, flow->credit);
  if (buffer->write_credit >= flow->credit) {
    buffer->write_credit -= flow->credit;
    credit_taken_ -= flow->credit;
  } else {
    write_bytes_ += flow->credit;
  }
  flow->own_header = !buffer->header_in_use || TERRACE_MUTANT("store.share_header_page");
  flow->header = flow->own_header ? buffer->header().data() : pages_.take();
  if (flow->own_header) buffer->header_in_use = true;
  if (batch != nullptr) flow->batches.push_back(batch);
  l1_->ref(buffer);
  blocks_.add_ref(block);
  state.residency->add_child(flow->parent);
  state.residency->hold_segment(flow->where.segment);
  writes_to_start_.push_back(flow.get());
  writes_.emplace(std::pair(block, tier), std::move(flow));
  TERRACE_CRASH_POINT("store.write_placed");
  post_start();
  return DropCause::kNone;
}

void StorageManager::post_start() {
  if (start_posted_) return;
  start_posted_ = true;
  executor_.post([self = shared_from_this()] {
    self->queue_committed();
    self->start_writes();
  });
}

// Chooses places for what was committed, a few blocks at a time, so that engines get the mutex in between.
void StorageManager::queue_committed() {
  constexpr size_t kSlice = 16;
  for (bool more = true; more;) {
    Lock lock(mutex_);
    for (size_t i = 0; i < kSlice && !committed_.empty(); ++i) queue_one_committed();
    more = !committed_.empty();
  }
}

void StorageManager::queue_one_committed() {
  const Committed committed = std::move(committed_.front());
  committed_.pop_front();
  Buffer* buffer = committed.buffer;
  const bool again = buffer->staged && history_.reason(buffer->meta.key) != MissReason::kUnknown;
  if (buffer->removals == blocks_[buffer->block].removals || TERRACE_MUTANT("store.write_removed_block")) {
    queue_writes(buffer, again ? policy::StoreMoment::kSeenAgain : policy::StoreMoment::kCommitted,
                 committed.batch);
  } else {  // removed before its writes were queued (D1)
    for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
      Completion event;
      event.kind = EventKind::kWrite;
      event.status = WriteStatus::kDropped;
      event.cause = DropCause::kRemoved;
      event.tier = static_cast<uint16_t>(tier);
      event.key = buffer->meta.key;
      post_event(committed.batch->notify, event);
      ++tier_state(tier).counts.drops[static_cast<size_t>(DropCause::kRemoved)];
    }
  }
  write_bytes_ -= buffer->write_credit;  // credit that no write needed
  credit_taken_ -= buffer->write_credit;
  buffer->write_credit = 0;
  l1_->unref(buffer);
  Batch& batch = *committed.batch;
  if (--batch.pending == 0 && batch.complete) finish_batch(committed.batch);
  progress_made();
}

std::expected<tier::Placement, DropCause> StorageManager::place(uint32_t tier, BlockId block,
                                                                const record::BlockMeta& meta) {
  TierState& state = tier_state(tier);
  const TenantId tenant = blocks_[block].tenant;
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  TenantShares& shares = state.residency->shares();
  shares.make_room(tenant);
  const auto refuse = [&](DropCause cause) {
    if (cause == DropCause::kQuota) shares.count_refusal(tenant);
    return std::unexpected(cause);
  };
  if (bytes > shares[tenant].limits.used) return refuse(DropCause::kQuota);
  bool took_segment = false;  // at most one a write (E2)
  auto answer = state.tier->place(meta);
  while (!answer) {
    const tier::PlaceRefused& refused = answer.error();
    if (refused.why != tier::Refusal::kNoRoom) return refuse(cause_of(refused.why));
    const bool only_own = shares.exceeds(tenant, bytes);
    const DropCause cause = make_room(tier, block, only_own, refused, took_segment);
    if (cause != DropCause::kNone) return refuse(cause);
    answer = state.tier->place(meta);
  }
  // It has its place: whose own blocks leave for it, the bucket says.
  const ShelteredParent parent(*state.residency, blocks_[block].parent);
  while (shares.exceeds(tenant, bytes)) {
    if (evict_own(tier, tenant, answer->bucket)) continue;
    TERRACE_PROBE("store.no_quota_for_a_write");
    state.tier->withdraw(answer->place, meta.payload_bytes);
    return refuse(DropCause::kQuota);
  }
  return *answer;
}

// Who is above its quota leaves first, and a tenant whose quota has no room for the block pushes out nobody
// within theirs.
DropCause StorageManager::make_room(uint32_t tier, BlockId block, bool only_own,
                                    const tier::PlaceRefused& refused, bool& took_segment) {
  TierState& state = tier_state(tier);
  Residency& residency = *state.residency;
  const TenantId tenant = blocks_[block].tenant;
  const ShelteredParent parent(residency, only_own ? blocks_[block].parent : kNoBlock);
  auto leaf = residency.coldest_leaf_above(refused.bucket);
  if (!leaf && only_own) leaf = residency.coldest_leaf_of(tenant, refused.bucket);
  if (leaf) {
    evict_for_quota(tier, *leaf);
    return DropCause::kNone;
  }
  if (!only_own) leaf = residency.coldest_leaf(refused.bucket);
  if (leaf) {
    evict_from_tier(tier, std::span(&*leaf, 1));
    return DropCause::kNone;
  }
  std::vector<BlockId> segment;
  if (!took_segment && refused.segments_help) {
    segment = only_own ? residency.coldest_segment_for(tenant, refused.domain)
                       : residency.coldest_segment(refused.domain);
  }
  if (segment.empty()) {
    TERRACE_PROBE("store.no_place_for_a_write");
    return only_own ? DropCause::kQuota : DropCause::kNoRoom;
  }
  took_segment = true;
  TERRACE_CRASH_POINT("store.segment_taken");
  ++state.counts.evicted_segments;
  TERRACE_PROBE("store.segment_evicted_for_a_write");
  evict_from_tier(tier, segment);
  return DropCause::kNone;
}

// On the executor: sums are computed here, not in commit, and once for all tiers (decision 11).
void StorageManager::start_writes() {
  std::vector<WriteFlow*> flows;
  std::vector<tier::Tier*> tiers;
  std::vector<WriteFlow*> dropped;
  {
    Lock lock(mutex_);
    start_posted_ = false;
    if (!committed_.empty()) post_start();  // committed since queue_committed looked
    for (const TierState& state : tiers_) tiers.push_back(state.tier.get());
    for (WriteFlow* flow : writes_to_start_) {
      if (flow->removed) {
        TERRACE_PROBE("store.removed_before_it_was_written");
        dropped.push_back(flow);
        continue;
      }
      flow->started = true;
      flow->begun = clock_.now();
      flow->secret = tiers[flow->tier - 1]->secret(flow->where.place);
      flows.push_back(flow);
    }
    writes_to_start_.clear();
  }
  for (WriteFlow* flow : dropped) {
    tiers[flow->tier - 1]->withdraw(flow->where.place, flow->buffer->meta.payload_bytes);
    finish_write(flow, fail(Code::kCancelled, "removed before it was written"));
  }
  const auto deadline = base::after(clock_.now(), options_.operation_timeout);
  record::PartSums sums;
  const Buffer* summed = nullptr;  // whose `sums` are; the flows of one buffer stand together
  for (WriteFlow* flow : flows) {
    Buffer& buffer = *flow->buffer;
    const bool known =
        &buffer == summed || (summed != nullptr && TERRACE_MUTANT("store.reuse_sums_of_another"));
    if (!known && buffer.summed) {
      TERRACE_PROBE("store.sums_used_again");
      sums = record::sums_in(buffer.header());
    } else if (!known) {
      record::sum_parts(buffer.meta.key, buffer.payload(), sums);
    }
    summed = &buffer;
    buffer.zero_padding();
    record::seal(buffer.meta, sums, flow->secret, flow->where.binding,
                 std::span(flow->header, record::kHeaderBytes));

    tier::WriteOp op;
    op.meta = buffer.meta;
    op.place = flow->where.place;
    op.rank = flow->rank;
    op.record = buffer.record(flow->header);
    op.deadline = deadline;
    op.done = [self = shared_from_this(), flow](Result<void> result) {
      self->executor_.post([self, flow, result] { self->finish_write(flow, result); });
    };
    TERRACE_CRASH_POINT("store.write_sealed");
    // Each as soon as it is sealed: the device works while the next one is summed.
    tiers[flow->tier - 1]->write(std::span(&op, 1));
  }
}

// It was removed while it was written: the remover waits until the tier has forgotten it, whole or in part
// (D1).
void StorageManager::undo_write(WriteFlow* flow, bool written) {
  TERRACE_CRASH_POINT("store.write_undone");
  TERRACE_PROBE("store.removed_while_it_was_written");
  flow->removed = false;
  const record::BlockMeta& meta = flow->buffer->meta;
  const tier::RemoveOp op{meta.key, flow->where.place, meta.payload_bytes};
  tier_state(flow->tier)
      .tier->remove(std::span(&op, written ? 1 : 0), tier::RemoveKind::kRemove,
                    [self = shared_from_this(), flow](const Result<void>& undone) {
                      self->executor_.post([self, flow, failed = !undone] {
                        self->write_undone(failed);
                        self->finish_write(flow, fail(Code::kCancelled, "removed"));
                      });
                    });
}

void StorageManager::write_undone(bool failed) {
  Lock lock(mutex_);
  if (failed) ++undoings_failed_;
}

void StorageManager::finish_write(WriteFlow* flow, Result<void> result) {
  std::unique_ptr<WriteFlow> owned;  // and its batches: gone after the mutex is released
  Lock lock(mutex_);
  TierState& state = tier_state(flow->tier);
  const uint64_t payload = flow->buffer->meta.payload_bytes;
  const Key key = flow->buffer->meta.key;

  if (flow->removed && flow->started && !TERRACE_MUTANT("store.publish_removed_write"))
    return undo_write(flow, result.has_value());

  Completion event;
  event.kind = EventKind::kWrite;
  event.tier = static_cast<uint16_t>(flow->tier);
  event.key = key;
  const auto it = writes_.find({flow->block, flow->tier});
  owned = std::move(it->second);
  writes_.erase(it);
  state.residency->drop_segment(flow->where.segment);
  state.residency->shares().let_go(flow->tenant, flow->credit);
  if (result) {
    ++state.counts.writes;
    state.counts.write_bytes += payload;
    TERRACE_CRASH_POINT("store.write_published");
    took(state.latencies->writes, flow->begun);
    state.residency->insert(flow->block, payload, flow->where.place, flow->where.bucket, flow->where.segment,
                            flow->rank);
    blocks_[flow->block].fate = MissReason::kNone;
    if (flow->before) {
      const tier::RemoveOp op{key, flow->before->where.place, flow->before->meta.payload_bytes};
      state.tier->remove(std::span(&op, 1), tier::RemoveKind::kEvict, [](Result<void>) {});
    }
  } else if (result.error().code == Code::kCancelled) {
    event.status = WriteStatus::kDropped;
    event.cause = DropCause::kRemoved;
    ++state.counts.drops[static_cast<size_t>(DropCause::kRemoved)];
  } else {
    TERRACE_PROBE("store.write_failed");
    event.status = WriteStatus::kFailed;
    event.error = result.error();
    ++state.counts.write_errors;
    blocks_[flow->block].fate = MissReason::kWriteFailed;
    if (flow->before) {
      TERRACE_PROBE("store.found_again_after_a_failed_write");
      take_found(flow->tier, flow->block, *flow->before);
    }
  }
  state.residency->drop_child(flow->parent);
  if (!TERRACE_MUTANT("store.leak_write_credit")) write_bytes_ -= flow->credit;
  if (flow->own_header) {
    flow->buffer->header_in_use = false;
    flow->buffer->summed = flow->buffer->summed || flow->started;
  } else {
    pages_.give(flow->header);
  }
  const BlockId block = flow->block;
  l1_->unref(flow->buffer);
  for (const auto& batch : flow->batches) report(batch, event);
  blocks_.release(block);
  progress_made();
  check_watermarks();
}

}  // namespace terrace::store
