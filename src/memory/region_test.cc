#include "memory/region.h"

#include <vector>

#include <gtest/gtest.h>

namespace terrace::memory {
namespace {

TEST(Region, stays_registered_while_an_operation_may_touch_it_R5) {
  std::vector<std::byte> pool(8192);
  RegionTable table;
  const RegionId id = table.add(pool).value();
  {
    auto use = table.use(std::span(pool).subspan(100, 200));
    ASSERT_TRUE(use);
    RegionUse moved = std::move(*use);
    EXPECT_EQ(moved.region(), id);
    EXPECT_EQ(table.uses(id), 1u);
    EXPECT_EQ(table.remove(id).error().code, Code::kBusy);
  }
  EXPECT_EQ(table.uses(id), 0u);
  EXPECT_TRUE(table.remove(id));
  EXPECT_EQ(table.remove(id).error().code, Code::kNotFound);
}

TEST(Region, memory_outside_or_across_regions_is_refused) {
  std::vector<std::byte> pool(8192);
  RegionTable table;
  ASSERT_TRUE(table.add(std::span(pool).first(4096)));
  EXPECT_FALSE(table.use(std::span(pool).subspan(4000, 200)));
  EXPECT_FALSE(table.use(std::span(pool).subspan(4096, 1)));
  EXPECT_FALSE(table.use(std::span(pool).first(0)));
  EXPECT_TRUE(table.use(std::span(pool).first(4096)));
}

TEST(Region, overlapping_and_empty_regions_are_refused) {
  std::vector<std::byte> pool(8192);
  RegionTable table;
  ASSERT_TRUE(table.add(std::span(pool).subspan(1024, 1024)));
  EXPECT_FALSE(table.add(std::span(pool).first(1025)));
  EXPECT_FALSE(table.add(std::span(pool).subspan(2047, 10)));
  EXPECT_FALSE(table.add(pool));
  EXPECT_FALSE(table.add({}));
  EXPECT_TRUE(table.add(std::span(pool).first(1024)));
  EXPECT_TRUE(table.add(std::span(pool).subspan(2048)));
}

}  // namespace
}  // namespace terrace::memory
