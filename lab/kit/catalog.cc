#include "lab/kit/catalog.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kBlockTokens = 16;

uint64_t log_uniform(uint64_t least, uint64_t most, base::Random& random) {
  const double low = std::log2(static_cast<double>(least)), high = std::log2(static_cast<double>(most));
  const auto value = static_cast<uint64_t>(std::exp2(low + random.unit() * (high - low)));
  return std::clamp(value, least, most);
}

uint64_t near_an_edge(uint64_t most, base::Random& random) {
  const uint64_t unit = most > base::kMiB && random.one_in(4) ? base::kMiB : base::kPage;
  const uint64_t edge = (1 + random.below(std::max<uint64_t>(1, std::min<uint64_t>(most / unit, 16)))) * unit;
  constexpr std::array<int64_t, 5> kSteps{-8, -1, 0, 1, 8};
  return std::clamp<uint64_t>(edge + static_cast<uint64_t>(kSteps[random.below(kSteps.size())]), 1, most);
}

}  // namespace

std::string_view to_string(SizeMix mix) {
  constexpr std::array<std::string_view, kSizeMixes> kNames{"one", "few", "many", "tiny", "edges", "wide"};
  return kNames[static_cast<size_t>(mix)];
}

Catalog::Catalog(const CatalogOptions& options) {
  TERRACE_ASSERT(options.namespaces > 0 && options.chains >= options.namespaces &&
                 options.chain_blocks_max > 0);
  base::Random random(options.seed);
  for (int i = 0; i < 4; i++)
    few_.push_back(log_uniform(std::min<uint64_t>(512, options.bytes_max), options.bytes_max, random));
  for (uint32_t space = 0; space < options.namespaces; space++) {
    Namespace fields;
    fields.model_id = fmt::format("lab-{}-{}", options.seed, space);
    fields.block_tokens = kBlockTokens;
    if (space % 2 == 1) fields.tenant_salt = fmt::format("tenant-{}", space % 4);
    const auto root = namespace_root(fields);
    TERRACE_ASSERT(root.has_value());
    spaces_.push_back(std::move(fields));
    roots_.push_back(*root);
  }
  for (uint32_t chain = 0; chain < options.chains; chain++)
    add_chain(options, chain % options.namespaces, random);
}

// Half of the chains fork off an earlier one of their namespace, as prompts share their beginnings.
void Catalog::add_chain(const CatalogOptions& options, uint32_t space, base::Random& random) {
  std::vector<uint32_t> chain;
  const uint32_t earlier = static_cast<uint32_t>(chains_.size()) / options.namespaces;
  if (earlier > 0 && random.one_in(2)) {
    const auto& other = chains_[random.below(earlier) * options.namespaces + space];
    chain.assign(other.begin(), other.begin() + static_cast<int64_t>(1 + random.below(other.size())));
  }
  const uint32_t length = 1 + static_cast<uint32_t>(random.below(options.chain_blocks_max));
  PrefixHasher hasher(chain.empty() ? roots_[space] : blocks_[chain.back()].key);
  // One prompt repeats its tokens, and other namespaces have it too: only the prefix and the root tell apart.
  std::array<uint32_t, kBlockTokens> tokens;
  std::ranges::fill(tokens, earlier);
  while (chain.size() < length) {
    CatalogBlock block;
    block.key = member_key(hasher.next(tokens));
    block.parent = chain.empty() ? kNoBlock : chain.back();
    block.space = space;
    block.depth = static_cast<uint32_t>(chain.size());
    block.bytes = draw_size(options, random);
    const auto number = static_cast<uint32_t>(blocks_.size());
    const bool is_new = index_.emplace(block.key, number).second;
    TERRACE_ASSERT(is_new);
    blocks_.push_back(block);
    chain.push_back(number);
  }
  chains_.push_back(std::move(chain));
}

uint64_t Catalog::draw_size(const CatalogOptions& options, base::Random& random) const {
  switch (options.mix) {
    case SizeMix::kOne:
      return few_[0];
    case SizeMix::kFew:
      return few_[random.below(few_.size())];
    case SizeMix::kMany:
      return 1 + random.below(options.bytes_max);
    case SizeMix::kTiny:
      return 1 + random.below(std::min(options.bytes_max, base::kPage));
    case SizeMix::kEdges:
      return near_an_edge(options.bytes_max, random);
    case SizeMix::kWide:
      return log_uniform(1, options.bytes_max, random);
  }
  return 1;
}

uint32_t Catalog::find(const Key& key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? kNoBlock : found->second;
}

Key Catalog::parent_key(uint32_t block) const {
  const uint32_t parent = blocks_[block].parent;
  return parent == kNoBlock ? Key{} : blocks_[parent].key;
}

uint64_t Catalog::bytes() const {
  uint64_t sum = 0;
  for (const CatalogBlock& block : blocks_) sum += block.bytes;
  return sum;
}

}  // namespace terrace::lab
