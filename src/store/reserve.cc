// Reserve, fill, commit (S1, S2), and put from caller memory (S7).
#include <algorithm>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/assert.h"
#include "base/copy.h"
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

Result<void> StorageManager::check_batch(size_t keys) const {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (keys > kBatchMax) return fail(Code::kLimitExceeded, "a batch holds at most 65536 keys");
  return {};
}

Result<void> StorageManager::check_arena() const {
  if (mode_ != L1Mode::kOff) return {};
  return fail(Code::kNoArena, "l1.mode off has no arena: use put and get_into with registered memory");
}

Result<void> StorageManager::check_into_arena(size_t keys) const {
  if (auto ok = check_batch(keys); !ok) return ok;
  return check_arena();
}

Result<void> StorageManager::check_blocks(const ReserveRequest& request) const {
  if (auto ok = check_batch(request.blocks.size()); !ok) return ok;
  for (const BlockSpec& spec : request.blocks) {
    if (spec.bytes == 0) return fail(Code::kInvalidArgument, "a block has at least 1 byte");
    if (spec.bytes > kBlockBytesMax) return fail(Code::kLimitExceeded, "a block has at most 256 MiB");
    if (spec.member.shards == 0 || spec.member.shard >= spec.member.shards) {
      return fail(Code::kInvalidArgument, "member.shard is below member.shards, which is at least 1");
    }
    if (mode_ != L1Mode::kOff && record::record_bytes(spec.bytes) > l1_segment_bytes_) {
      return fail(Code::kLimitExceeded,
                  "the block is larger than an L1 segment: raise l1.largest_block or the budget");
    }
  }
  return {};
}

Result<std::vector<ReserveAnswer>> StorageManager::reserve(const ReserveRequest& request,
                                                           memory::SlotOwner owner) {
  if (auto ok = check_blocks(request); !ok) return std::unexpected(ok.error());
  if (auto ok = check_arena(); !ok) return std::unexpected(ok.error());
  Lock lock(mutex_);
  return reserve_locked(request, owner);
}

std::vector<ReserveAnswer> StorageManager::reserve_locked(const ReserveRequest& request,
                                                          memory::SlotOwner owner) {
  std::vector<ReserveAnswer> answers(request.blocks.size());
  boost::unordered_flat_map<Key, ReserveOutcome, KeyHash> given;  // a key named twice is one key (K4)
  for (size_t i = 0; i < request.blocks.size(); ++i) {
    const Key& key = request.blocks[i].key;
    if (const auto same = given.find(key); same != given.end()) {
      TERRACE_PROBE("store.key_named_twice");
      answers[i].outcome = same->second;
      continue;
    }
    Buffer* buffer = nullptr;
    answers[i].outcome = reserve_one(request, i, owner, buffer);
    if (answers[i].outcome == ReserveOutcome::kNoRoom) break;  // the rest too: what is stored is a prefix
    given.emplace(key, buffer == nullptr ? ReserveOutcome::kPresent : ReserveOutcome::kInFlight);
    if (buffer == nullptr) continue;
    answers[i].reservation = surface::Access::reservation(
        shared_from_this(), reinterpret_cast<uint64_t>(buffer), key, buffer->payload());
  }
  return answers;
}

ReserveOutcome StorageManager::reserve_one(const ReserveRequest& request, size_t index,
                                           memory::SlotOwner owner, Buffer*& buffer) {
  const BlockSpec& spec = request.blocks[index];
  const Key& parent = index == 0 ? request.parent : request.blocks[index - 1].key;
  const BlockId block = blocks_.acquire(spec.key);
  ReserveOutcome outcome = ReserveOutcome::kPresent;
  Buffer* resident = l1_->find(block);
  const bool caches = mode_ == L1Mode::kCache;
  if (const auto staged = caches ? std::nullopt : staged_answer(block)) {
    outcome = *staged;
  } else if (resident != nullptr && caches) {
    resident->temporary = false;
    l1_->residency().touch(l1_->residency().find(block), use_times(1), false);
    queue_writes(resident, policy::StoreMoment::kSeenAgain, nullptr);
  } else {
    belongs_to(block, request.root);
    blocks_.set_parent(block, parent);
    join_family(block, spec.family, spec.member);
    record::BlockMeta meta{spec.key, spec.family, parent, request.root, spec.member, spec.bytes};
    buffer = l1_->allocate_store(meta, owner);
    outcome = buffer == nullptr ? ReserveOutcome::kNoRoom : ReserveOutcome::kBuffer;
    if (buffer != nullptr) {
      if (owner != 0) buffer->private_header = pages_.take();
      blocks_.begin_flight(block);
      ++reservations_;
      reserved_bytes_ += buffer->slot.bytes;
    } else {
      history_.note(spec.key, MissReason::kNoRoom);
    }
    check_watermarks();
  }
  blocks_.release(block);
  return outcome;
}

