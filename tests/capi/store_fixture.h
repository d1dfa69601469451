// A store behind the C ABI: of this process, or of a server in it. Each test runs with both.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <terrace/terrace.h>

#include "server/server_fixture.h"

namespace terrace::capi_tests {

using ::testing::HasSubstr;

inline constexpr uint64_t kBlock = 60'000;
inline constexpr int64_t kPatience = 20'000'000'000;

inline terrace_key key_of(uint32_t n) {
  terrace_key key{};
  for (size_t i = 0; i < sizeof key.bytes; ++i) key.bytes[i] = static_cast<uint8_t>(n >> (i % 4 * 8));
  key.bytes[0] = static_cast<uint8_t>(n * 31);
  return key;
}
inline std::vector<terrace_key> keys_of(uint32_t first, uint32_t count) {
  std::vector<terrace_key> keys;
  for (uint32_t i = 0; i < count; ++i) keys.push_back(key_of(first + i));
  return keys;
}
inline int byte_of(uint32_t n) {
  return static_cast<uint8_t>(n + 1);
}
inline bool is_block(uint32_t n, const void* data, uint64_t bytes) {
  const std::vector<unsigned char> expected(kBlock, static_cast<unsigned char>(byte_of(n)));
  return bytes == kBlock && std::memcmp(data, expected.data(), kBlock) == 0;
}

struct Request {
  explicit Request(uint32_t first, uint32_t count) : outcomes(count, 99), reservations(count) {
    for (const terrace_key& key : keys_of(first, count)) {
      terrace_block_spec block{};
      block.key = key;
      block.bytes = kBlock;
      blocks.push_back(block);
    }
    named.size = sizeof named;
    named.root = key_of(1'000'000);
    named.blocks = blocks.data();
    named.count = count;
  }
  std::vector<terrace_block_spec> blocks;
  std::vector<uint8_t> outcomes;
  std::vector<terrace_reservation*> reservations;
  terrace_reserve_request named{};
};

// Ends what a test holds.
struct End {
  void operator()(terrace_blocks* handle) const { terrace_blocks_release(handle); }
  void operator()(terrace_pin* handle) const { terrace_pin_release(handle); }
  void operator()(terrace_queue* handle) const { terrace_queue_free(handle); }
  void operator()(terrace_lookup_operation* handle) const { terrace_lookup_free(handle); }
  void operator()(terrace_get_operation* handle) const { terrace_get_free(handle); }
  void operator()(terrace_into_operation* handle) const { terrace_into_free(handle); }
  void operator()(terrace_prefetch_ticket* handle) const { terrace_prefetch_free(handle); }
  void operator()(char* text) const { terrace_text_free(text); }
};
template <class Handle>
using Held = std::unique_ptr<Handle, End>;

enum class Kind { kEmbedded, kServer };

class CStore : public server_tests::ServerTest, public ::testing::WithParamInterface<Kind> {
 protected:
  bool embedded() const { return GetParam() == Kind::kEmbedded; }

  // With a disk tier. `l1_mode` as the configuration writes it.
  void open(const std::string& l1_mode = "cache") {
    if (embedded()) {
      const std::string yaml = "l1: {budget: 16MiB, mode: " + l1_mode + "}\ntiers:\n  - disk: {paths: [" +
                               (directory_ / "store").string() + "], capacity: 64MiB}\n";
      ok(terrace_open_text(yaml.c_str(), &store_, &error_));
      return;
    }
    TierOptions disk;
    disk.disk.paths = {directory_ / "store"};
    disk.disk.capacity = 64 << 20;
    options_.store.tiers = {disk};
    if (l1_mode == "staging") options_.store.l1.mode = L1Mode::kStaging;
    start();
    terrace_connect_options options{};
    options.size = sizeof options;
    options.socket = options_.socket.c_str();
    options.name = "capi test";
    options.patience_ns = kPatience;
    ok(terrace_connect(&options, &store_, &error_));
  }
  void free_store() { terrace_store_free(std::exchange(store_, nullptr)); }
  void TearDown() override {
    free_store();
    ServerTest::TearDown();
  }

