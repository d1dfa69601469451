// get_stream (R9): one get a block, as many at once as the window holds; the consumer's block counts as one.
#include <algorithm>
#include <deque>
#include <utility>

#include "record/record.h"
#include "surface/access.h"
#include "surface/backend.h"
#include "surface/operations.h"

namespace terrace {

struct BlockStream::State {
  std::shared_ptr<surface::Backend> backend;
  std::vector<Key> keys;
  StreamOptions options;
  uint64_t largest = 0;  // payload of the largest block until now; 0: none came yet
  size_t asked = 0;
  size_t delivered = 0;
  MissReason reason = MissReason::kNone;
  std::deque<GetOperation> running;
  Blocks current;  // the consumer's

  // Blocks that the window holds; one until a size is known.
  size_t depth() const {
    constexpr size_t kMost = 64;
    if (largest == 0) return 1;
    return std::clamp<size_t>(options.window / record::record_bytes(largest), 1, kMost);
  }
  bool ask_ahead() {
    while (asked < keys.size() && running.size() < depth()) {
      auto get = backend->get_async(std::span(&keys[asked], 1),
                                    {.timeout = options.timeout, .write_back = options.write_back}, {});
      if (!get) return false;
      running.push_back(std::move(*get));
      ++asked;
    }
    return true;
  }
  void end(MissReason why) {
    reason = why;
    backend->count_behind_hole(std::span(keys).subspan(asked));
    running.clear();
    asked = keys.size();
  }
};

BlockStream::BlockStream(BlockStream&&) noexcept = default;
BlockStream& BlockStream::operator=(BlockStream&&) noexcept = default;
BlockStream::~BlockStream() = default;

size_t BlockStream::delivered() const {
  return state_ == nullptr ? 0 : state_->delivered;
}
MissReason BlockStream::reason() const {
  return state_ == nullptr ? MissReason::kNone : state_->reason;
}

std::optional<BlockView> BlockStream::next() {
  if (state_ == nullptr) return std::nullopt;
  State& state = *state_;
  state.current.release();
  if (!state.ask_ahead()) state.end(MissReason::kCancelled);  // the store is closed
  if (state.running.empty()) return std::nullopt;
  GetOperation front = std::move(state.running.front());
  state.running.pop_front();
  auto got = surface::Access::state_of(front)->wait() ? front.take() : std::nullopt;
  if (!got || got->size() == 0) {
    state.end(got ? got->reasons()[0] : MissReason::kCancelled);
    return std::nullopt;
  }
  state.current = std::move(*got);
  state.largest = std::max<uint64_t>(state.largest, state.current[0].bytes.size());
  ++state.delivered;
  return state.current[0];
}

Result<BlockStream> Store::get_stream(std::span<const Key> keys, StreamOptions options) {
  if (backend_->l1_budget() == 0) return fail(Code::kNoArena, "l1.mode off has no arena to stream through");
  if (keys.size() > kBatchMax) return fail(Code::kLimitExceeded, "a batch holds at most 65536 keys");
  if (options.window > backend_->l1_budget()) {
    return fail(Code::kInvalidArgument, "the window of a stream is larger than L1");
  }
  if (options.window == 0) options.window = backend_->l1_budget() / 4;
  BlockStream stream;
  stream.state_ = std::make_unique<BlockStream::State>();
  stream.state_->backend = backend_;
  stream.state_->keys.assign(keys.begin(), keys.end());
  stream.state_->options = options;
  return stream;
}

}  // namespace terrace