// S1's answers without an L1 that answers: what a tier holds, or what is on its way there.
std::optional<ReserveOutcome> StorageManager::staged_answer(BlockId block) {
  bool running = blocks_[block].staged > 0;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    const TierState& state = tier_state(tier);
    running = running || writing(block, tier) != nullptr;
    const ResidenceId id = state.residency->find(block);
    if (id == kNoResidence || !answers(tier, id, false)) continue;
    touch_all(block, use_times(1));
    return ReserveOutcome::kPresent;
  }
  if (running) {
    TERRACE_PROBE("store.reserve_of_what_is_on_its_way");
    return ReserveOutcome::kInFlight;
  }
  return std::nullopt;
}

uint64_t StorageManager::write_bytes_of(const ReserveRequest& request) const {
  uint64_t bytes = 0;
  for (const BlockSpec& spec : request.blocks) bytes += record::record_bytes(spec.bytes) * tiers_.size();
  return bytes;
}

Result<std::vector<ReserveAnswer>> StorageManager::reserve_wait(const ReserveRequest& request,
                                                                Timeout timeout, memory::SlotOwner owner) {
  if (auto ok = check_blocks(request); !ok) return std::unexpected(ok.error());
  if (auto ok = check_arena(); !ok) return std::unexpected(ok.error());
  const auto deadline = deadline_of(timeout);
  for (;;) {
    std::vector<ReserveAnswer> answers;
    uint64_t mark = 0;
    {
      Lock lock(mutex_);
      const uint64_t wanted = write_bytes_of(request);
      // A batch larger than the bound goes alone.
      const bool credit = write_bytes_ == 0 || write_bytes_ + wanted <= store_credit_max_;
      if (credit) answers = reserve_locked(request, owner);
      const bool room = credit && (answers.empty() || answers.back().outcome != ReserveOutcome::kNoRoom);
      if (room) {
        for (ReserveAnswer& answer : answers) {
          Buffer* buffer = buffer_of(answer.reservation);
          if (buffer == nullptr) continue;
          buffer->write_credit = record::record_bytes(buffer->meta.payload_bytes) * tiers_.size();
          write_bytes_ += buffer->write_credit;
          credit_taken_ += buffer->write_credit;
        }
        return answers;
      }
      if (clock_.now() >= deadline || closed_.load()) return answers;
      // A partial answer is given back before waiting: two waiters must not hold each other's room. Nobody
      // saw it, so it is no progress either: two waiters would wake each other, and one itself, for ever.
      for (ReserveAnswer& answer : answers) {
        if (answer.reservation) give_back(take_buffer(answer.reservation));
      }
      mark = progress_;
    }
    answers.clear();
    wait_progress(mark, deadline);
  }
}

Result<void> StorageManager::commit(std::span<Reservation> reservations, const Notify& notify) {
  auto batch = std::make_shared<Batch>(notify);
  std::vector<Key> keys;
  keys.reserve(reservations.size());
  for (const Reservation& reservation : reservations) {
    if (reservation && surface::Access::backend_of(reservation) != this)
      return fail(Code::kInvalidArgument, "a reservation of another store");
    keys.push_back(reservation.key());
  }
  Lock lock(mutex_);
  uint64_t time = use_times(reservations.size() + 1) - reservations.size();
  const auto first = std::ranges::find_if(reservations, &Reservation::operator bool);
  if (first != reservations.end()) begin_uses(keys, buffer_of(*first)->meta.parent, time);
  for (Reservation& reservation : reservations) {
    if (!reservation) continue;
    Buffer* const buffer = take_buffer(reservation);
    if (closed_.load()) {
      abort_locked(buffer);
      continue;
    }
    commit_one(buffer, time++, batch);
  }
  finish_batch(batch);
  check_watermarks();
  return {};
}

