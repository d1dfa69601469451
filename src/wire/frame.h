// A frame: 16 bytes of header, then one FlatBuffers message (terrace.fbs) of a multiple of 8 bytes.
//
//   offset 0  4 bytes  magic "TRR1"
//          4  u32      bytes of the message; at most kMessageBytesMax
//          8  u16      descriptors that travel with the frame; at most kDescriptorsMax
//         10  6 bytes  zero
//
// Little-endian. The only code that knows a frame's bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

#include "wire/terrace_generated.h"

namespace terrace::wire {

inline constexpr uint16_t kMajor = 1, kMinor = 0;
inline constexpr size_t kHeaderBytes = 16;
inline constexpr uint32_t kMessageBytesMax = 16u << 20;  // more than the largest batch takes
inline constexpr uint16_t kDescriptorsMax = 64;

struct FrameHeader {
  uint32_t message_bytes = 0;
  uint16_t descriptors = 0;
};

std::array<std::byte, kHeaderBytes> encode(FrameHeader header);
// Errors: kCorrupt for another magic or a length that is no multiple of 8; kLimitExceeded.
Result<FrameHeader> decode_header(std::span<const std::byte, kHeaderBytes> bytes);

// The message in `bytes`, checked by the verifier; it points into them. Errors: kCorrupt.
Result<const Message*> decode_message(std::span<const std::byte> bytes);

// A whole message in the builder.
void finish(flatbuffers::FlatBufferBuilder& builder, uint64_t id, Body type, flatbuffers::Offset<void> body,
            flatbuffers::Offset<flatbuffers::Vector<const Memory*>> memories = 0);
// The frame of what the builder has finished, for tests and for sockets that take no part of it.
std::vector<std::byte> frame_of(const flatbuffers::FlatBufferBuilder& builder, size_t descriptors = 0);
// Bytes of the message as it travels.
size_t message_bytes(const flatbuffers::FlatBufferBuilder& builder);

// Keys stand in frames as they do in memory.
static_assert(sizeof(terrace::Key) == sizeof(Key) && alignof(Key) == 1);
inline const terrace::Key& key_of(const Key& key) {
  return reinterpret_cast<const terrace::Key&>(key);
}
inline const Key& wire_key(const terrace::Key& key) {
  return reinterpret_cast<const Key&>(key);
}
// Of a field that may be absent.
inline terrace::Key key_of(const Key* key) {
  return key == nullptr ? terrace::Key{} : key_of(*key);
}
inline std::span<const terrace::Key> keys_of(const flatbuffers::Vector<const Key*>* keys) {
  if (keys == nullptr) return {};
  return {reinterpret_cast<const terrace::Key*>(keys->Data()), keys->size()};
}
template <class T>
std::span<const T> values_of(const flatbuffers::Vector<T>* values) {
  return values == nullptr ? std::span<const T>{} : std::span<const T>{values->data(), values->size()};
}

}  // namespace terrace::wire