  // The call did what it was to do.
  void ok(terrace_code code) const {
    EXPECT_EQ(code, TERRACE_OK) << error_.message;
    EXPECT_EQ(error_.code, TERRACE_OK);
    EXPECT_STREQ(error_.message, "");
  }
  // It was refused with this code, in words that hold `text`.
  void refused(terrace_code code, terrace_code expected, const std::string& text) const {
    EXPECT_EQ(code, expected) << terrace_code_name(code) << ": " << error_.message;
    EXPECT_EQ(error_.code, expected);
    EXPECT_THAT(std::string(error_.message), HasSubstr(text));
  }

  // How many blocks of the chain first, first + 1, ... were committed.
  size_t store_blocks(uint32_t first, uint32_t count, terrace_queue* queue = nullptr, uint64_t tag = 0) {
    Request request(first, count);
    ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(),
                       &error_));
    size_t given = 0;
    for (uint32_t i = 0; i < count; ++i) {
      uint64_t bytes = 0;
      void* const buffer = terrace_reservation_buffer(request.reservations[i], &bytes);
      if (buffer == nullptr) continue;
      EXPECT_EQ(bytes, kBlock);
      std::memset(buffer, byte_of(first + i), bytes);
      ++given;
    }
    ok(terrace_commit(store_, request.reservations.data(), count, queue, tag, &error_));
    for (const terrace_reservation* reservation : request.reservations) EXPECT_EQ(reservation, nullptr);
    return given;
  }
  size_t lookup(uint32_t first, uint32_t count) {
    size_t found = 99;
    ok(terrace_lookup(store_, keys_of(first, count).data(), count, &found, nullptr, nullptr, nullptr,
                      &error_));
    return found;
  }
  Held<terrace_blocks> get(uint32_t first, uint32_t count, const terrace_get_options* options = nullptr) {
    terrace_blocks* blocks = nullptr;
    ok(terrace_get(store_, keys_of(first, count).data(), count, kPatience, options, &blocks, &error_));
    return Held<terrace_blocks>(blocks);
  }
  // How many of them, all whole and right.
  static size_t right_blocks(const terrace_blocks* blocks, uint32_t first) {
    size_t count = 0;
    const terrace_block* const list = terrace_blocks_list(blocks, &count);
    for (uint32_t i = 0; i < count; ++i) EXPECT_TRUE(is_block(first + i, list[i].data, list[i].bytes)) << i;
    return count;
  }
  Held<terrace_queue> make_queue() {
    terrace_queue* queue = nullptr;
    ok(terrace_make_queue(store_, &queue, &error_));
    return Held<terrace_queue>(queue);
  }
  // Until `count` events of this kind came; all that came.
  std::vector<terrace_completion> events(terrace_queue* queue, uint8_t last, size_t count = 1) {
    std::vector<terrace_completion> all;
    std::array<terrace_completion, 16> some;
    while (count > 0) {
      size_t came = 0;
      ok(terrace_queue_wait(queue, kPatience, some.data(), some.size(), &came, &error_));
      if (came == 0) break;
      for (size_t i = 0; i < came; ++i) {
        all.push_back(some[i]);
        if (some[i].kind == last) --count;
      }
    }
    return all;
  }
  void sync() { ok(terrace_sync(store_, kPatience, &error_)); }
  // What does not fit L1 any more is on the disk only.
  void push_out() {
    for (uint32_t chain = 50; chain < 80; ++chain) store_blocks(1000 * chain, 10);
    sync();  // what is being written cannot leave
  }

  terrace_store* store_ = nullptr;
  mutable terrace_error error_{};
};

inline std::string name_of(const ::testing::TestParamInfo<Kind>& kind) {
  return kind.param == Kind::kEmbedded ? "embedded" : "server";
}

#define TERRACE_WITH_BOTH_STORES(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::Values(Kind::kEmbedded, Kind::kServer), name_of)

}  // namespace terrace::capi_tests
