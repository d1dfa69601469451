// The blocks a run of the lab knows: chains over a tree of shared prefixes, in several namespaces, with sizes
// from a hostile mix. Everything follows from the seed, so that a child process and its checker agree without
// talking.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <terrace/key.h>

#include "base/random.h"

namespace terrace::lab {

enum class SizeMix : uint8_t {
  kOne,    // all alike, as a real model has them
  kFew,    // four sizes
  kMany,   // nearly every block its own size: more than there may be size classes
  kTiny,   // 1 byte to a page
  kEdges,  // around multiples of pages and parts, one byte either side
  kWide,   // from bytes to bytes_max, evenly by magnitude
};
inline constexpr int kSizeMixes = 6;
std::string_view to_string(SizeMix mix);

struct CatalogOptions {
  uint64_t seed = 1;
  uint32_t namespaces = 2;
  uint32_t chains = 32;            // over all namespaces; each belongs to one
  uint32_t chain_blocks_max = 12;  // length of the longest
  SizeMix mix = SizeMix::kWide;
  uint64_t bytes_max = 32 << 10;  // payload of the largest block
};

inline constexpr uint32_t kNoBlock = UINT32_MAX;

struct CatalogBlock {
  Key key;
  uint32_t parent = kNoBlock;  // index of the preceding block of its chains
  uint32_t space = 0;          // index of its namespace
  uint32_t depth = 0;          // 0: head of its chains
  uint64_t bytes = 0;
};

class Catalog {
 public:
  explicit Catalog(const CatalogOptions& options);

  uint32_t size() const { return static_cast<uint32_t>(blocks_.size()); }
  const CatalogBlock& operator[](uint32_t block) const { return blocks_[block]; }
  // kNoBlock when the key is not of this catalog.
  uint32_t find(const Key& key) const;
  Key parent_key(uint32_t block) const;

  uint32_t chains() const { return static_cast<uint32_t>(chains_.size()); }
  // Blocks from head to tail; at least one.
  std::span<const uint32_t> chain(uint32_t chain) const { return chains_[chain]; }
  uint32_t space_of(uint32_t chain) const { return blocks_[chains_[chain][0]].space; }

  uint32_t spaces() const { return static_cast<uint32_t>(spaces_.size()); }
  const Namespace& space(uint32_t index) const { return spaces_[index]; }
  const Key& root(uint32_t space) const { return roots_[space]; }

  uint64_t bytes() const;  // payload of all blocks

 private:
  void add_chain(const CatalogOptions& options, uint32_t space, base::Random& random);
  uint64_t draw_size(const CatalogOptions& options, base::Random& random) const;

  std::vector<CatalogBlock> blocks_;
  std::vector<std::vector<uint32_t>> chains_;
  std::vector<Namespace> spaces_;
  std::vector<Key> roots_;
  std::vector<uint64_t> few_;  // sizes of kFew; the first is kOne's
  std::unordered_map<Key, uint32_t, KeyHash> index_;
};

}  // namespace terrace::lab
