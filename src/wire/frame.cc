#include "wire/frame.h"

#include <bit>
#include <cstring>

namespace terrace::wire {

namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::array<char, 4> kMagic{'T', 'R', 'R', '1'};
constexpr size_t kLengthAt = 4, kDescriptorsAt = 8;
constexpr size_t kAlignment = 8;

}  // namespace

std::array<std::byte, kHeaderBytes> encode(FrameHeader header) {
  std::array<std::byte, kHeaderBytes> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  std::memcpy(bytes.data() + kLengthAt, &header.message_bytes, sizeof header.message_bytes);
  std::memcpy(bytes.data() + kDescriptorsAt, &header.descriptors, sizeof header.descriptors);
  return bytes;
}

Result<FrameHeader> decode_header(std::span<const std::byte, kHeaderBytes> bytes) {
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return fail(Code::kCorrupt, "this is no frame of Terrace");
  FrameHeader header;
  std::memcpy(&header.message_bytes, bytes.data() + kLengthAt, sizeof header.message_bytes);
  std::memcpy(&header.descriptors, bytes.data() + kDescriptorsAt, sizeof header.descriptors);
  if (header.message_bytes > kMessageBytesMax)
    return fail(Code::kLimitExceeded, "a message has at most 16 MiB");
  if (header.message_bytes % kAlignment != 0)
    return fail(Code::kCorrupt, "a message is a multiple of 8 bytes long");
  if (header.descriptors > kDescriptorsMax)
    return fail(Code::kLimitExceeded, "a frame has at most 64 descriptors");
  return header;
}

Result<const Message*> decode_message(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), 16, 1 << 20);
  if (bytes.size() < kAlignment || !VerifyMessageBuffer(verifier))
    return fail(Code::kCorrupt, "the message is malformed");
  return GetMessage(data);
}

}  // namespace terrace::wire
