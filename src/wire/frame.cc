#include "wire/frame.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace terrace::wire {

namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::array<char, 4> kMagic{'T', 'R', 'R', '1'};
constexpr size_t kLengthAt = 4, kDescriptorsAt = 8;
constexpr size_t kAlignment = 8;

// FlatBuffers' verifier (2.0) leaves the elements of vectors out.
template <size_t kAlign, class Vector>
bool is_aligned(const Vector* vector) {
  return vector == nullptr || vector->size() == 0 ||  // its builder aligns nothing that is empty
         reinterpret_cast<uintptr_t>(vector->Data()) % kAlign == 0;
}

bool vectors_are_aligned(const TierFigures& tier) {
  return is_aligned<8>(tier.drops()) && is_aligned<8>(tier.misses());
}

bool vectors_are_aligned(const Stats& stats) {
  if (!is_aligned<8>(stats.misses()) || !is_aligned<8>(stats.unknown_misses())) return false;
  return stats.tiers() == nullptr ||
         std::ranges::all_of(*stats.tiers(), [](const auto* tier) { return vectors_are_aligned(*tier); });
}

bool vectors_are_aligned(const Tenants& tenants) {
  return tenants.tenants() == nullptr || std::ranges::all_of(*tenants.tenants(), [](const auto* tenant) {
           return is_aligned<8>(tenant->tiers());
         });
}

bool vectors_are_aligned(const Namespaces& namespaces) {
  return namespaces.namespaces() == nullptr ||
         std::ranges::all_of(*namespaces.namespaces(),
                             [](const auto* known) { return is_aligned<8>(known->misses()); });
}

bool vectors_are_aligned(const Message& message) {
  if (!is_aligned<8>(message.memories()) || !is_aligned<8>(message.replaced())) return false;
  switch (message.body_type()) {
    case Body::Reserve:
      return is_aligned<8>(message.body_as_Reserve()->blocks());
    case Body::Commit:
      return is_aligned<8>(message.body_as_Commit()->reservations());
    case Body::Abort:
      return is_aligned<8>(message.body_as_Abort()->reservations());
    case Body::Put:
      return is_aligned<8>(message.body_as_Put()->blocks()) && is_aligned<8>(message.body_as_Put()->from());
    case Body::LookupFamilies:
      return is_aligned<4>(message.body_as_LookupFamilies()->groups());
    case Body::GetInto:
      return is_aligned<8>(message.body_as_GetInto()->to());
    case Body::Cancel:
      return is_aligned<8>(message.body_as_Cancel()->requests());
    case Body::Release:
      return is_aligned<8>(message.body_as_Release()->holds()) &&
             is_aligned<8>(message.body_as_Release()->arrived());
    case Body::Unmapped:
      return is_aligned<8>(message.body_as_Unmapped()->memories());
    case Body::Reserved:
      return is_aligned<8>(message.body_as_Reserved()->buffers());
    case Body::Found:
      return is_aligned<2>(message.body_as_Found()->where());
    case Body::Delivered:
      return is_aligned<8>(message.body_as_Delivered()->places()) &&
             is_aligned<2>(message.body_as_Delivered()->sources());
    case Body::DeliveredInto:
      return is_aligned<2>(message.body_as_DeliveredInto()->sources());
    case Body::Stats:
      return vectors_are_aligned(*message.body_as_Stats());
    case Body::Tenants:
      return vectors_are_aligned(*message.body_as_Tenants());
    case Body::Namespaces:
      return vectors_are_aligned(*message.body_as_Namespaces());
    case Body::StoredBlocks:
      return is_aligned<8>(message.body_as_StoredBlocks()->blocks());
    case Body::Changes:
      return is_aligned<8>(message.body_as_Changes()->changes());
    default:
      return true;  // keys and bytes stand anywhere
  }
}

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
  const Message* const message = GetMessage(data);
  if (message->body_type() != Body::NONE && message->body() == nullptr)
    return fail(Code::kCorrupt, "the message names a body and has none");
  if (!vectors_are_aligned(*message)) return fail(Code::kCorrupt, "the message is not aligned");
  return message;
}

void finish(flatbuffers::FlatBufferBuilder& builder, uint64_t id, Body type, flatbuffers::Offset<void> body,
            flatbuffers::Offset<flatbuffers::Vector<const Memory*>> memories) {
  builder.Finish(CreateMessage(builder, id, type, body, memories), MessageIdentifier());
}

size_t message_bytes(const flatbuffers::FlatBufferBuilder& builder) {
  return (builder.GetSize() + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<std::byte> frame_of(const flatbuffers::FlatBufferBuilder& builder, size_t descriptors) {
  const size_t bytes = message_bytes(builder);
  const auto header = encode({static_cast<uint32_t>(bytes), static_cast<uint16_t>(descriptors)});
  std::vector<std::byte> frame(kHeaderBytes + bytes);
  std::ranges::copy(header, frame.begin());
  std::memcpy(frame.data() + kHeaderBytes, builder.GetBufferPointer(), builder.GetSize());
  return frame;
}

}  // namespace terrace::wire
