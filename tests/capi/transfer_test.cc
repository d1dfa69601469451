// Bytes that move between the caller's own memory and the store.
#include <sys/mman.h>
#include <unistd.h>

#include "capi/store_fixture.h"

namespace terrace::capi_tests {
namespace {

class CApiTransfer : public CStore {};
TERRACE_WITH_BOTH_STORES(CApiTransfer);

// Memory that both kinds of store can reach: by its descriptor. Slices begin at pages.
class SharedMemory {
 public:
  static constexpr uint64_t kStride = 61'440, kBytes = 8 * kStride;

  SharedMemory() : fd_(::memfd_create("capi test", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    EXPECT_EQ(::ftruncate(fd_, kBytes), 0);
    data_ = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    EXPECT_NE(data_, MAP_FAILED);
  }
  ~SharedMemory() {
    ::munmap(data_, kBytes);
    ::close(fd_);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  int fd() const { return fd_; }
  void* block(size_t i) const { return static_cast<char*>(data_) + i * kStride; }
  static std::vector<terrace_slice> slices(uint64_t region, size_t count) {
    std::vector<terrace_slice> all;
    for (size_t i = 0; i < count; ++i) all.push_back({region, i * kStride, kBlock});
    return all;
  }

 private:
  int fd_;
  void* data_ = nullptr;
};

TEST_P(CApiTransfer, blocks_move_between_the_callers_memory_and_the_tiers) {
  open("staging");
  const SharedMemory memory;
  uint64_t region = 0;
  ok(terrace_register_shared_region(store_, memory.fd(), 0, SharedMemory::kBytes, &region, &error_));
  EXPECT_GT(region, 0u);
  for (uint32_t i = 0; i < 4; ++i) std::memset(memory.block(i), byte_of(1 + i), kBlock);
  const auto queue = make_queue();
  Request request(1, 4);
  ok(terrace_put(store_, &request.named, SharedMemory::slices(region, 4).data(), request.outcomes.data(),
                 queue.get(), 9, &error_));
  EXPECT_EQ(request.outcomes, std::vector<uint8_t>(4, TERRACE_RESERVE_ACCEPTED));
  (void)events(queue.get(), TERRACE_EVENT_RELEASED, 4);
  sync();
  for (uint32_t i = 0; i < 5; ++i) std::memset(memory.block(i), 0xEE, kBlock);

  terrace_into_operation* operation = nullptr;
  ok(terrace_get_into(store_, keys_of(1, 5).data(), SharedMemory::slices(region, 5).data(), 5, kPatience,
                      nullptr, queue.get(), 10, &operation, &error_));
  const Held<terrace_into_operation> running(operation);
  bool released = false;
  ok(terrace_into_wait(operation, kPatience, &released, &error_));
  EXPECT_TRUE(released && terrace_into_ready(operation) && terrace_into_released(operation));
  size_t delivered = 0;
  std::array<uint16_t, 5> sources{};
  std::array<uint8_t, 5> reasons{};
  ok(terrace_into_result(operation, &delivered, sources.data(), reasons.data(), &error_));
  EXPECT_EQ(delivered, 4u);
  EXPECT_EQ(sources, (std::array<uint16_t, 5>{1, 1, 1, 1, 0}));
  EXPECT_EQ(reasons[3], TERRACE_MISS_NONE);
  EXPECT_EQ(reasons[4], TERRACE_MISS_UNKNOWN);
  for (uint32_t i = 0; i < 4; ++i) EXPECT_TRUE(is_block(1 + i, memory.block(i), kBlock)) << i;
  ok(terrace_unregister_region(store_, region, &error_));
  refused(terrace_unregister_region(store_, region, &error_), TERRACE_NOT_FOUND, "region");
}

TEST_P(CApiTransfer, what_is_put_in_cache_is_copied_within_the_call) {
  open();
  const SharedMemory memory;
  uint64_t region = 0;
  ok(terrace_register_shared_region(store_, memory.fd(), 0, SharedMemory::kBytes, &region, &error_));
  for (uint32_t i = 0; i < 2; ++i) std::memset(memory.block(i), byte_of(1 + i), kBlock);
  Request request(1, 2);
  ok(terrace_put(store_, &request.named, SharedMemory::slices(region, 2).data(), request.outcomes.data(),
                 nullptr, 0, &error_));
  EXPECT_EQ(request.outcomes, std::vector<uint8_t>(2, TERRACE_RESERVE_BUFFER));
  std::memset(memory.block(0), 0xEE, kBlock);
  EXPECT_EQ(right_blocks(get(1, 2).get(), 1), 2u);
}

TEST_P(CApiTransfer, plain_memory_is_for_the_store_of_this_process) {
  open();
  std::vector<char> memory(2 * kBlock);
  uint64_t region = 0;
  const terrace_code code = terrace_register_region(store_, memory.data(), memory.size(), &region, &error_);
  if (!embedded()) return refused(code, TERRACE_UNSUPPORTED, "register_shared_region");
  ok(code);
  ASSERT_EQ(store_blocks(1, 1), 1u);
  const terrace_slice slice{region, kBlock, kBlock};
  terrace_into_operation* operation = nullptr;
  ok(terrace_get_into(store_, keys_of(1, 1).data(), &slice, 1, kPatience, nullptr, nullptr, 0, &operation,
                      &error_));
  bool released = false;
  ok(terrace_into_wait(operation, kPatience, &released, &error_));
  EXPECT_TRUE(released);
  EXPECT_TRUE(is_block(1, memory.data() + kBlock, kBlock));
  terrace_into_free(operation);
  ok(terrace_unregister_region(store_, region, &error_));
}

TEST_P(CApiTransfer, a_get_into_that_is_cancelled_gives_the_memory_back) {
  open("staging");
  const SharedMemory memory;
  uint64_t region = 0;
  ok(terrace_register_shared_region(store_, memory.fd(), 0, SharedMemory::kBytes, &region, &error_));
  ASSERT_EQ(store_blocks(1, 4), 4u);
  sync();
  const auto queue = make_queue();
  terrace_into_operation* operation = nullptr;
  ok(terrace_get_into(store_, keys_of(1, 4).data(), SharedMemory::slices(region, 4).data(), 4, kPatience,
                      nullptr, queue.get(), 1, &operation, &error_));
  terrace_into_cancel(operation);
  terrace_into_free(operation);
  EXPECT_FALSE(events(queue.get(), TERRACE_EVENT_RELEASED).empty());
  ok(terrace_unregister_region(store_, region, &error_));
}

}  // namespace
}  // namespace terrace::capi_tests
