// put: stores from registered caller memory (S7). In `cache` the bytes are copied into L1 inside the call;
// else they are written straight from the caller's pages, which are free again when the last write ended.
#include "base/bytes.h"
#include "base/copy.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

bool at_page(std::span<const std::byte> memory) {
  return reinterpret_cast<uintptr_t>(memory.data()) % base::kPage == 0;
}

}  // namespace

Result<std::vector<ReserveOutcome>> StorageManager::put(const ReserveRequest& request,
                                                        std::span<const RegionSlice> from,
                                                        const Notify& notify) {
  if (from.size() != request.blocks.size())
    return fail(Code::kInvalidArgument, "one region slice for each block");
  std::vector<std::span<std::byte>> sources(from.size());
  bool direct = mode_ != L1Mode::kCache;
  for (size_t i = 0; i < from.size(); ++i) {
    auto slice = regions_.slice(from[i].region, from[i].offset, from[i].bytes);
    if (!slice) return std::unexpected(slice.error());
    if (slice->size() != request.blocks[i].bytes)
      return fail(Code::kInvalidArgument, "slice and block differ in size");
    sources[i] = *slice;
    direct = direct && at_page(*slice);
  }
  if (!direct) {
    if (mode_ != L1Mode::kOff) return put_copied(request, sources, notify);
    return fail(Code::kInvalidArgument, "with l1.mode off each slice begins at a multiple of 4096 bytes");
  }
  if (auto ok = check_blocks(request); !ok) return std::unexpected(ok.error());
  std::vector<memory::RegionUse> uses(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    auto use = regions_.use(sources[i]);
    if (!use) return std::unexpected(use.error());
    uses[i] = std::move(*use);
  }
  std::vector<ReserveOutcome> outcomes;
  auto batch = std::make_shared<Batch>(notify);
  Lock lock(mutex_);
  for (size_t i = 0; i < sources.size(); ++i) {
    outcomes.push_back(put_one(request, i, std::move(uses[i]), sources[i], batch));
  }
  finish_batch(batch);
  return outcomes;
}

Result<std::vector<ReserveOutcome>> StorageManager::put_copied(const ReserveRequest& request,
                                                               std::span<const std::span<std::byte>> sources,
                                                               const Notify& notify) {
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

ReserveOutcome StorageManager::put_one(const ReserveRequest& request, size_t index, memory::RegionUse use,
                                       std::span<std::byte> from, const std::shared_ptr<Batch>& batch) {
  const BlockSpec& spec = request.blocks[index];
  const Key& parent = index == 0 ? request.parent : request.blocks[index - 1].key;
  const BlockId block = blocks_.acquire(spec.key);
  // Whatever the mode: it may have become `cache` since the memory was found fit to be written from.
  const auto staged = staged_answer(block);
  if (!staged) {
    belongs_to(block, request.root);
    blocks_.set_parent(block, parent);
    join_family(block, spec.family, spec.member);
    auto caller = std::make_unique<CallerMemory>();
    caller->payload = from;
    caller->header = pages_.take();
    if (const uint64_t rest = from.size() % base::kPage; rest != 0) {
      caller->tail = pages_.take();
      std::ranges::fill(std::span(caller->tail, base::kPage), std::byte{0});
      std::ranges::copy(from.last(rest), caller->tail);
    }
    caller->use = std::move(use);
    caller->notify = batch->notify;
    Buffer* buffer = l1_->adopt_caller({spec.key, spec.family, parent, request.root, spec.member, spec.bytes},
                                       std::move(caller));
    buffer->staged = true;
    blocks_.begin_flight(block);
    ++blocks_[block].staged;
    queue_commit(buffer, batch);
    l1_->unref(buffer);
  }
  blocks_.release(block);
  return staged.value_or(ReserveOutcome::kAccepted);
}

}  // namespace terrace::store
