// Short ways for tests to use a server through the public client.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <terrace/client.h>

namespace terrace::server_tests {

inline constexpr uint64_t kBlock = 60'000;

inline Key key_of(uint32_t n) {
  Key key;
  for (size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<uint8_t>(n >> (i % 4 * 8));
  key.bytes[0] = static_cast<uint8_t>(n * 31);
  return key;
}
inline std::byte byte_of(uint32_t n) {
  return std::byte{static_cast<uint8_t>(n + 1)};
}
inline std::vector<Key> keys_of(uint32_t first, uint32_t count) {
  std::vector<Key> keys;
  for (uint32_t i = 0; i < count; ++i) keys.push_back(key_of(first + i));
  return keys;
}
inline std::vector<BlockSpec> specs_of(uint32_t first, uint32_t count) {
  std::vector<BlockSpec> specs;
  for (const Key& key : keys_of(first, count)) specs.push_back({.key = key, .bytes = kBlock});
  return specs;
}
// Block first + i stands in blocks[i], whole.
inline bool hold_right_bytes(const Blocks& blocks, uint32_t first) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto expected = byte_of(first + static_cast<uint32_t>(i));
    const auto bytes = blocks[i].bytes;
    if (bytes.size() != kBlock ||
        !std::ranges::all_of(bytes, [&](std::byte byte) { return byte == expected; }))
      return false;
  }
  return true;
}

class TestClient {
 public:
  // Without a store when the server refuses; `message` says why.
  explicit TestClient(const std::string& socket) {
    auto opened = connect({.socket = socket, .name = "test", .patience = std::chrono::seconds(20)});
    if (opened) {
      store_ = std::move(*opened);
    } else {
      message = opened.error().message;
    }
  }

  bool connected() const { return store_ != nullptr; }
  void disconnect() { store_.reset(); }
  Store& operator*() const { return *store_; }
  Store* operator->() const { return store_.get(); }

  // A chain of blocks first, first + 1, ...; those that got a buffer.
  std::vector<Reservation> reserve(uint32_t first, uint32_t count) {
    std::vector<Reservation> given;
    const auto blocks = specs_of(first, count);
    auto answers = store_->reserve({.root = root(), .blocks = blocks});
    if (!answers) return given;
    for (ReserveAnswer& answer : *answers) {
      if (answer.reservation) given.push_back(std::move(answer.reservation));
    }
    return given;
  }
  // Reserves, fills, commits; how many blocks.
  size_t store(uint32_t first, uint32_t count, const Notify& notify = {}) {
    auto given = reserve(first, count);
    for (size_t i = 0; i < given.size(); ++i)
      std::ranges::fill(given[i].bytes(), byte_of(first + static_cast<uint32_t>(i)));
    return store_->commit(given, notify) ? given.size() : 0;
  }
  size_t lookup(uint32_t first, uint32_t count) {
    const auto found = store_->lookup(keys_of(first, count));
    return found ? found->found : 0;
  }
  MissReason reason(uint32_t first) {
    const auto found = store_->lookup(keys_of(first, 1));
    return found && !found->reasons.empty() ? found->reasons[0] : MissReason::kNone;
  }
  Blocks get(uint32_t first, uint32_t count) {
    auto got = store_->get(keys_of(first, count));
    return got ? std::move(*got) : Blocks{};
  }
  static Key root() { return key_of(1'000'000); }

  std::string message;

 private:
  std::unique_ptr<Store> store_;
};

}  // namespace terrace::server_tests
