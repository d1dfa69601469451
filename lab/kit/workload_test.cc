#include "lab/kit/workload.h"

#include <set>

#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

TEST(Catalog, same_seed_gives_the_same_blocks) {
  const Catalog one({.seed = 5}), two({.seed = 5}), other({.seed = 6});
  ASSERT_EQ(one.size(), two.size());
  for (uint32_t i = 0; i < one.size(); i++) {
    EXPECT_EQ(one[i].key, two[i].key);
    EXPECT_EQ(one[i].bytes, two[i].bytes);
  }
  EXPECT_EQ(kNoBlock, one.find(other[0].key));
}

TEST(Catalog, chains_share_prefixes_and_link_to_their_parents) {
  const Catalog catalog({.seed = 1, .chains = 64});
  std::set<uint32_t> heads;
  for (uint32_t c = 0; c < catalog.chains(); c++) {
    const auto chain = catalog.chain(c);
    heads.insert(chain[0]);
    for (size_t i = 0; i < chain.size(); i++) {
      EXPECT_EQ(i == 0 ? kNoBlock : chain[i - 1], catalog[chain[i]].parent);
      EXPECT_EQ(i, catalog[chain[i]].depth);
      EXPECT_EQ(catalog.space_of(c), catalog[chain[i]].space);
      EXPECT_EQ(chain[i], catalog.find(catalog[chain[i]].key));
    }
  }
  EXPECT_LT(heads.size(), catalog.chains());
}

TEST(Catalog, every_mix_stays_within_its_bounds) {
  for (int mix = 0; mix < kSizeMixes; mix++) {
    const Catalog catalog({.seed = 3, .chains = 100, .mix = static_cast<SizeMix>(mix), .bytes_max = 3 << 20});
    for (uint32_t i = 0; i < catalog.size(); i++) {
      EXPECT_GE(catalog[i].bytes, 1u);
      EXPECT_LE(catalog[i].bytes, 3u << 20) << to_string(static_cast<SizeMix>(mix));
    }
  }
}

TEST(Workload, same_seed_gives_the_same_operations) {
  const Catalog catalog({.seed = 1});
  Workload one(catalog, {.seed = 9}), two(catalog, {.seed = 9});
  for (int i = 0; i < 1000; i++) {
    const Operation a = one.next(), b = two.next();
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.chain, b.chain);
    EXPECT_EQ(a.pick, b.pick);
    EXPECT_EQ(a.time, b.time);
  }
}

TEST(Workload, slices_lie_within_their_chain) {
  const Catalog catalog({.seed = 1});
  Workload workload(catalog, {.seed = 2});
  for (int i = 0; i < 10'000; i++) {
    const Operation operation = workload.next();
    EXPECT_GE(operation.count, 1u);
    EXPECT_LE(operation.first + operation.count, catalog.chain(operation.chain).size());
  }
}

TEST(Workload, writes_stay_with_their_owner) {
  const Catalog catalog({.seed = 1, .namespaces = 4});
  Workload workload(catalog, {.seed = 2, .owner = 3, .owners = 4});
  std::set<uint32_t> read_spaces;
  for (int i = 0; i < 10'000; i++) {
    const Operation operation = workload.next();
    const uint32_t space = catalog.space_of(operation.chain);
    const bool write = operation.kind == OpKind::kStore || operation.kind == OpKind::kPut ||
                       operation.kind == OpKind::kRemove || operation.kind == OpKind::kClear ||
                       operation.kind == OpKind::kReserve;
    if (write)
      EXPECT_EQ(3u, space);
    else
      read_spaces.insert(space);
  }
  EXPECT_EQ(4u, read_spaces.size());
}

TEST(Workload, seeds_switch_kinds_off_and_every_kind_comes) {
  const Catalog catalog({.seed = 1});
  std::array<int, kOpKinds> on{};
  for (uint64_t seed = 0; seed < 100; seed++) {
    const Workload workload(catalog, {.seed = seed});
    for (size_t kind = 0; kind < kOpKinds; kind++) on[kind] += workload.weight(static_cast<OpKind>(kind)) > 0;
  }
  for (size_t kind = 0; kind < kOpKinds; kind++)
    EXPECT_GT(on[kind], 50) << to_string(static_cast<OpKind>(kind));
  EXPECT_EQ(100, on[static_cast<size_t>(OpKind::kGet)]);
  EXPECT_LT(on[static_cast<size_t>(OpKind::kPrefetch)], 100);
}

}  // namespace
}  // namespace terrace::lab
