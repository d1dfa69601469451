#include "llama_cpp/session.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace terrace::llama {
namespace {

// Blocks asked for at once: while one window is copied into the context the next one is loaded, and a prefix
// larger than L1 passes through it.
constexpr size_t kWindowBlocks = 16;

// A window of blocks on its way from the store.
class Load {
 public:
  Load(CompletionQueue& queue, Result<GetOperation> operation)
      : queue_(&queue), operation_(std::move(operation)) {}

  // Waits for the result; the operation's own deadline bounds it. Empty when the store refused the call.
  Blocks wait() {
    if (!operation_) return {};
    std::array<Completion, 8> events;
    while (true) {
      if (std::optional<Blocks> blocks = operation_->take()) return *std::move(blocks);
      (void)queue_->wait(events, std::chrono::seconds(1));
    }
  }

 private:
  CompletionQueue* queue_;
  Result<GetOperation> operation_;
};

const uint8_t* bytes_of(std::span<const std::byte> span) {
  return reinterpret_cast<const uint8_t*>(span.data());
}
uint8_t* bytes_of(std::span<std::byte> span) {
  return reinterpret_cast<uint8_t*>(span.data());
}

}  // namespace

Outcome<Session> Session::open(llama_context* context, const llama_context_params& params, Store& store,
                               const SessionOptions& options) {
  auto kind = state_kind(context, params);
  if (!kind) return std::unexpected(kind.error());
  const auto sequences = static_cast<llama_seq_id>(llama_n_seq_max(context));
  const bool cuts = *kind == StateKind::kBlocks;
  if (options.sequence < 0 || options.sequence >= sequences ||
      (cuts &&
       (options.scratch < 0 || options.scratch >= sequences || options.scratch == options.sequence))) {
    return failure(
        Code::kInvalidArgument,
        fmt::format("sequence {} and scratch {}: two different ones below the context's n_seq_max {}",
                    options.sequence, options.scratch, sequences));
  }
  if (options.checkpoint_blocks == 0) {
    return failure(Code::kInvalidArgument, "checkpoint_blocks 0: at least 1 is allowed");
  }
  auto fields = describe(context, params, options.fingerprint);
  if (!fields) return std::unexpected(fields.error());
  auto root = store.open_namespace(*fields);
  if (!root) return std::unexpected(root.error());
  Session session;
  session.context_ = context;
  session.store_ = &store;
  session.options_ = options;
  session.kind_ = *kind;
  session.fields_ = *std::move(fields);
  session.root_ = *root;
  session.queue_ = store.make_queue();
  return session;
}

std::vector<Key> Session::keys_of(std::span<const uint32_t> tokens) const {
  return block_keys(root_, tokens, options_.fingerprint.block_tokens);
}

void Session::clear(llama_seq_id sequence) {
  (void)llama_memory_seq_rm(llama_get_memory(context_), sequence, -1, -1);
}

Restored Session::restore(std::span<const uint32_t> tokens) {
  clear(options_.sequence);
  restored_.clear();
  if (tokens.empty()) return {};
  std::vector<Key> keys = keys_of(tokens.first(tokens.size() - 1));
  keys.resize(std::min(keys.size(), kBatchMax));
  Restored result = kind_ == StateKind::kBlocks ? restore_blocks(keys) : restore_checkpoint(keys);
  keys.resize(result.tokens / options_.fingerprint.block_tokens);
  restored_ = std::move(keys);
  return result;
}

Restored Session::restore_blocks(std::span<const Key> keys) {
  Restored result;
  const auto found = store_->lookup(keys);
  if (!found) return result;
  if (!found->reasons.empty()) result.stopped_by = found->reasons.front();
  keys = keys.first(found->found);

  const auto load = [&](size_t first) {
    const auto window = keys.subspan(first, std::min(kWindowBlocks, keys.size() - first));
    return Load(*queue_, store_->get_async(window, {.timeout = options_.load_timeout, .write_back = {}},
                                           {queue_, first}));
  };
  size_t done = 0;
  std::optional<Load> current;
  while (done < keys.size()) {
    if (!current) current = load(done);
    const size_t asked = std::min(kWindowBlocks, keys.size() - done);
    const Blocks blocks = current->wait();
    current.reset();
    const bool whole = blocks.size() == asked;
    if (whole && done + asked < keys.size()) current = load(done + asked);
    const size_t imported = import_window(blocks.views(), done, result);
    done += imported;
    if (imported < blocks.size()) result.stopped_by = MissReason::kDamaged;
    if (whole && imported == asked) continue;
    // An L1 smaller than a window delivers part of it; the rest is asked for when this part is released.
    const MissReason reason = blocks.reasons().empty() ? result.stopped_by : blocks.reasons().front();
    if (imported == blocks.size() && imported > 0 && reason == MissReason::kNoRoom) continue;
    if (imported == blocks.size()) result.stopped_by = reason;
    break;
  }
  return result;
}

