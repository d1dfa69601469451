// What adding a policy takes: a class, a function that makes it, a line in a registry.
#include "policy/registry.h"

#include <gtest/gtest.h>

#include "policy/eviction.h"
#include "policy/store.h"

namespace terrace::policy {
namespace {

// Most recently used leaves first: a policy nobody should want.
class Mru final : public EvictionPolicy {
 public:
  std::string_view name() const override { return "mru"; }
  Rank rank(const Use& use) override { return UINT64_MAX - use.time; }
};

std::unique_ptr<EvictionPolicy> make_mru() {
  return std::make_unique<Mru>();
}

constexpr RegistryEntry<EvictionPolicy> kWithOneMore[] = {{"mru", make_mru}};

TEST(Registry, a_policy_is_added_by_one_class_and_one_line_S5_E1) {
  const auto made = make_from<EvictionPolicy>(kWithOneMore, "an eviction policy", "mru");
  ASSERT_TRUE(made);
  const Key key{};
  EXPECT_GT((*made)->rank({key, 1, true}), (*made)->rank({key, 2, true}));
}

TEST(Registry, a_name_that_is_not_there_is_answered_with_those_that_are_C1) {
  const auto missing = make_from<EvictionPolicy>(kWithOneMore, "an eviction policy", "clairvoyant");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(missing.error().message, "'clairvoyant' is not an eviction policy; allowed are: mru");
}

}  // namespace
}  // namespace terrace::policy
