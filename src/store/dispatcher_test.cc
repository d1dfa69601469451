#include <terrace/dispatcher.h>

#include <stdexcept>

#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

class DispatcherTest : public testing::StoreTest {};

TEST_F(DispatcherTest, S4_runs_callbacks_in_dispatch_only_each_event_once) {
  open();
  Dispatcher dispatcher(*store_);
  int writes = 0, batches = 0;
  store_chain(1, 3, {}, dispatcher.on(EventKind::kWriteBatch, [&](const Completion& event) {
    ++(event.kind == EventKind::kWrite ? writes : batches);
  }));
  settle();
  EXPECT_EQ(writes + batches, 0);
  EXPECT_EQ(dispatcher.dispatch(), 4u);
  EXPECT_EQ(writes, 3);
  EXPECT_EQ(batches, 1);
  EXPECT_EQ(dispatcher.dispatch(), 0u);
}

TEST_F(DispatcherTest, S4_contains_and_counts_a_callback_that_throws) {
  open();
  Dispatcher dispatcher(*store_);
  store_chain(1, 2, {}, dispatcher.on(EventKind::kWriteBatch, [](const Completion&) {
    throw std::runtime_error("callback");
  }));
  settle();
  dispatcher.dispatch();
  EXPECT_EQ(dispatcher.callbacks_failed(), 3u);
}

TEST_F(DispatcherTest, S4_a_future_gets_the_last_event) {
  open();
  Dispatcher dispatcher(*store_);
  std::future<Completion> future;
  store_chain(1, 2, {}, dispatcher.on(EventKind::kWriteBatch, future));
  settle();
  while (dispatcher.dispatch() > 0) {
  }
  ASSERT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(future.get().kind, EventKind::kWriteBatch);
}

TEST_F(DispatcherTest, S4_the_queue_has_a_descriptor_that_engines_poll) {
  open();
  Dispatcher dispatcher(*store_);
  EXPECT_GE(dispatcher.fd(), 0);
}

}  // namespace
}  // namespace terrace::store
