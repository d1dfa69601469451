// The file `namespaces`: appended records, each with its own sum.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/checksum.h"
#include "fuzz/kit/fields.h"
#include "fuzz/kit/target.h"
#include "tier/disk/namespaces_file.h"

namespace terrace::fuzz {
namespace {

namespace disk = tier::disk;
using Head = disk::NamespaceRecordHead;

constexpr record::Secret kSecret{9, 8, 7};
constexpr uint64_t kSummedFrom = 16;

constexpr Field kFields[] = {
    {0, 4}, {4, 4}, {16, 32}, {48, 4}, {52, 4}, {56, 4}, {60, 4}, {64, 4}, {72, 4}, {80, 4}, {88, 4},
};

// Records as far as their lengths can be followed.
template <class Take>
void for_each_record(std::span<std::byte> bytes, const Take& take) {
  for (uint64_t at = 0; at + sizeof(Head) <= bytes.size();) {
    const auto head = base::load_le<Head>(bytes.data() + at);
    if (head.bytes < sizeof(Head) || head.bytes > bytes.size() - at) return;
    take(bytes.subspan(at, head.bytes));
    at += head.bytes;
  }
}

void run(std::span<const std::byte> input) {
  uint64_t whole = 0;
  const auto known = disk::decode_namespaces(input, kSecret, whole);
  TERRACE_ASSERT(whole <= input.size() && whole >= known.size() * sizeof(Head));
  // What was found is found again in the whole part alone, and when it is written anew.
  uint64_t again_whole = 0;
  TERRACE_ASSERT(disk::decode_namespaces(input.first(whole), kSecret, again_whole).size() == known.size());
  TERRACE_ASSERT(again_whole == whole);
  for (const tier::KnownNamespace& one : known) {
    const auto encoded = disk::encode_namespace(one, kSecret);
    if (!encoded) {
      TERRACE_ASSERT(one.fields.tenant_salt && encoded.error().code == Code::kInvalidArgument);
      continue;
    }
    const auto decoded = disk::decode_namespaces(*encoded, kSecret, again_whole);
    TERRACE_ASSERT(decoded.size() == 1 && again_whole == encoded->size());
    TERRACE_ASSERT(decoded[0].root == one.root && decoded[0].fields == one.fields);
  }
}

void mend(std::span<std::byte> input, base::Random& random) {
  for_each_record(input, [&](std::span<std::byte> record) {
    if (random.one_in(4)) change_a_field(record, kFields, random);
    const uint64_t seed = base::xxh3_64(std::as_bytes(std::span(kSecret)));
    const uint64_t sum = base::xxh3_64(record.subspan(kSummedFrom), seed);
    std::memcpy(record.data() + offsetof(Head, sum), &sum, sizeof sum);
  });
}

void append(Bytes& to, uint8_t root, const Namespace& fields) {
  const auto encoded = disk::encode_namespace({.root = {{root}}, .fields = fields, .known = true}, kSecret);
  TERRACE_ASSERT(encoded.has_value());
  to.insert(to.end(), encoded->begin(), encoded->end());
}

std::vector<Seed> seeds() {
  const Namespace full{.model_id = "model",
                       .model_fingerprint = "fingerprint",
                       .kv_dtype = "f16",
                       .layout_id = "layout",
                       .block_tokens = 16,
                       .producer = "cli",
                       .producer_version = 1,
                       .adapter = "",
                       .tenant_salt = std::string(64, 'a'),
                       .groups = 2};
  Bytes one, two, torn, bad_number;
  append(one, 1, full);
  append(two, 1, {.model_id = "m"});
  append(two, 2, {});
  append(torn, 1, full);
  append(torn, 2, full);
  torn.resize(torn.size() - 20);
  // block_tokens of 3 bytes, behind four absent fields.
  append(bad_number, 3, {.block_tokens = 1});
  bad_number[sizeof(Head) + 16] = std::byte{3};
  base::Random random(1);
  std::vector<Seed> made{{"one", one}, {"two", two}, {"torn", torn}, {"bad_number", bad_number}};
  const uint64_t sum = base::xxh3_64(std::span<const std::byte>(bad_number).subspan(kSummedFrom),
                                     base::xxh3_64(std::as_bytes(std::span(kSecret))));
  std::memcpy(made.back().bytes.data() + offsetof(Head, sum), &sum, sizeof sum);
  made.push_back({"no_record", Bytes(10)});
  return made;
}

const Registered kRegistered({.name = "namespaces", .run = run, .mend = mend, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
