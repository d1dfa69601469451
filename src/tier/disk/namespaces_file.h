// The file `namespaces`: root -> K1's fields, the salt only as SHA-256, for people and `ls`. Records are
// appended, each with its own sum; a torn tail is cut off by the next one. Losing the file loses names, not
// blocks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <terrace/error.h>

#include "tier/disk/layout.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

// magic u32 | bytes of the record u32 | sum u64 (XXH3-64 of what follows, seeded with the secret's) | root 32
// | ten fields in K1's order, each u32 length (0xFFFFFFFF: absent) and bytes; padded with zeros to 8.
struct NamespaceRecordHead {
  uint32_t magic = 0x534E5254;  // "TRNS"
  uint32_t bytes = 0;
  uint64_t sum = 0;
  Key root;
};
static_assert(sizeof(NamespaceRecordHead) == 48);
static_assert(offsetof(NamespaceRecordHead, sum) == 8 && offsetof(NamespaceRecordHead, root) == 16);

// kInvalidArgument when the salt is not 64 hexadecimal digits: a salt itself never reaches the disk.
Result<std::vector<std::byte>> encode_namespace(const KnownNamespace& known, const record::Secret& secret);
// The records in front of the first damaged one; `whole_bytes` is where the next is appended.
std::vector<KnownNamespace> decode_namespaces(std::span<const std::byte> bytes, const record::Secret& secret,
                                              uint64_t& whole_bytes);

}  // namespace terrace::tier::disk
