#include "record/record.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "record/layout.h"

namespace terrace::record {
namespace {

using Bytes = std::vector<std::byte>;

template <class Digest>
Digest digest(uint8_t first) {
  Digest result{};
  for (size_t i = 0; i < 32; ++i) result[i] = static_cast<uint8_t>(first + 3 * i);
  return result;
}
using Raw = std::array<uint8_t, 32>;

// The same rule as in testdata/make_golden.py.
Bytes make_payload(uint64_t size) {
  Bytes bytes(size);
  for (uint64_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * 131 + (i >> 8) * 17 + (i >> 16) * 29 + 7);
  return bytes;
}

// A sealed record and everything it was made from.
struct Sealed {
  explicit Sealed(uint64_t payload_bytes) : payload(make_payload(payload_bytes)), header(kHeaderBytes) {
    meta = {.key = {digest<Raw>(0x10)},
            .family = {digest<Raw>(0x20)},
            .parent = {digest<Raw>(0x30)},
            .root = {digest<Raw>(0x40)},
            .member = {1, 2, 4},
            .payload_bytes = payload_bytes};
    sum_parts(meta.key, payload, sums);
    seal(meta, sums, secret, binding, header);
  }
  Verifier verifier() const { return Verifier(meta.key, payload.size(), secret, binding); }
  std::span<const std::byte> part(uint32_t index) const {
    const uint64_t start = index * part_bytes(payload.size());
    return std::span(payload).subspan(start, std::min(part_bytes(payload.size()), payload.size() - start));
  }
  Bytes record() const {
    Bytes all = header;
    all.insert(all.end(), payload.begin(), payload.end());
    all.resize(record_bytes(payload.size()));
    return all;
  }
  // Seals again after a change that seal() itself would not make.
  void reseal(auto change) {
    HeaderLayout layout;
    std::memcpy(&layout, header.data(), sizeof layout);
    change(layout);
    std::array<uint8_t, 64> message;
    std::copy(secret.begin(), secret.end(), message.begin());
    std::copy(binding.begin(), binding.end(), message.begin() + 32);
    layout.header_sum = base::xxh3_64(std::as_bytes(std::span(&layout, 1)).first(kSummedBytes),
                                      base::xxh3_64(std::as_bytes(std::span(message))));
    std::memcpy(header.data(), &layout, sizeof layout);
  }
  Code open_code() const {
    const auto opened = open_header(header, secret, binding);
    return opened ? Code{} : opened.error().code;
  }

  BlockMeta meta;
  Secret secret = digest<Secret>(0x50);
  Binding binding = digest<Binding>(0x60);
  Bytes payload;
  PartSums sums;
  Bytes header;
};

constexpr uint64_t kThreeParts = 2 * base::kMiB + 12345;

TEST(Record, parts_cover_the_payload_for_every_length) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{4096}, base::kMiB, base::kMiB + 1, 63 * base::kMiB,
                              64 * base::kMiB, 64 * base::kMiB + 1, 100 * base::kMiB + 7, kPayloadBytesMax}) {
    EXPECT_GE(part_count(size), 1U) << size;
    EXPECT_LE(part_count(size), kPartsMax) << size;
    EXPECT_LT((part_count(size) - 1) * part_bytes(size), size);
    EXPECT_GE(part_count(size) * part_bytes(size), size);
    EXPECT_EQ(part_bytes(size) % base::kPage, 0U);
    EXPECT_EQ(record_bytes(size) % base::kPage, 0U);
  }
  EXPECT_EQ(part_bytes(1), base::kMiB);
  EXPECT_EQ(part_bytes(kPayloadBytesMax), 4 * base::kMiB);
}

TEST(Record, a_sealed_record_verifies_and_tells_its_block) {
  for (const uint64_t size : {uint64_t{1}, base::kMiB, kThreeParts}) {
    const Sealed sealed(size);
    auto verifier = sealed.verifier();
    EXPECT_FALSE(verifier.complete());
    ASSERT_TRUE(verifier.header(sealed.header).has_value());
    for (uint32_t index = 0; index < part_count(size); ++index) {
      EXPECT_FALSE(verifier.complete());
      EXPECT_TRUE(verifier.part(index, sealed.part(index)).has_value());
    }
    EXPECT_TRUE(verifier.complete());
    EXPECT_EQ(verifier.meta().family, sealed.meta.family);
    EXPECT_EQ(verifier.meta().parent, sealed.meta.parent);
    EXPECT_EQ(verifier.meta().root, sealed.meta.root);
    EXPECT_EQ(verifier.meta().member, sealed.meta.member);
    EXPECT_EQ(verifier.sums().sums, sealed.sums.sums);
  }
}

