// The blocks of an experiment: one chain, whose bytes follow from the keys, so that whoever gets a block back
// can check every byte of it, in another process too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <terrace/store.h>

namespace terrace::cli {

struct BenchChain {
  Key root;
  std::vector<Key> keys;
  uint64_t block_bytes = 0;

  uint64_t bytes() const { return keys.size() * block_bytes; }
};
BenchChain make_chain(uint64_t blocks, uint64_t block_bytes);

// What the key says the bytes are. As fast as memory, so that the store is measured and not this.
void fill_block(const Key& key, std::span<std::byte> bytes);
bool holds_block(const Key& key, std::span<const std::byte> bytes);
// How many of the views are not, byte for byte, what their key says.
uint64_t count_wrong(const BenchChain& chain, std::span<const BlockView> views);

// A store whose tiers have announced what they hold and know the chain's namespace.
Outcome<std::unique_ptr<Store>> open_bench_store(StoreOptions options, const BenchChain& chain);

// Called after each block; a failure ends the experiment.
using EachBlock = std::function<Outcome<void>()>;

// Stores the chain block by block with reserve_wait, and returns once all of it is durable in the tiers. A
// write that was dropped or failed is a failure which names the block.
Outcome<void> store_chain(Store& store, const BenchChain& chain, const EachBlock& each);

}  // namespace terrace::cli