void StorageManager::commit_one(Buffer* buffer, uint64_t time, const std::shared_ptr<Batch>& batch) {
  --reservations_;
  reserved_bytes_ -= buffer->slot.bytes;
  buffer->removals = blocks_[buffer->block].removals;
  Buffer* winner = buffer;
  if (mode_ == L1Mode::kCache) {
    if (Buffer* resident = l1_->find(buffer->block)) {
      blocks_.end_flight(buffer->block);
      TERRACE_PROBE("store.second_writer_loses");
      // Another writer was first: its bytes count, ours go, and we are told of its writes (S2).
      winner = resident;
      winner->temporary = false;
      if (buffer->write_credit > 0 && winner->write_credit == 0)
        std::swap(buffer->write_credit, winner->write_credit);
    } else {
      blocks_.land(buffer->block);
      l1_->publish(buffer, time);
      TERRACE_CRASH_POINT("store.commit_published");
    }
  } else {
    // In flight until its writes have ended (M2); a second copy of the key joins the first one's writes.
    buffer->staged = true;
    ++blocks_[buffer->block].staged;
  }
  queue_commit(winner, batch);
  write_bytes_ -= buffer == winner ? 0 : buffer->write_credit;
  credit_taken_ -= buffer == winner ? 0 : buffer->write_credit;
  l1_->unref(buffer);
}

// The writes are queued on the executor: the engine pays for the publication only (P6).
void StorageManager::queue_commit(Buffer* buffer, const std::shared_ptr<Batch>& batch) {
  if (tiers_.empty()) return;
  l1_->ref(buffer);
  ++batch->pending;
  committed_.push_back({buffer, batch});
  post_start();
}

// Nothing refers any more to a block that L1 never held.
void StorageManager::freed(Buffer& buffer) {
  pages_.give(std::exchange(buffer.private_header, nullptr));
  if (std::exchange(buffer.staged, false)) {
    --blocks_[buffer.block].staged;
    blocks_.end_flight(buffer.block);
    if (const Block& block = blocks_[buffer.block]; block.fate != MissReason::kNone) {
      TERRACE_PROBE("store.staged_block_left_nothing");
      left(buffer.block, block.fate);
    }
  }
  if (!buffer.caller) return;
  CallerMemory& caller = *buffer.caller;
  pages_.give(std::exchange(caller.header, nullptr));
  pages_.give(std::exchange(caller.tail, nullptr));
  caller.use.release();
  if (TERRACE_MUTANT("store.forget_released_event")) return;
  Completion event;
  event.kind = EventKind::kReleased;
  event.key = buffer.meta.key;
  post_event(caller.notify, event);
}

void StorageManager::finish_batch(const std::shared_ptr<Batch>& batch) {
  batch->complete = true;
  if (batch->pending > 0) return;
  Completion event;
  event.kind = EventKind::kWriteBatch;
  post_event(batch->notify, event);
}

void StorageManager::give_back(Buffer* buffer) {
  --reservations_;
  reserved_bytes_ -= buffer->slot.bytes;
  write_bytes_ -= buffer->write_credit;
  credit_taken_ -= buffer->write_credit;
  buffer->write_credit = 0;
  blocks_.end_flight(buffer->block);
  if (!TERRACE_MUTANT("store.leak_aborted_buffer")) l1_->unref(buffer);
}

void StorageManager::abort_locked(Buffer* buffer) {
  give_back(buffer);
  progress_made();
}

void StorageManager::abort(uint64_t token) {
  Lock lock(mutex_);
  abort_locked(reinterpret_cast<Buffer*>(token));
}

Buffer* StorageManager::buffer_of(const Reservation& reservation) {
  return reinterpret_cast<Buffer*>(surface::Access::token_of(reservation));
}

Buffer* StorageManager::take_buffer(Reservation& reservation) {
  return reinterpret_cast<Buffer*>(surface::Access::take(reservation));
}

}  // namespace terrace::store