// Returns how many were taken in; the sequence holds nothing of the first that was not.
size_t Session::import_window(std::span<const BlockView> views, size_t first, Restored& into) {
  const uint32_t block_tokens = options_.fingerprint.block_tokens;
  for (size_t i = 0; i < views.size(); ++i) {
    if (!import_block(views[i].bytes, static_cast<uint32_t>(first + i) * block_tokens)) return i;
    into.tokens += block_tokens;
    into.bytes += views[i].bytes.size();
    ++(views[i].source == 0 ? into.blocks_l1 : into.blocks_tier);
  }
  return views.size();
}

// llama.cpp reads a state into an empty sequence only, so a block goes into the scratch sequence, whose cells
// are then shared with ours: no bytes are copied a second time.
bool Session::import_block(std::span<const std::byte> bytes, uint32_t begin) {
  const auto memory = llama_get_memory(context_);
  const auto first = static_cast<llama_pos>(begin);
  const auto last = static_cast<llama_pos>(begin + options_.fingerprint.block_tokens - 1);
  const size_t taken = llama_state_seq_set_data(context_, bytes_of(bytes), bytes.size(), options_.scratch);
  const bool right = taken == bytes.size() && llama_memory_seq_pos_min(memory, options_.scratch) == first &&
                     llama_memory_seq_pos_max(memory, options_.scratch) == last;
  if (right) llama_memory_seq_cp(memory, options_.scratch, options_.sequence, first, last + 1);
  clear(options_.scratch);
  return right;
}

// A checkpoint is a whole state: the longest prefix that has one is restored, whatever is missing before it.
Restored Session::restore_checkpoint(std::span<const Key> keys) {
  Restored result;
  for (size_t blocks = keys.size(); blocks > 0; --blocks) {
    const auto key = keys.subspan(blocks - 1, 1);
    const auto found = store_->lookup(key);
    if (!found) return result;
    if (found->found == 0) {
      if (blocks == keys.size()) result.stopped_by = found->reasons.front();
      continue;
    }
    const auto got = store_->get(key, {.timeout = options_.load_timeout, .write_back = {}});
    if (!got || got->size() == 0) continue;
    const BlockView& view = (*got)[0];
    const auto tokens = static_cast<uint32_t>(blocks) * options_.fingerprint.block_tokens;
    const size_t taken =
        llama_state_seq_set_data(context_, bytes_of(view.bytes), view.bytes.size(), options_.sequence);
    if (taken == view.bytes.size() &&
        llama_memory_seq_pos_max(llama_get_memory(context_), options_.sequence) ==
            static_cast<llama_pos>(tokens - 1)) {
      result.tokens = tokens;
      result.bytes = view.bytes.size();
      ++(view.source == 0 ? result.blocks_l1 : result.blocks_tier);
      return result;
    }
    clear(options_.sequence);
    result.stopped_by = MissReason::kDamaged;
  }
  return result;
}

Stored Session::store(std::span<const uint32_t> tokens) {
  const std::vector<Key> keys = keys_of(tokens);
  if (keys.empty()) return {};
  if (kind_ == StateKind::kCheckpoints) {
    if (tokens.size() % options_.fingerprint.block_tokens != 0) return {};
    return store_checkpoint(keys.back(), static_cast<uint32_t>(tokens.size()));
  }
  const auto differs = std::ranges::mismatch(keys, restored_).in1;
  return store_blocks(keys, static_cast<size_t>(differs - keys.begin()));
}

Result<std::vector<ReserveAnswer>> Session::reserve(const ReserveRequest& request) {
  if (options_.store_timeout == Timeout{0}) return store_->reserve(request);
  return store_->reserve_wait(request, options_.store_timeout);
}

