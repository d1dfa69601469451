#include <terrace/key.h>

#include <limits>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hooks.h"
#include "key/sha256.h"

namespace terrace {
namespace {

// First bytes of the digests' messages: no form can be mistaken for another (K2).
constexpr uint8_t kChainTag = 0x01;
constexpr uint8_t kDigestTag = 0x02;
constexpr uint8_t kMemberTag = 0x03;

constexpr size_t kDigestBytesMin = 16;
constexpr size_t kDigestBytesMax = 64 * base::kKiB;
constexpr size_t kKeyBytes = sizeof(Key::bytes);

uint32_t to_u32(size_t count) {
  TERRACE_ASSERT(count <= std::numeric_limits<uint32_t>::max());
  return static_cast<uint32_t>(count);
}

// Tag, key, u32: how the chain's and the digest's messages begin, gathered because each update has a price.
void add_start(key::Sha256& hash, uint8_t tag, const Key& key, uint32_t count) {
  uint8_t start[1 + kKeyBytes + sizeof count];
  start[0] = tag;
  base::store_le(start + 1, key.bytes);
  base::store_le(start + 1 + kKeyBytes, count);
  hash.add(start, sizeof start);
}

}  // namespace

Key member_key(const Key& family, Member member) {
  uint8_t message[1 + kKeyBytes + 3 * sizeof(uint32_t)];
  message[0] = kMemberTag;
  base::store_le(message + 1, family.bytes);
  base::store_le(message + 1 + kKeyBytes, member.group);
  base::store_le(message + 5 + kKeyBytes, member.shard);
  base::store_le(message + 9 + kKeyBytes, member.shards);
  key::Sha256 hash;
  hash.add(message, sizeof message);
  return hash.finish();
}

Outcome<Key> family_of_digest(const Key& root, std::span<const uint8_t> digest, bool weak, bool allow_weak) {
  if (digest.size() < kDigestBytesMin)
    return failure(Code::kInvalidArgument,
                   fmt::format("an engine's digest has {} bytes; at least {} are needed", digest.size(),
                               kDigestBytesMin));
  if (digest.size() > kDigestBytesMax)
    return failure(Code::kLimitExceeded,
                   fmt::format("an engine's digest has {} bytes; at most {} are allowed", digest.size(),
                               kDigestBytesMax));
  if (weak && !allow_weak)
    return failure(Code::kInvalidArgument,
                   "this digest comes from a non-cryptographic hash, whose collisions can be made; set "
                   "allow_weak_digest to use it");
  key::Sha256 hash;
  add_start(hash, kDigestTag, root, to_u32(digest.size()));
  hash.add(digest.data(), digest.size());
  return hash.finish();
}

Key PrefixHasher::next(std::span<const uint32_t> tokens, Extra extra) {
  key::Sha256 hash;
  add_start(hash, kChainTag, last_, to_u32(tokens.size()));
  hash.add(tokens.data(), tokens.size_bytes());  // little-endian, as the host is (base/bytes.h)
  hash.add_u32(to_u32(extra.size()));
  for (const std::string_view bytes : extra) hash.add_field(bytes.data(), bytes.size());
  const Key next = hash.finish();
  if (!TERRACE_MUTANT("key.forget_prefix")) last_ = next;
  return next;
}

std::vector<Key> block_keys(const Key& root, std::span<const uint32_t> tokens, uint32_t block_tokens) {
  TERRACE_ASSERT(block_tokens >= 1);
  std::vector<Key> keys;
  keys.reserve(tokens.size() / block_tokens);
  PrefixHasher hasher(root);
  for (; tokens.size() >= block_tokens; tokens = tokens.subspan(block_tokens))
    keys.push_back(member_key(hasher.next(tokens.first(block_tokens))));
  return keys;
}

}  // namespace terrace
