// Fields of messages as the store's types, and back.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "wire/frame.h"

namespace terrace::wire {

inline std::optional<std::string> text_of(const flatbuffers::String* text) {
  return text == nullptr ? std::nullopt : std::optional(text->str());
}

template <class T>
std::optional<T> value_of(flatbuffers::Optional<T> value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

// Of milliseconds from outside: what does not fit is as long as can be; 0 is the server's own.
inline Timeout timeout_of(uint64_t milliseconds) {
  constexpr uint64_t kLongest = 24ull * 3600 * 1000;
  if (milliseconds == 0) return kDefaultTimeout;
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(milliseconds, kLongest)));
}

// At least 1, as 0 stands for the default; of that, 0.
inline uint64_t milliseconds_of(Timeout timeout) {
  if (timeout == kDefaultTimeout) return 0;
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return whole < 1 ? 1 : static_cast<uint64_t>(whole);
}

template <class Enum>
std::vector<uint8_t> bytes_of(std::span<const Enum> values) {
  std::vector<uint8_t> bytes;
  bytes.reserve(values.size());
  for (const Enum value : values) bytes.push_back(static_cast<uint8_t>(value));
  return bytes;
}

std::vector<BlockSpec> blocks_of(const flatbuffers::Vector<const Block*>* blocks);
using BlockList = flatbuffers::Offset<flatbuffers::Vector<const Block*>>;
BlockList write_blocks(flatbuffers::FlatBufferBuilder& builder, std::span<const BlockSpec> blocks);

Namespace namespace_of(const OpenNamespace& fields);
flatbuffers::Offset<OpenNamespace> write_namespace(flatbuffers::FlatBufferBuilder& builder,
                                                   const Namespace& fields);

StoreStats stats_of(const Stats& stats);
flatbuffers::Offset<Stats> write_stats(flatbuffers::FlatBufferBuilder& builder, const StoreStats& stats);

// Bytes that stand for one of `count` values each; those beyond them are `other`.
template <class Enum>
std::vector<Enum> values_as(const flatbuffers::Vector<uint8_t>* bytes, size_t count, Enum other) {
  std::vector<Enum> values;
  for (const uint8_t byte : values_of(bytes))
    values.push_back(byte < count ? static_cast<Enum>(byte) : other);
  return values;
}

}  // namespace terrace::wire
