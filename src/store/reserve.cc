// Reserve, fill, commit (S1, S2), and put from caller memory (S7).
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/assert.h"
#include "base/copy.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

Result<void> StorageManager::check_batch(size_t keys) const {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (keys > kBatchMax) return fail(Code::kLimitExceeded, "a batch holds at most 65536 keys");
  return {};
}

Result<void> StorageManager::check_blocks(const ReserveRequest& request) const {
  if (auto ok = check_batch(request.blocks.size()); !ok) return ok;
  for (const BlockSpec& spec : request.blocks) {
    if (spec.bytes == 0) return fail(Code::kInvalidArgument, "a block has at least 1 byte");
    if (spec.bytes > kBlockBytesMax) return fail(Code::kLimitExceeded, "a block has at most 256 MiB");
    if (spec.member.shards == 0 || spec.member.shard >= spec.member.shards) {
      return fail(Code::kInvalidArgument, "member.shard is below member.shards, which is at least 1");
    }
    if (record::record_bytes(spec.bytes) > l1_segment_bytes_) {
      return fail(Code::kLimitExceeded,
                  "the block is larger than an L1 segment: raise l1.largest_block or the budget");
    }
  }
  return {};
}

Result<std::vector<ReserveAnswer>> StorageManager::reserve(const ReserveRequest& request) {
  if (auto ok = check_blocks(request); !ok) return std::unexpected(ok.error());
  Lock lock(mutex_);
  return reserve_locked(request);
}

std::vector<ReserveAnswer> StorageManager::reserve_locked(const ReserveRequest& request) {
  std::vector<ReserveAnswer> answers(request.blocks.size());
  boost::unordered_flat_map<Key, ReserveOutcome, KeyHash> given;  // a key named twice is one key (K4)
  for (size_t i = 0; i < request.blocks.size(); ++i) {
    const Key& key = request.blocks[i].key;
    if (const auto same = given.find(key); same != given.end()) {
      answers[i].outcome = same->second;
      continue;
    }
    Buffer* buffer = nullptr;
    answers[i].outcome = reserve_one(request, i, buffer);
    if (answers[i].outcome == ReserveOutcome::kNoRoom) break;  // the rest too: what is stored is a prefix
    given.emplace(key, buffer == nullptr ? ReserveOutcome::kPresent : ReserveOutcome::kInFlight);
    if (buffer == nullptr) continue;
    Reservation& reservation = answers[i].reservation;
    reservation.manager_ = shared_from_this();
    reservation.buffer_ = buffer;
    reservation.key_ = key;
    reservation.bytes_ = buffer->payload();
  }
  return answers;
}

