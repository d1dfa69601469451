// Families of several members, Q4 and E4.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class FamilyRules : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    for (int i = 0; i < 200; ++i) families_.push_back(key(i + 1));
  }
  Key member(size_t family, uint32_t group, uint32_t shard, uint32_t shards) const {
    return member_key(families_[family], {group, shard, shards});
  }
  // One shard of one group of the families [first, first + count), as its rank would store them.
  void store_shard(size_t first, size_t count, uint32_t group, uint32_t shard, uint32_t shards,
                   uint64_t bytes = kBlock) {
    std::vector<BlockSpec> specs;
    for (size_t i = first; i < first + count; ++i) {
      specs.push_back({member(i, group, shard, shards), bytes, families_[i], {group, shard, shards}});
    }
    const Key parent = first == 0 ? Key{} : member(first - 1, group, shard, shards);
    auto answers = store_->reserve({root_, parent, specs});
    ASSERT_TRUE(answers);
    std::vector<Reservation> filled;
    for (auto& answer : *answers) {
      ASSERT_TRUE(answer.reservation);
      fill(answer.reservation);
      filled.push_back(std::move(answer.reservation));
    }
    ASSERT_TRUE(store_->commit(filled));
    settle();
  }
  FamilyLookup lookup(size_t count, const FamilyLayout& layout) {
    return store_->lookup_families(std::span(families_).first(count), layout).value();
  }
  std::vector<Key> families_;
};

TEST_F(FamilyRules, Q4_a_family_counts_only_when_all_its_shards_are_there) {
  open();
  const FamilyLayout two{.groups = {{.shards = 2}}};
  store_shard(0, 5, 0, 0, 2);
  EXPECT_EQ(lookup(5, two).found, 0u);
  EXPECT_EQ(lookup(5, two).reasons[0], MissReason::kFamilyIncomplete);
  store_shard(0, 3, 0, 1, 2);
  const FamilyLookup partly = lookup(6, two);
  EXPECT_EQ(partly.found, 3u);
  EXPECT_EQ(partly.reasons,
            (std::vector{MissReason::kFamilyIncomplete, MissReason::kBehindHole, MissReason::kBehindHole}));
  EXPECT_EQ(needed_members(families_, two, 3).size(), 6u);
  EXPECT_EQ(store_->get(needed_members(families_, two, 3))->size(), 6u);
}

TEST_F(FamilyRules, Q4_nothing_of_a_family_is_a_plain_miss) {
  open();
  EXPECT_EQ(lookup(2, {.groups = {{.shards = 2}}}).reasons[0], MissReason::kUnknown);
}

TEST_F(FamilyRules, Q4_no_families_need_no_members_however_many_shards) {
  const FamilyLayout many{.groups = std::vector<FamilyGroup>(1000, {.shards = UINT32_MAX})};
  EXPECT_TRUE(needed_members({}, many, 0).empty());
  EXPECT_TRUE(needed_members(families_, many, 0).empty());
}

TEST_F(FamilyRules, Q4_a_sliding_window_needs_only_the_members_inside_it) {
  open();
  const FamilyLayout layout{.groups = {{.shards = 1, .window = 0}, {.shards = 1, .window = 3}}};
  store_shard(0, 10, 0, 0, 1);
  store_shard(0, 10, 1, 0, 1);
  EXPECT_EQ(lookup(10, layout).found, 10u);
  std::vector<Key> head;
  for (size_t i = 0; i < 6; ++i) head.push_back(member(i, 1, 0, 1));
  ASSERT_TRUE(store_->remove(head));
  EXPECT_EQ(lookup(10, layout).found, 10u);  // 7, 8, 9 are there
  EXPECT_EQ(needed_members(families_, layout, 10).size(), 13u);
  ASSERT_TRUE(store_->remove(std::vector<Key>{member(9, 1, 0, 1)}));
  EXPECT_EQ(lookup(10, layout).found, 9u);  // 6, 7, 8
  ASSERT_TRUE(store_->remove(std::vector<Key>{member(7, 1, 0, 1)}));
  EXPECT_EQ(lookup(10, layout).found, 0u);  // no window of three is whole
  EXPECT_EQ(lookup(10, layout).reasons[0], MissReason::kFamilyIncomplete);
}

TEST_F(FamilyRules, E4_members_leave_L1_together) {
  open(0);
  const FamilyLayout two{.groups = {{.shards = 2}}};
  store_shard(0, 10, 0, 0, 2);
  store_shard(0, 10, 0, 1, 2);
  ASSERT_EQ(lookup(10, two).found, 10u);
  // Other prompts need the room of some of them.
  store_chain(5000, static_cast<int>(kL1Blocks) - 20 + 5);
  settle();
  const size_t left = lookup(10, two).found;
  EXPECT_LT(left, 10u);
  for (size_t i = 0; i < 10; ++i) {
    const bool there = i < left;
    EXPECT_EQ(store_->lookup(std::vector{member(i, 0, 0, 2)})->found, there ? 1u : 0u) << i;
    EXPECT_EQ(store_->lookup(std::vector{member(i, 0, 1, 2)})->found, there ? 1u : 0u) << i;
  }
}

TEST_F(FamilyRules, E4_a_leased_member_stays_for_its_reader) {
  open(0);
  store_shard(0, 1, 0, 0, 2);
  store_shard(0, 1, 0, 1, 2);
  const auto leased = store_->get(std::vector{member(0, 0, 1, 2)});
  ASSERT_EQ(leased->size(), 1u);
  store_chain(5000, static_cast<int>(kL1Blocks) - 1);
  settle();
  EXPECT_EQ(store_->lookup(std::vector{member(0, 0, 0, 2)})->found, 0u);
  EXPECT_TRUE(right((*leased)[0]));
}

TEST_F(FamilyRules, Q4_refuses_a_layout_without_shards_and_too_many_members) {
  open();
  EXPECT_EQ(store_->lookup_families(families_, {.groups = {{.shards = 0}}}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(store_->lookup_families(families_, {.groups = {{.shards = 1000}}}).error().code,
            Code::kLimitExceeded);
  // 2^64 members are not none.
  const std::vector<Key> many(kBatchMax);
  const std::vector<FamilyGroup> groups(size_t{1} << 17, {.shards = uint32_t{1} << 31});
  EXPECT_EQ(store_->lookup_families(many, {.groups = groups}).error().code, Code::kLimitExceeded);
}

}  // namespace
}  // namespace terrace::store