TEST(Record, parts_verify_in_any_order_and_a_repeated_one_counts_once) {
  const Sealed sealed(4 * base::kMiB + 99);
  std::vector<uint32_t> order{0, 1, 2, 3, 4};
  do {
    auto verifier = sealed.verifier();
    ASSERT_TRUE(verifier.header(sealed.header).has_value());
    for (const uint32_t index : order) {
      ASSERT_FALSE(verifier.complete());
      ASSERT_TRUE(verifier.part(index, sealed.part(index)).has_value());
      ASSERT_TRUE(verifier.part(order.front(), sealed.part(order.front())).has_value());
    }
    ASSERT_TRUE(verifier.complete());
  } while (std::next_permutation(order.begin(), order.begin() + 3));
}

TEST(Record, parts_before_the_header_or_of_wrong_shape_are_refused) {
  const Sealed sealed(kThreeParts);
  auto verifier = sealed.verifier();
  EXPECT_EQ(verifier.part(0, sealed.part(0)).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(verifier.header(sealed.header).has_value());
  EXPECT_EQ(verifier.part(3, sealed.part(0)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verifier.part(~0U, sealed.part(0)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verifier.part(2, sealed.part(0)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verifier.part(0, sealed.part(0).first(100)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verifier.part(0, {}).error().code, Code::kInvalidArgument);
}

TEST(Record, P1_every_flipped_bit_of_the_header_is_caught) {
  const Sealed sealed(kThreeParts);
  Bytes header = sealed.header;
  for (size_t bit = 0; bit < 8 * kHeaderBytes; ++bit) {
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    header[bit / 8] ^= mask;
    auto verifier = sealed.verifier();
    const auto verified = verifier.header(header);
    ASSERT_FALSE(verified.has_value()) << "bit " << bit;
    ASSERT_EQ(verified.error().code, Code::kCorrupt) << "bit " << bit;
    ASSERT_EQ(verifier.part(0, sealed.part(0)).error().code, Code::kInvalidArgument);
    header[bit / 8] ^= mask;
  }
  EXPECT_EQ(header, sealed.header);
}

TEST(Record, P1_a_changed_or_swapped_part_is_caught) {
  Sealed sealed(kThreeParts);
  auto verifier = sealed.verifier();
  ASSERT_TRUE(verifier.header(sealed.header).has_value());
  EXPECT_EQ(verifier.part(0, sealed.part(1)).error().code, Code::kCorrupt);
  for (uint32_t index = 0; index < 3; ++index) {
    ASSERT_TRUE(verifier.part(index, sealed.part(index)).has_value());
    sealed.payload[index * part_bytes(kThreeParts) + 12344] ^= std::byte{1};
    EXPECT_EQ(verifier.part(index, sealed.part(index)).error().code, Code::kCorrupt);
    EXPECT_FALSE(verifier.complete());
    EXPECT_EQ(verify_record(sealed.record(), sealed.secret, sealed.binding).error().code, Code::kCorrupt);
    sealed.payload[index * part_bytes(kThreeParts) + 12344] ^= std::byte{1};
    ASSERT_TRUE(verifier.part(index, sealed.part(index)).has_value());
  }
  EXPECT_TRUE(verifier.complete());
}

TEST(Record, P1_another_key_length_secret_or_binding_is_caught) {
  const Sealed sealed(kThreeParts);
  Key key = sealed.meta.key;
  key.bytes[31] ^= 1;
  Secret secret = sealed.secret;
  secret[0] ^= 1;
  Binding binding = sealed.binding;
  binding[31] ^= 1;
  const auto code_of = [&](Verifier verifier) { return verifier.header(sealed.header).error().code; };
  EXPECT_EQ(code_of(Verifier(key, kThreeParts, sealed.secret, sealed.binding)), Code::kCorrupt);
  EXPECT_EQ(code_of(Verifier(sealed.meta.key, kThreeParts + 1, sealed.secret, sealed.binding)),
            Code::kCorrupt);
  EXPECT_EQ(code_of(Verifier(sealed.meta.key, kThreeParts, secret, sealed.binding)), Code::kCorrupt);
  EXPECT_EQ(code_of(Verifier(sealed.meta.key, kThreeParts, sealed.secret, binding)), Code::kCorrupt);
}

TEST(Record, P1_a_header_bound_elsewhere_is_caught_even_with_a_right_sum) {
  Sealed sealed(1);
  sealed.reseal([](HeaderLayout& layout) { layout.binding[0] ^= 1; });
  EXPECT_EQ(sealed.open_code(), Code::kCorrupt);
}

TEST(Record, P13_another_version_is_told_apart_from_damage) {
  Sealed sealed(1);
  sealed.reseal([](HeaderLayout&) {});
  EXPECT_EQ(sealed.open_code(), Code{});
  sealed.reseal([](HeaderLayout& layout) { layout.version = 2; });
  EXPECT_EQ(sealed.open_code(), Code::kIncompatible);
  sealed.header[100] ^= std::byte{1};
  EXPECT_EQ(sealed.open_code(), Code::kCorrupt);
}

TEST(Record, P12_fields_out_of_range_are_refused_even_with_a_right_sum) {
  const auto code_after = [](auto change) {
    Sealed sealed(kThreeParts);
    sealed.reseal(change);
    return sealed.open_code();
  };
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.header_bytes = 8192; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.payload_bytes = 0; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.payload_bytes = kPayloadBytesMax + 1; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.payload_bytes = ~uint64_t{0}; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.part_bytes = 0; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.part_count = 2; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.part_count = ~0U; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.shard = 4; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.shards = 0; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.part_sums[3].high = 1; }), Code::kCorrupt);
  EXPECT_EQ(code_after([](HeaderLayout& l) { l.zeros.back() = 1; }), Code::kCorrupt);
}

TEST(Record, P12_arbitrary_bytes_are_refused_whatever_their_length) {
  base::Random random(5);
  const Sealed sealed(100);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(random.below(3 * kHeaderBytes));
    for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
    if (round % 2 == 0 && bytes.size() >= kMagic.size())
      std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    EXPECT_FALSE(open_header(bytes, sealed.secret, sealed.binding).has_value());
    EXPECT_FALSE(verify_record(bytes, sealed.secret, sealed.binding).has_value());
    EXPECT_FALSE(sealed.verifier().header(bytes).has_value());
  }
  EXPECT_FALSE(open_header({}, sealed.secret, sealed.binding).has_value());
}

TEST(Record, a_whole_record_verifies_with_or_without_padding_and_not_when_cut) {
  const Sealed sealed(kThreeParts);
  Bytes record = sealed.record();
  EXPECT_EQ(verify_record(record, sealed.secret, sealed.binding).value().key, sealed.meta.key);
  record.back() = std::byte{0xEE};  // behind the payload: not ours to judge
  EXPECT_TRUE(verify_record(record, sealed.secret, sealed.binding).has_value());
  record.resize(kHeaderBytes + kThreeParts);
  EXPECT_TRUE(verify_record(record, sealed.secret, sealed.binding).has_value());
  record.pop_back();
  EXPECT_EQ(verify_record(record, sealed.secret, sealed.binding).error().code, Code::kCorrupt);
}

TEST(Record, a_second_header_starts_the_verification_again) {
  const Sealed sealed(1);
  auto verifier = sealed.verifier();
  ASSERT_TRUE(verifier.header(sealed.header).has_value());
  ASSERT_TRUE(verifier.part(0, sealed.part(0)).has_value());
  ASSERT_TRUE(verifier.header(sealed.header).has_value());
  EXPECT_FALSE(verifier.complete());
  EXPECT_FALSE(verifier.header({}).has_value());
  EXPECT_FALSE(verifier.complete());
}

// testdata/golden_record.hex is written by make_golden.py, which shares no code with this folder.
TEST(Record, the_golden_record_is_reproduced_byte_for_byte) {
  std::ifstream file(TERRACE_RECORD_TESTDATA "/golden_record.hex");
  ASSERT_TRUE(file.good());
  std::string golden, line;
  while (std::getline(file, line)) golden += line;
  const Sealed sealed(kThreeParts);
  const auto* bytes = reinterpret_cast<const uint8_t*>(sealed.header.data());
  EXPECT_EQ(base::to_hex({bytes, sealed.header.size()}), golden);
}

}  // namespace
}  // namespace terrace::record
