// The checker checked: each kind of broken promise, made on purpose, is seen.
#include "lab/kit/client.h"

#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include "lab/kit/machine.h"

namespace terrace::lab {
namespace {

class ClientTest : public testing::Test {
 protected:
  ClientTest()
      : catalog_({.seed = 1, .namespaces = 1, .chains = 2, .chain_blocks_max = 6, .bytes_max = 8000}),
        machine_(options()),
        expected_(catalog_.size()) {}

  void SetUp() override {
    const auto started = machine_.start();
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_TRUE(machine_.store().wait_recovered(std::chrono::seconds(1)));
    ClientOptions how;
    how.instant = true;
    how.slack = std::chrono::microseconds(1);
    how.patience = std::chrono::seconds(10);
    client_ =
        std::make_unique<Client>(machine_.store(), catalog_, expected_, machine_.time(), findings_, how);
  }
  void TearDown() override {
    client_.reset();
    machine_.stop(std::chrono::seconds(10));
  }

  static MachineOptions options() {
    MachineOptions options;
    options.disk.paths = {"/store"};
    options.disk.segment_bytes = 256 << 10;
    options.disk.capacity_bytes = 16 << 20;
    options.store.l1.budget = 4 << 20;
    return options;
  }
  Operation whole(OpKind kind) const {
    Operation operation;
    operation.kind = kind;
    operation.count = static_cast<uint32_t>(catalog_.chain(0).size());
    operation.pick = 3;  // a get holds what it got
    operation.time = std::chrono::seconds(1);
    return operation;
  }
  void run(OpKind kind) {
    client_->run(whole(kind));
    machine_.time().run_for(std::chrono::milliseconds(50));
    client_->poll();
  }
  uint32_t first() const { return catalog_.chain(0)[0]; }
  std::string failures() const {
    std::string text;
    for (const auto& failure : findings_.failures) text += failure + "\n";
    return text;
  }

  const Catalog catalog_;
  Machine machine_;
  ExpectedState expected_;
  Findings findings_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, finds_nothing_wrong_with_a_sound_store) {
  for (const OpKind kind : {OpKind::kStore, OpKind::kLookup, OpKind::kGet, OpKind::kGetAsync,
                            OpKind::kGetInto, OpKind::kPrefetch, OpKind::kPin, OpKind::kSync, OpKind::kRemove,
                            OpKind::kGet, OpKind::kPut, OpKind::kReserve, OpKind::kAbort, OpKind::kRelease}) {
    run(kind);
  }
  client_->release_all();
  machine_.time().run_for(std::chrono::seconds(1));
  client_->poll();
  EXPECT_EQ(0u, client_->owed());
  EXPECT_TRUE(findings_.clean()) << failures();
  EXPECT_GT(findings_.counted("values"), 0u);
}

TEST_F(ClientTest, sees_bytes_that_change_under_a_lease) {
  run(OpKind::kStore);
  run(OpKind::kGet);
  auto blocks = machine_.store().get(std::span(&catalog_[first()].key, 1));
  ASSERT_EQ(1u, blocks->size());
  const auto bytes = (*blocks)[0].bytes;
  auto* byte = reinterpret_cast<unsigned char*>(reinterpret_cast<uintptr_t>(bytes.data()));
  byte[bytes.size() - 1] ^= 1;
  client_->release_all();
  EXPECT_EQ(1u, findings_.wrong) << failures();
}

TEST_F(ClientTest, sees_a_value_of_a_removed_writer) {
  run(OpKind::kStore);
  expected_.begin_remove(first());  // the store is not told
  expected_.end_remove(first());
  client_->check_block(first(), std::chrono::seconds(1));
  EXPECT_EQ(1u, findings_.wrong) << failures();
}

TEST_F(ClientTest, sees_an_acknowledged_block_that_is_missing) {
  run(OpKind::kStore);
  ASSERT_TRUE(expected_.of(first()).must_be_found());
  ASSERT_TRUE(machine_.store().remove(std::span(&catalog_[first()].key, 1)));  // the client is not told
  client_->check_block(first(), std::chrono::seconds(1));
  EXPECT_EQ(1u, findings_.failed) << failures();
}

TEST_F(ClientTest, sees_an_operation_that_never_ends) {
  machine_.faults().stall_until(machine_.time().now() + std::chrono::hours(1));
  client_->run(whole(OpKind::kStore));
  machine_.time().run_for(std::chrono::seconds(11));
  client_->poll();
  EXPECT_EQ(1u, findings_.counted("stuck")) << failures();
  machine_.faults().stall_until({});
  machine_.time().run_for(std::chrono::hours(2));  // it ends after all, so that nothing is left of it
  client_->poll();
}

}  // namespace
}  // namespace terrace::lab
