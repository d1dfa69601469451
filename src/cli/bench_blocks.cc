#include "cli/bench_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "cli/open_store.h"

namespace terrace::cli {
namespace {

constexpr uint64_t kStep = 0x9E3779B97F4A7C15ULL;  // odd: a block's words are all different

Namespace bench_namespace() {
  Namespace fields;
  fields.model_id = "bench";
  fields.producer = "terrace bench";
  return fields;
}

Failure cannot(std::string_view what, const Error& error) {
  return {error, fmt::format("{}: {}", what, to_string(error))};
}

// The last word may be needed in part: a block has any length.
std::array<std::byte, 8> bytes_of(uint64_t word) {
  return std::bit_cast<std::array<std::byte, 8>>(word);
}

// Follows the writes of a chain to their ends.
class ChainWriter {
 public:
  ChainWriter(Store& store, const BenchChain& chain)
      : store_(store), chain_(chain), queue_(store.make_queue()) {}

  Outcome<void> put(size_t index) {
    const BlockSpec block{.key = chain_.keys[index], .bytes = chain_.block_bytes, .family = {}, .member = {}};
    const Key parent = index == 0 ? Key{} : chain_.keys[index - 1];
    auto answers = store_.reserve_wait({chain_.root, parent, std::span(&block, 1)}, kOperationTimeout);
    if (!answers) return std::unexpected(cannot("reserve_wait", answers.error()));
    Reservation& reservation = answers->front().reservation;
    if (!reservation) {
      return failure(Code::kNoRoom, fmt::format("block {}: reserve_wait gave no buffer in time", index));
    }
    fill_block(block.key, reservation.bytes());
    const auto committed = store_.commit(std::span(&reservation, 1), {queue_, index});
    if (!committed) return std::unexpected(cannot("commit", committed.error()));
    ++running_;
    if (auto taken = take(Timeout(0)); !taken) return std::unexpected(taken.error());
    return {};
  }

  Outcome<void> finish() {
    while (running_ > 0) {
      const auto taken = take(kOperationTimeout);
      if (!taken) return std::unexpected(taken.error());
      if (*taken == 0) return failure(Code::kDeadline, "writes did not end in time");
    }
    const auto synced = store_.sync(kOperationTimeout);
    if (!synced) return std::unexpected(cannot("sync", synced.error()));
    return {};
  }

 private:
  // How many events came, waiting for one of them until the timeout.
  Outcome<size_t> take(Timeout timeout) {
    std::array<Completion, 64> events;
    const size_t count = timeout == Timeout(0) ? queue_->poll(events) : queue_->wait(events, timeout);
    for (const Completion& event : std::span(events).first(count)) {
      if (event.kind == EventKind::kWriteBatch) --running_;
      if (event.kind != EventKind::kWrite || event.status == WriteStatus::kOk) continue;
      return failure(Code::kUnavailable,
                     fmt::format("block {} was not written: {}", event.tag,
                                 event.status == WriteStatus::kFailed ? to_string(event.error)
                                                                      : std::string(to_string(event.cause))));
    }
    return count;
  }

  Store& store_;
  const BenchChain& chain_;
  const std::shared_ptr<CompletionQueue> queue_;
  size_t running_ = 0;  // commits whose kWriteBatch has not come
};

}  // namespace

BenchChain make_chain(uint64_t blocks, uint64_t block_bytes) {
  std::vector<uint32_t> tokens(blocks);
  std::iota(tokens.begin(), tokens.end(), 0);
  const Key root = *namespace_root(bench_namespace());
  return {root, block_keys(root, tokens, 1), block_bytes};
}

void fill_block(const Key& key, std::span<std::byte> bytes) {
  const uint64_t first = key.word(0);
  const size_t words = bytes.size() / sizeof first;
  for (size_t i = 0; i < words; ++i) {
    const uint64_t word = first + i * kStep;
    std::memcpy(bytes.data() + i * sizeof word, &word, sizeof word);
  }
  const auto last = bytes_of(first + words * kStep);
  std::ranges::copy_n(last.begin(), static_cast<std::ptrdiff_t>(bytes.size() % sizeof first),
                      bytes.subspan(words * sizeof first).begin());
}

bool holds_block(const Key& key, std::span<const std::byte> bytes) {
  const uint64_t first = key.word(0);
  const size_t words = bytes.size() / sizeof first;
  uint64_t different = 0;  // gathered: a branch a word would be slower than memory
  for (size_t i = 0; i < words; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
    different |= word ^ (first + i * kStep);
  }
  const auto last = bytes_of(first + words * kStep);
  return different == 0 && std::ranges::equal(bytes.subspan(words * sizeof first),
                                              std::span(last).first(bytes.size() % sizeof first));
}

uint64_t count_wrong(const BenchChain& chain, std::span<const BlockView> views) {
  return static_cast<uint64_t>(std::ranges::count_if(views, [&](const BlockView& view) {
    return view.bytes.size() != chain.block_bytes || !holds_block(view.key, view.bytes);
  }));
}

Outcome<std::unique_ptr<Store>> open_bench_store(StoreOptions options, const BenchChain& chain) {
  options.l1.largest_block = chain.block_bytes;
  options.get_timeout = kOperationTimeout;
  options.operation_timeout = kOperationTimeout;
  auto store = Store::open(options);
  if (!store) return store;
  if (!(*store)->wait_recovered(kOperationTimeout)) {
    return failure(Code::kDeadline, "the store was not ready in time");
  }
  if (auto root = (*store)->open_namespace(bench_namespace()); !root) return std::unexpected(root.error());
  return store;
}

Outcome<void> store_chain(Store& store, const BenchChain& chain, const EachBlock& each) {
  ChainWriter writer(store, chain);
  for (size_t i = 0; i < chain.keys.size(); ++i) {
    if (auto put = writer.put(i); !put) return put;
    if (auto ok = each(); !ok) return ok;
  }
  return writer.finish();
}

}  // namespace terrace::cli
