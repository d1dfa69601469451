// Connects one sequence of a llama_context to a Store: restores the longest stored prefix of a token list,
// and stores the blocks a decode added. Only libllama's public API is used; nothing of the engine is patched.
//
// Whatever goes wrong (a missing, damaged or foreign block, a state llama.cpp refuses), the sequence is left
// holding exactly the first Restored::tokens tokens, and the caller decodes the rest: the right state, or a
// recomputation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <llama.h>

#include <terrace/error.h>
#include <terrace/key.h>
#include <terrace/store.h>

#include "llama_cpp/fingerprint.h"

namespace terrace::llama {

struct SessionOptions {
  FingerprintOptions fingerprint;
  llama_seq_id sequence = 0;               // the one that is restored and stored
  llama_seq_id scratch = 1;                // cuts blocks (StateKind::kBlocks); must be empty and stay unused
  uint32_t checkpoint_blocks = 8;          // kCheckpoints: a checkpoint is due every so many blocks
  Timeout load_timeout = kDefaultTimeout;  // of one window of blocks
  Timeout store_timeout{0};                // 0: a store that would have to wait for room or credit is dropped
};

struct Restored {
  uint32_t tokens = 0;  // what the sequence now holds; the caller decodes from here on
  uint64_t bytes = 0;
  uint32_t blocks_l1 = 0, blocks_tier = 0;
  MissReason stopped_by = MissReason::kNone;  // why no more; kNone when everything allowed was restored
};

struct Stored {
  uint32_t blocks = 0;   // newly committed
  uint32_t present = 0;  // were there already
  uint32_t dropped = 0;  // not stored: no room, or no credit for the writes
  uint64_t bytes = 0;
};

// One thread at a time, the one that uses the context. The context and the store outlive it. Blocks only in
// restore (each window of blocks to load_timeout) and store (to store_timeout).
class Session {
 public:
  // Errors: describe()'s, open_namespace()'s, and kInvalidArgument for sequence ids the context does not
  // have.
  static Outcome<Session> open(llama_context* context, const llama_context_params& params, Store& store,
                               const SessionOptions& options);

  // Empties the sequence, then restores the longest stored prefix of `tokens` that ends at a block boundary
  // before the last token. The last token is always left to decode: logits are not part of the state, and its
  // batch must run for the next token to be known.
  Restored restore(std::span<const uint32_t> tokens);

  // Stores the whole blocks of `tokens` that are not stored yet; the sequence must hold at least these
  // tokens. A partial last block is never stored (K3). Of a checkpointed model, stores the whole state if the
  // sequence stands at the end of `tokens` and that is a block boundary; otherwise nothing.
  Stored store(std::span<const uint32_t> tokens);

  // Where a prefill of `total` tokens at `position` should stop to call store: the next due checkpoint or the
  // last block boundary a restore can use. `total` for models that are stored in blocks, at the end.
  uint32_t next_stop(uint32_t position, uint32_t total) const;

  StateKind kind() const { return kind_; }
  const Namespace& fields() const { return fields_; }
  const Key& root() const { return root_; }

 private:
  Session() = default;

  std::vector<Key> keys_of(std::span<const uint32_t> tokens) const;
  Restored restore_blocks(std::span<const Key> keys);
  Restored restore_checkpoint(std::span<const Key> keys);
  size_t import_window(std::span<const BlockView> views, size_t first, Restored& into);
  bool import_block(std::span<const std::byte> bytes, uint32_t begin);
  Stored store_blocks(std::span<const Key> keys, size_t first);
  Stored store_checkpoint(const Key& key, uint32_t tokens);
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request);
  bool select(uint32_t begin);
  void clear(llama_seq_id sequence);

  llama_context* context_ = nullptr;
  Store* store_ = nullptr;
  SessionOptions options_;
  StateKind kind_ = StateKind::kBlocks;
  Namespace fields_;
  Key root_;
  std::shared_ptr<CompletionQueue> queue_;
  std::vector<Key>
      restored_;  // keys whose blocks the last restore delivered: store has nothing to do for them
};

}  // namespace terrace::llama
