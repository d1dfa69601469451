// Namespaces and keys (K1 to K3).
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

template <class T, class Given>
std::optional<T> optional_of(const Given* given) {
  if (given == nullptr) return std::nullopt;
  return T(*given);
}
std::optional<std::string> optional_text(const char* text) {
  if (text == nullptr) return std::nullopt;
  return std::string(text);
}

}  // namespace

Outcome<Namespace> namespace_of(const terrace_namespace* given, const char* name) {
  const auto fields = read_sized(given, name);
  if (!fields) return std::unexpected(fields.error());
  return Namespace{.model_id = optional_text(fields->model_id),
                   .model_fingerprint = optional_text(fields->model_fingerprint),
                   .kv_dtype = optional_text(fields->kv_dtype),
                   .layout_id = optional_text(fields->layout_id),
                   .block_tokens = optional_of<uint32_t>(fields->block_tokens),
                   .producer = optional_text(fields->producer),
                   .producer_version = optional_of<uint32_t>(fields->producer_version),
                   .adapter = optional_text(fields->adapter),
                   .tenant_salt = optional_text(fields->tenant_salt),
                   .groups = optional_of<uint32_t>(fields->groups)};
}

namespace {

Answer write_root(const Outcome<Key>& made, terrace_key* root) {
  if (!made) return std::unexpected(made.error());
  write_key(root, *made);
  return {};
}

// Lengths are 32-bit numbers in what is hashed (K2).
Answer hashable(size_t count, const char* name) {
  constexpr size_t kMost = std::numeric_limits<uint32_t>::max() - 1;
  if (count <= kMost) return {};
  return failure(Code::kLimitExceeded, fmt::format("{} is {}: at most {} are allowed", name, count, kMost));
}

Outcome<std::vector<std::string_view>> extra_of(const terrace_bytes* extra, size_t count) {
  std::vector<std::string_view> views;
  for (const terrace_bytes& one : std::span(extra, count)) {
    if (const Answer ok = Check().list(one.data, one.bytes, "extra.data"); !ok)
      return std::unexpected(ok.error());
    if (const Answer ok = hashable(one.bytes, "extra.bytes"); !ok) return std::unexpected(ok.error());
    views.emplace_back(static_cast<const char*>(one.data), one.bytes);
  }
  return views;
}

Answer block_keys(const terrace_key& root, std::span<const uint32_t> tokens, uint32_t block_tokens,
                  std::span<terrace_key> keys, size_t* count) {
  if (block_tokens == 0) return failure(Code::kInvalidArgument, "block_tokens is 0: at least 1 is allowed");
  const size_t whole = tokens.size() / block_tokens;
  if (whole > keys.size()) {
    return failure(Code::kInvalidArgument, fmt::format("keys_max is {}: {} tokens are {} blocks of {}",
                                                       keys.size(), tokens.size(), whole, block_tokens));
  }
  PrefixHasher hasher(key_of(root));
  for (size_t i = 0; i < whole; ++i) {
    write_key(&keys[i], member_key(hasher.next(tokens.subspan(i * block_tokens, block_tokens))));
  }
  *count = whole;
  return {};
}

void write_hex(char* to, const std::string& hex) {
  std::memcpy(to, hex.c_str(), hex.size() + 1);
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_namespace_root(const terrace_namespace* fields, terrace_key* root,
                                    terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(fields, "fields").given(root, "root"); !ok) return ok;
    const auto given = namespace_of(fields, "fields");
    if (!given) return std::unexpected(given.error());
    return write_root(namespace_root(*given), root);
  });
}

terrace_code terrace_open_namespace(terrace_store* store, const terrace_namespace* fields, terrace_key* root,
                                    terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(fields, "fields").given(root, "root"); !ok)
      return ok;
    const auto given = namespace_of(fields, "fields");
    if (!given) return std::unexpected(given.error());
    return write_root(store->store->open_namespace(*given), root);
  });
}

terrace_code terrace_block_keys(const terrace_key* root, const uint32_t* tokens, size_t token_count,
                                uint32_t block_tokens, terrace_key* keys, size_t keys_max, size_t* count,
                                terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check()
                              .given(root, "root")
                              .list(tokens, token_count, "tokens")
                              .list(keys, keys_max, "keys")
                              .given(count, "count");
        !ok)
      return ok;
    return block_keys(*root, {tokens, token_count}, block_tokens, {keys, keys_max}, count);
  });
}

terrace_code terrace_next_family(const terrace_key* previous, const uint32_t* tokens, size_t token_count,
                                 const terrace_bytes* extra, size_t extra_count, terrace_key* family,
                                 terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check()
                              .given(previous, "previous")
                              .list(tokens, token_count, "tokens")
                              .batch(extra, extra_count, "extra")
                              .given(family, "family");
        !ok)
      return ok;
    if (const Answer ok = hashable(token_count, "token_count"); !ok) return ok;
    const auto views = extra_of(extra, extra_count);
    if (!views) return std::unexpected(views.error());
    write_key(family, PrefixHasher(key_of(*previous)).next({tokens, token_count}, *views));
    return {};
  });
}

terrace_code terrace_family_of_digest(const terrace_key* root, const void* digest, size_t digest_bytes,
                                      bool weak, bool allow_weak, terrace_key* family, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok =
            Check().given(root, "root").list(digest, digest_bytes, "digest").given(family, "family");
        !ok)
      return ok;
    const std::span bytes(static_cast<const uint8_t*>(digest), digest_bytes);
    return write_root(family_of_digest(key_of(*root), bytes, weak, allow_weak), family);
  });
}

terrace_code terrace_member_key(const terrace_key* family, const terrace_member* member, terrace_key* key,
                                terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(family, "family").given(key, "key"); !ok) return ok;
    const auto place = member_of(member == nullptr ? terrace_member{} : *member, "member");
    if (!place) return std::unexpected(place.error());
    write_key(key, member_key(key_of(*family), *place));
    return {};
  });
}

terrace_code terrace_key_to_hex(const terrace_key* key, char hex[TERRACE_HEX_BYTES], terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(key, "key").given(hex, "hex"); !ok) return ok;
    write_hex(hex, to_hex(key_of(*key)));
    return {};
  });
}

terrace_code terrace_key_from_hex(const char* hex, terrace_key* key, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(hex, "hex").given(key, "key"); !ok) return ok;
    return write_root(key_from_hex(hex), key);
  });
}

terrace_code terrace_tenant_name(const char* salt, char name[TERRACE_HEX_BYTES], terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(salt, "salt").given(name, "name"); !ok) return ok;
    write_hex(name, tenant_name(salt));
    return {};
  });
}

}  // extern "C"