ReserveOutcome StorageManager::reserve_one(const ReserveRequest& request, size_t index, Buffer*& buffer) {
  const BlockSpec& spec = request.blocks[index];
  const Key& parent = index == 0 ? request.parent : request.blocks[index - 1].key;
  const BlockId block = blocks_.acquire(spec.key);
  ReserveOutcome outcome = ReserveOutcome::kPresent;
  if (Buffer* resident = l1_->find(block)) {
    resident->temporary = false;
    l1_->residency().touch(l1_->residency().find(block), use_times(1), false);
    queue_writes(resident, nullptr);
  } else {
    blocks_[block].name_space = namespaces_.number(request.root);
    blocks_.set_parent(block, parent);
    record::BlockMeta meta{spec.key, spec.family, parent, request.root, spec.member, spec.bytes};
    buffer = l1_->allocate(meta);
    outcome = buffer == nullptr ? ReserveOutcome::kNoRoom : ReserveOutcome::kBuffer;
    if (buffer != nullptr) {
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

uint64_t StorageManager::write_bytes_of(const ReserveRequest& request) const {
  uint64_t bytes = 0;
  for (const BlockSpec& spec : request.blocks) bytes += record::record_bytes(spec.bytes) * tiers_.size();
  return bytes;
}

Result<std::vector<ReserveAnswer>> StorageManager::reserve_wait(const ReserveRequest& request,
                                                                Timeout timeout) {
  if (auto ok = check_blocks(request); !ok) return std::unexpected(ok.error());
  const auto deadline = deadline_of(timeout);
  for (;;) {
    std::vector<ReserveAnswer> answers;
    uint64_t mark = 0;
    {
      Lock lock(mutex_);
      mark = progress_;
      const uint64_t wanted = write_bytes_of(request);
      // A batch larger than the bound goes alone.
      const bool credit = write_bytes_ == 0 || write_bytes_ + wanted <= store_credit_max_;
      if (credit) answers = reserve_locked(request);
      const bool room = credit && (answers.empty() || answers.back().outcome != ReserveOutcome::kNoRoom);
      if (room) {
        for (ReserveAnswer& answer : answers) {
          Buffer* buffer = answer.reservation.buffer_;
          if (buffer == nullptr) continue;
          buffer->write_credit = record::record_bytes(buffer->meta.payload_bytes) * tiers_.size();
          write_bytes_ += buffer->write_credit;
          credit_taken_ += buffer->write_credit;
        }
        return answers;
      }
    }
    if (clock_.now() >= deadline || closed_.load()) return answers;
    // A partial answer is given back before waiting: two waiters must not hold each other's room.
    answers.clear();
    wait_progress(mark, deadline);
  }
}

Result<void> StorageManager::commit(std::span<Reservation> reservations, const Notify& notify) {
  auto batch = std::make_shared<Batch>(notify);
  Lock lock(mutex_);
  for (Reservation& reservation : reservations) {
    if (!reservation) continue;
    Buffer* buffer = reservation.buffer_;
    reservation.buffer_ = nullptr;
    reservation.bytes_ = {};
    if (closed_.load()) {
      abort_locked(buffer);
      continue;
    }
    commit_one(buffer, batch);
  }
  finish_batch(batch);
  check_watermarks();
  return {};
}

void StorageManager::commit_one(Buffer* buffer, const std::shared_ptr<Batch>& batch) {
  --reservations_;
  reserved_bytes_ -= buffer->slot.bytes;
  blocks_.end_flight(buffer->block);
  Buffer* resident = l1_->find(buffer->block);
  if (resident == nullptr) {
    l1_->publish(buffer, use_times(1));
    resident = buffer;
  } else {
    // Another writer was first: its bytes count, ours go, and we are told of its writes (S2).
    resident->temporary = false;
    if (buffer->write_credit > 0 && resident->write_credit == 0)
      std::swap(buffer->write_credit, resident->write_credit);
  }
  // The writes are queued on the executor: the engine pays for the publication only (P6).
  if (!tiers_.empty()) {
    l1_->ref(resident);
    ++batch->pending;
    committed_.push_back({resident, batch});
    post_start();
  }
  write_bytes_ -= buffer == resident ? 0 : buffer->write_credit;
  credit_taken_ -= buffer == resident ? 0 : buffer->write_credit;
  l1_->unref(buffer);
}

void StorageManager::finish_batch(const std::shared_ptr<Batch>& batch) {
  batch->complete = true;
  if (batch->pending > 0) return;
  Completion event;
  event.kind = EventKind::kWriteBatch;
  post_event(batch->notify, event);
}

void StorageManager::abort_locked(Buffer* buffer) {
  --reservations_;
  reserved_bytes_ -= buffer->slot.bytes;
  write_bytes_ -= buffer->write_credit;
  credit_taken_ -= buffer->write_credit;
  buffer->write_credit = 0;
  blocks_.end_flight(buffer->block);
  l1_->unref(buffer);
  progress_made();
}

void StorageManager::abort(Buffer* buffer) {
  Lock lock(mutex_);
  abort_locked(buffer);
}

Result<std::vector<ReserveOutcome>> StorageManager::put(const ReserveRequest& request,
                                                        std::span<const RegionSlice> from,
                                                        const Notify& notify) {
  if (from.size() != request.blocks.size())
    return fail(Code::kInvalidArgument, "one region slice for each block");
  std::vector<std::span<std::byte>> sources(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    auto slice = regions_.slice(from[i].region, from[i].offset, from[i].bytes);
    if (!slice) return std::unexpected(slice.error());
    if (slice->size() != request.blocks[i].bytes)
      return fail(Code::kInvalidArgument, "slice and block differ in size");
    sources[i] = *slice;
  }
  auto answers = reserve(request);
  if (!answers) return std::unexpected(answers.error());
  std::vector<ReserveOutcome> outcomes;
  std::vector<Reservation> filled;
  for (size_t i = 0; i < answers->size(); ++i) {
    ReserveAnswer& answer = (*answers)[i];
    outcomes.push_back(answer.outcome);
    if (!answer.reservation) continue;
    base::copy_bytes(answer.reservation.bytes(), sources[i]);
    filled.push_back(std::move(answer.reservation));
  }
  if (auto ok = commit(filled, notify); !ok) return std::unexpected(ok.error());
  return outcomes;
}

}  // namespace terrace::store
