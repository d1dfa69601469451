// Records: a header, then its payload. Whatever opens says in its fields exactly what its bytes say.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "fuzz/kit/fields.h"
#include "fuzz/kit/target.h"
#include "record/layout.h"

namespace terrace::fuzz {
namespace {

using record::HeaderLayout;

constexpr record::Secret kSecret{7, 1, 7};
constexpr record::Binding kBinding{1, 2, 3, 4};

constexpr Field kFields[] = {
    {offsetof(HeaderLayout, magic), 8},        {offsetof(HeaderLayout, version), 4},
    {offsetof(HeaderLayout, header_bytes), 4}, {offsetof(HeaderLayout, key), 32},
    {offsetof(HeaderLayout, shard), 4},        {offsetof(HeaderLayout, shards), 4},
    {offsetof(HeaderLayout, part_count), 4},   {offsetof(HeaderLayout, payload_bytes), 8},
    {offsetof(HeaderLayout, part_bytes), 8},   {offsetof(HeaderLayout, binding), 32},
    {offsetof(HeaderLayout, part_sums), 32},   {offsetof(HeaderLayout, part_sums) + 1000, 8},
    {offsetof(HeaderLayout, zeros), 8},
};

uint64_t sum_of(std::span<const std::byte> header) {
  std::array<uint8_t, 64> message;
  std::ranges::copy(kSecret, message.begin());
  std::ranges::copy(kBinding, message.begin() + 32);
  return base::xxh3_64(header.first(record::kSummedBytes), base::xxh3_64(std::as_bytes(std::span(message))));
}

void check_parts(std::span<const std::byte> input, const record::OpenedHeader& opened) {
  const uint64_t payload = opened.meta.payload_bytes, part = record::part_bytes(payload);
  record::Verifier verifier(opened.meta.key, payload, kSecret, kBinding);
  TERRACE_ASSERT(verifier.header(input.first(record::kHeaderBytes)).has_value());
  const auto bytes = input.subspan(record::kHeaderBytes);
  bool right = true;
  for (uint32_t index = 0; index < opened.sums.count && right; ++index) {
    const uint64_t from = std::min<uint64_t>(index * part, bytes.size());
    const auto arrived = bytes.subspan(from).first(
        std::min<uint64_t>(std::min(part, payload - index * part), bytes.size() - from));
    right = verifier.part(index, arrived).has_value();
  }
  TERRACE_ASSERT(!verifier.part(opened.sums.count, bytes.first(std::min<uint64_t>(1, bytes.size()))));
  TERRACE_ASSERT(verifier.complete() == right);
  TERRACE_ASSERT(record::verify_record(input, kSecret, kBinding).has_value() == right);
}

// Only the place, the store, the key and the length it was sealed for will do.
void check_expectations(std::span<const std::byte> header, const record::BlockMeta& meta) {
  record::Secret other_secret = kSecret;
  record::Binding other_binding = kBinding;
  Key other_key = meta.key;
  other_secret[31] ^= 1;
  other_binding[31] ^= 1;
  other_key.bytes[31] ^= 1;
  const uint64_t bytes = meta.payload_bytes;
  TERRACE_ASSERT(!record::open_header(header, other_secret, kBinding));
  TERRACE_ASSERT(!record::open_header(header, kSecret, other_binding));
  TERRACE_ASSERT(!record::Verifier(other_key, bytes, kSecret, kBinding).header(header));
  TERRACE_ASSERT(!record::Verifier(meta.key, bytes + 1, kSecret, kBinding).header(header));
}

void run(std::span<const std::byte> input) {
  const auto header = input.first(std::min<size_t>(input.size(), record::kHeaderBytes));
  const auto opened = record::open_header(header, kSecret, kBinding);
  if (!opened) {
    TERRACE_ASSERT(!record::verify_record(input, kSecret, kBinding));
    record::Verifier verifier({}, 1, kSecret, kBinding);
    TERRACE_ASSERT(!verifier.header(header) && !verifier.complete());
    TERRACE_ASSERT(!verifier.part(0, input.first(std::min<size_t>(1, input.size()))));
    return;
  }
  Bytes again(record::kHeaderBytes);
  record::seal(opened->meta, opened->sums, kSecret, kBinding, again);
  TERRACE_ASSERT(std::ranges::equal(again, header));
  const record::PartSums sums = record::sums_in(header);
  TERRACE_ASSERT(sums.count == opened->sums.count && sums.sums == opened->sums.sums);
  check_parts(input, *opened);
  check_expectations(header, opened->meta);
}

void mend(std::span<std::byte> input, base::Random& random) {
  if (input.size() < record::kHeaderBytes) return;
  const auto payload = input.subspan(record::kHeaderBytes);
  if (random.one_in(2)) change_a_field(input, kFields, random);
  HeaderLayout header;
  std::memcpy(&header, input.data(), sizeof header);
  if (!payload.empty() && random.one_in(2)) {  // the payload as it is now
    record::PartSums sums{};
    record::sum_parts({header.key}, payload, sums);
    header.payload_bytes = payload.size();
    header.part_bytes = record::part_bytes(payload.size());
    header.part_count = sums.count;
    header.part_sums = sums.sums;
  }
  std::memcpy(input.data(), &header, sizeof header);
  header.header_sum = sum_of(input.first(record::kHeaderBytes));
  std::memcpy(input.data(), &header, sizeof header);
}

Seed seed_of(std::string name, uint64_t payload_bytes, Member member, size_t cut = 0) {
  Bytes bytes(record::kHeaderBytes + payload_bytes);
  for (size_t i = 0; i < payload_bytes; ++i) bytes[record::kHeaderBytes + i] = static_cast<std::byte>(i);
  record::BlockMeta meta{.key = {{1, 2, 3}},
                         .family = {{4, 5}},
                         .parent = {},
                         .root = {{6}},
                         .member = member,
                         .payload_bytes = payload_bytes};
  record::PartSums sums;
  record::sum_parts(meta.key, std::span(bytes).subspan(record::kHeaderBytes), sums);
  record::seal(meta, sums, kSecret, kBinding, std::span(bytes).first(record::kHeaderBytes));
  bytes.resize(bytes.size() - cut);
  return {std::move(name), std::move(bytes)};
}

std::vector<Seed> seeds() {
  std::vector<Seed> made{seed_of("one_byte", 1, {}),
                         seed_of("members", 300, {.group = 1, .shard = 2, .shards = 4}),
                         seed_of("cut", 200, {}, 100), seed_of("header_only", 64, {}, 64),
                         seed_of("half_a_header", 1, {}, 2000)};
  const auto with_field = [&](std::string name, size_t offset, uint64_t value, size_t bytes) {
    Seed seed = seed_of(std::move(name), 1, {});
    std::memcpy(seed.bytes.data() + offset, &value, bytes);
    const uint64_t sum = sum_of(std::span(seed.bytes).first(record::kHeaderBytes));
    std::memcpy(seed.bytes.data() + offsetof(HeaderLayout, header_sum), &sum, sizeof sum);
    made.push_back(std::move(seed));
  };
  with_field("other_version", offsetof(HeaderLayout, version), 2, 4);
  with_field("other_header_size", offsetof(HeaderLayout, header_bytes), 8192, 4);
  with_field("no_payload", offsetof(HeaderLayout, payload_bytes), 0, 8);
  with_field("other_parts", offsetof(HeaderLayout, part_count), 64, 4);
  with_field("no_shards", offsetof(HeaderLayout, shards), 0, 4);
  with_field("other_place", offsetof(HeaderLayout, binding), 9, 4);
  with_field("sum_too_many", offsetof(HeaderLayout, part_sums) + 1000, 9, 4);
  with_field("not_zeros", offsetof(HeaderLayout, zeros) + 100, 9, 4);
  made.push_back(made.front());
  made.back().name = "wrong_sum";
  made.back().bytes[offsetof(HeaderLayout, group)] = std::byte{1};
  made.push_back(made.front());
  made.back().name = "wrong_payload";
  made.back().bytes.back() ^= std::byte{1};
  return made;
}

const Registered kRegistered({.name = "record", .run = run, .mend = mend, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
