#include <terrace/key.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "key/sha256.h"

namespace terrace {
namespace {

constexpr std::string_view kTag = "terrace/ns/1";  // 12 bytes, without a length (K2)
constexpr uint32_t kAbsent = 0xFFFFFFFF;
constexpr size_t kFieldBytesMax = 64 * base::kKiB;

void add(key::Sha256& hash, const std::optional<std::string>& field) {
  if (field) {
    hash.add_field(field->data(), field->size());
  } else {
    hash.add_u32(kAbsent);
  }
}

void add(key::Sha256& hash, std::optional<uint32_t> field) {
  if (field) {
    hash.add_u32(sizeof *field);
    hash.add_u32(*field);
  } else {
    hash.add_u32(kAbsent);
  }
}

}  // namespace

Outcome<Key> namespace_root(const Namespace& fields) {
  struct Text {
    std::string_view name;
    const std::optional<std::string>& value;
  };
  for (const Text& field :
       {Text{"model_id", fields.model_id}, Text{"model_fingerprint", fields.model_fingerprint},
        Text{"kv_dtype", fields.kv_dtype}, Text{"layout_id", fields.layout_id},
        Text{"producer", fields.producer}, Text{"adapter", fields.adapter},
        Text{"tenant_salt", fields.tenant_salt}}) {
    if (field.value && field.value->size() > kFieldBytesMax)
      return failure(Code::kLimitExceeded,
                     fmt::format("namespace field {} has {} bytes; at most {} are allowed", field.name,
                                 field.value->size(), kFieldBytesMax));
  }
  key::Sha256 hash;
  hash.add(kTag.data(), kTag.size());
  add(hash, fields.model_id);
  add(hash, fields.model_fingerprint);
  add(hash, fields.kv_dtype);
  add(hash, fields.layout_id);
  add(hash, fields.block_tokens);
  add(hash, fields.producer);
  add(hash, fields.producer_version);
  add(hash, fields.adapter);
  add(hash, fields.tenant_salt);
  add(hash, fields.groups);
  return hash.finish();
}

std::string tenant_name(const std::string& salt) {
  key::Sha256 digest;
  digest.add(salt.data(), salt.size());
  return to_hex(digest.finish());
}

bool is_tenant_name(std::string_view name) {
  constexpr size_t kDigits = 2 * sizeof(Key::bytes);
  return name.empty() ||
         (name.size() == kDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos);
}

}  // namespace terrace
