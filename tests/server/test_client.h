// Short ways for tests to ask a server: what a client does, message by message.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/clock.h"
#include "client/connection.h"

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

class TestClient {
 public:
  struct Filling {
    uint64_t reservation;
    client::SharedBytes bytes;
  };
  struct Got {
    uint64_t lease = 0;
    std::vector<client::SharedBytes> blocks;
    std::vector<MissReason> reasons;
  };

  // Null when the server refuses; `error` says why.
  explicit TestClient(const std::string& socket) {
    auto opened = client::Connection::open(socket, "test", clock_, soon());
    if (opened) {
      connection_ = std::move(*opened);
    } else {
      error = opened.error().error.code;
      message = opened.error().message;
    }
  }

  bool connected() const { return connection_ != nullptr && !connection_->closed(); }
  client::Connection& connection() { return *connection_; }
  void disconnect() { connection_.reset(); }
  base::TimePoint soon() const { return base::after(clock_.now(), std::chrono::seconds(20)); }

  // A chain of blocks first, first + 1, ...; those that got a buffer.
  std::vector<Filling> reserve(uint32_t first, uint32_t count) {
    std::vector<wire::Block> blocks;
    for (uint32_t i = 0; i < count; ++i) {
      blocks.emplace_back(wire::wire_key(key_of(first + i)), wire::Key(), kBlock, 0, 0, 1);
    }
    const auto reply = connection_->call(
        wire::Body::Reserve,
        [&](client::Connection::Builder& builder) {
          const auto list = builder.CreateVectorOfStructs(blocks);
          return wire::CreateReserve(builder, &root_, nullptr, list).Union();
        },
        soon());
    std::vector<Filling> filling;
    if (const auto* reserved = answer<wire::Reserved>(reply);
        reserved != nullptr && reserved->buffers() != nullptr) {
      for (const wire::Buffer* buffer : *reserved->buffers()) {
        auto bytes = connection_->bytes_at(buffer->place());
        if (bytes) filling.push_back({buffer->reservation(), std::move(*bytes)});
      }
    }
    return filling;
  }
  bool commit(const std::vector<Filling>& filled) {
    std::vector<uint64_t> numbers;
    for (const Filling& one : filled) numbers.push_back(one.reservation);
    return commit_numbers(numbers);
  }
  bool commit_numbers(const std::vector<uint64_t>& numbers) {
    const auto reply = connection_->call(
        wire::Body::Commit,
        [&](client::Connection::Builder& builder) {
          const auto list = builder.CreateVector(numbers);
          return wire::CreateCommit(builder, list).Union();
        },
        soon());
    return answer<wire::Done>(reply) != nullptr;
  }
  // Reserves, fills, commits; how many blocks.
  size_t store(uint32_t first, uint32_t count) {
    const auto filling = reserve(first, count);
    for (size_t i = 0; i < filling.size(); ++i)
      std::ranges::fill(filling[i].bytes.bytes, byte_of(first + static_cast<uint32_t>(i)));
    return commit(filling) ? filling.size() : 0;
  }

  size_t lookup(uint32_t first, uint32_t count) {
    const auto reply = connection_->call(
        wire::Body::Lookup,
        [&](client::Connection::Builder& builder) {
          return wire::CreateLookup(builder, keys(builder, first, count)).Union();
        },
        soon());
    const auto* found = answer<wire::Found>(reply);
    return found == nullptr ? 0 : found->found();
  }
  Got get(uint32_t first, uint32_t count) {
    const auto reply = connection_->call(
        wire::Body::Get,
        [&](client::Connection::Builder& builder) {
          return wire::CreateGet(builder, keys(builder, first, count)).Union();
        },
        soon());
    Got got;
    const auto* delivered = answer<wire::Delivered>(reply);
    if (delivered == nullptr) return got;
    got.lease = delivered->lease();
    for (const wire::Place* place : *delivered->places()) {
      auto bytes = connection_->bytes_at(*place);
      if (bytes) got.blocks.push_back(std::move(*bytes));
    }
    for (const uint8_t reason : wire::values_of(delivered->reasons()))
      got.reasons.push_back(static_cast<MissReason>(reason));
    return got;
  }
  bool holds_right_bytes(const Got& got, uint32_t first) const {
    for (size_t i = 0; i < got.blocks.size(); ++i) {
      const auto expected = byte_of(first + static_cast<uint32_t>(i));
      if (!std::ranges::all_of(got.blocks[i].bytes, [&](std::byte byte) { return byte == expected; }))
        return false;
    }
    return true;
  }
  void release(uint64_t hold) {
    (void)connection_->tell(wire::Body::Release, [&](client::Connection::Builder& builder) {
      const auto list = builder.CreateVector(std::vector<uint64_t>{hold});
      return wire::CreateRelease(builder, list).Union();
    });
  }
  uint64_t remove(uint32_t first, uint32_t count) {
    const auto reply = connection_->call(
        wire::Body::Remove,
        [&](client::Connection::Builder& builder) {
          return wire::CreateRemove(builder, keys(builder, first, count)).Union();
        },
        soon());
    const auto* removed = answer<wire::Removed>(reply);
    return removed == nullptr ? 0 : removed->blocks();
  }

  Code error{};  // of the last request that was refused
  std::string message;

 private:
  template <class T>
  const T* answer(const Result<client::Reply>& reply) {
    if (reply) return reply->as<T>();
    error = reply.error().code;
    return nullptr;
  }
  static auto keys(client::Connection::Builder& builder, uint32_t first, uint32_t count)
      -> flatbuffers::Offset<flatbuffers::Vector<const wire::Key*>> {
    std::vector<wire::Key> list;
    for (uint32_t i = 0; i < count; ++i) list.push_back(wire::wire_key(key_of(first + i)));
    return builder.CreateVectorOfStructs(list);
  }

  base::SteadyClock clock_;
  wire::Key root_ = wire::wire_key(key_of(1'000'000));
  std::shared_ptr<client::Connection> connection_;
};

}  // namespace terrace::server_tests