// Lets the scratch sequence share the cells of one block. False when the sequence does not hold all of it.
bool Session::select(uint32_t begin) {
  const auto memory = llama_get_memory(context_);
  const auto first = static_cast<llama_pos>(begin);
  const auto end = static_cast<llama_pos>(begin + options_.fingerprint.block_tokens);
  clear(options_.scratch);
  llama_memory_seq_cp(memory, options_.sequence, options_.scratch, first, end);
  return llama_memory_seq_pos_min(memory, options_.scratch) == first &&
         llama_memory_seq_pos_max(memory, options_.scratch) == end - 1;
}

// The bytes of a block depend only on how many tokens it has, so the first one's size is everybody's.
Stored Session::store_blocks(std::span<const Key> keys, size_t first) {
  Stored result;
  const uint32_t block_tokens = options_.fingerprint.block_tokens;
  uint64_t block_bytes = 0;
  if (first < keys.size() && select(static_cast<uint32_t>(first) * block_tokens)) {
    block_bytes = llama_state_seq_get_size(context_, options_.scratch);
  }
  bool more = block_bytes > 0;
  for (size_t at = first; more && at < keys.size(); at += kWindowBlocks) {
    const auto window = keys.subspan(at, std::min(kWindowBlocks, keys.size() - at));
    std::vector<BlockSpec> blocks;
    for (const Key& key : window)
      blocks.push_back({.key = key, .bytes = block_bytes, .family = {}, .member = {}});
    auto answers = reserve({.root = root_, .parent = at == 0 ? Key{} : keys[at - 1], .blocks = blocks});
    if (!answers) break;
    std::vector<Reservation> filled;
    for (size_t i = 0; more && i < answers->size(); ++i) {
      ReserveAnswer& answer = (*answers)[i];
      if (answer.outcome == ReserveOutcome::kNoRoom) more = false;
      if (answer.outcome != ReserveOutcome::kBuffer) {
        if (more) ++result.present;
        continue;
      }
      const std::span<std::byte> buffer = answer.reservation.bytes();
      more = select(static_cast<uint32_t>(at + i) * block_tokens) &&
             llama_state_seq_get_data(context_, bytes_of(buffer), buffer.size(), options_.scratch) ==
                 block_bytes;
      if (more) filled.push_back(std::move(answer.reservation));
    }
    if (!filled.empty() && !store_->commit(filled)) break;
    result.blocks += static_cast<uint32_t>(filled.size());
    result.bytes += filled.size() * block_bytes;
  }
  clear(options_.scratch);
  result.dropped = static_cast<uint32_t>(keys.size() - first) - result.blocks - result.present;
  return result;
}

Stored Session::store_checkpoint(const Key& key, uint32_t tokens) {
  Stored result;
  const auto memory = llama_get_memory(context_);
  if (llama_memory_seq_pos_max(memory, options_.sequence) != static_cast<llama_pos>(tokens - 1))
    return result;
  const uint64_t size = llama_state_seq_get_size(context_, options_.sequence);
  if (size == 0 || size > kBlockBytesMax) return {.dropped = 1};
  const BlockSpec block{.key = key, .bytes = size, .family = {}, .member = {}};
  auto answers = reserve({.root = root_, .parent = {}, .blocks = {&block, 1}});
  if (!answers || answers->front().outcome == ReserveOutcome::kNoRoom) return {.dropped = 1};
  if (answers->front().outcome != ReserveOutcome::kBuffer) return {.present = 1};
  Reservation& reservation = answers->front().reservation;
  const std::span<std::byte> buffer = reservation.bytes();
  if (llama_state_seq_get_data(context_, bytes_of(buffer), buffer.size(), options_.sequence) != size ||
      !store_->commit({&reservation, 1})) {
    return {.dropped = 1};
  }
  return {.blocks = 1, .bytes = size};
}

uint32_t Session::next_stop(uint32_t position, uint32_t total) const {
  if (kind_ == StateKind::kBlocks || total == 0) return total;
  const uint32_t block_tokens = options_.fingerprint.block_tokens;
  const uint32_t last = (total - 1) / block_tokens * block_tokens;
  const uint32_t step = block_tokens * options_.checkpoint_blocks;
  const uint32_t due = (position / step + 1) * step;
  if (position >= last) return total;
  return std::min(due, last);
}

}  // namespace terrace::llama
