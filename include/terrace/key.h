// Keys and namespaces (docs/semantics: K1 to K5). A key names a computation: the KV of a run of tokens after
// a given prefix, under a namespace that holds everything which must be equal for the bytes to be usable.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>

namespace terrace {

// A 32-byte SHA-256 digest. Uniform already, so any eight bytes of it serve as a hash.
struct Key {
  std::array<uint8_t, 32> bytes{};

  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key&, const Key&) = default;
  uint64_t word(int index) const {  // 0..3, little-endian on the hosts Terrace supports
    uint64_t value;
    std::memcpy(&value, bytes.data() + 8 * index, sizeof value);
    return value;
  }
  bool is_zero() const { return *this == Key{}; }
};

struct KeyHash {
  using is_avalanching = void;
  size_t operator()(const Key& key) const { return key.word(1); }
};

std::string to_hex(const Key& key);
// 64 hexadecimal digits, upper or lower case; anything else is an error that names the length found.
Outcome<Key> key_from_hex(std::string_view hex);

// The ten fields of K1, in their order. An absent field differs from an empty one. The initialisers let a
// caller name only the fields it has.
struct Namespace {
  std::optional<std::string> model_id{};
  std::optional<std::string> model_fingerprint{};
  std::optional<std::string> kv_dtype{};
  std::optional<std::string> layout_id{};
  std::optional<uint32_t> block_tokens{};
  std::optional<std::string> producer{};
  std::optional<uint32_t> producer_version{};
  std::optional<std::string> adapter{};
  std::optional<std::string> tenant_salt{};
  std::optional<uint32_t> groups{};  // absent = 1

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

// root = H("terrace/ns/1" || per field: u32 length || bytes; absent = 0xFFFFFFFF), K2.
// Errors: kLimitExceeded when a field is longer than 64 KiB.
Outcome<Key> namespace_root(const Namespace& fields);

// How a tenant is named wherever it can be seen: SHA-256 of its salt, 64 lower-case hexadecimal digits. The
// namespaces without a salt are one tenant, whose name is empty.
std::string tenant_name(const std::string& salt);
bool is_tenant_name(std::string_view name);

// Where a block stands in its family (K2): one shard of one KV group. A family of one is {0, 0, 1}.
struct Member {
  uint32_t group = 0;
  uint32_t shard = 0;
  uint32_t shards = 1;

  friend bool operator==(const Member&, const Member&) = default;
};

// H(0x03 || F || group || shard || shards). API and tiers speak member keys.
Key member_key(const Key& family, Member member = {});

// F = H(0x02 || root || u32 length || digest): a digest brought by an engine, re-rooted. A digest shorter
// than 16 bytes is refused (kInvalidArgument); `weak` says that it comes from a non-cryptographic hash, which
// is refused unless `allow_weak`.
Outcome<Key> family_of_digest(const Key& root, std::span<const uint8_t> digest, bool weak = false,
                              bool allow_weak = false);

// Hashes a growing token list block by block: F(i) = H(0x01 || F(i-1) || u32 n || tokens || u32 n_extra ||
// n_extra x (u32 length || bytes)), F(-1) = root. Not thread-safe; cheap to copy.
class PrefixHasher {
 public:
  using Extra = std::span<const std::string_view>;

  explicit PrefixHasher(const Key& root) : last_(root) {}

  // Family key of the next block. `tokens` may be shorter than block_tokens only for the last block (K3).
  Key next(std::span<const uint32_t> tokens, Extra extra = {});
  const Key& last() const { return last_; }

 private:
  Key last_;
};

// Member keys of the whole blocks of `tokens`; a partial last block is left out (K3). `block_tokens` >= 1.
std::vector<Key> block_keys(const Key& root, std::span<const uint32_t> tokens, uint32_t block_tokens);

}  // namespace terrace
