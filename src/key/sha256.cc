#include "key/sha256.h"

#include <limits>
#include <memory>

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::key {
namespace {

// Fetched once and never freed: an implicit fetch at every init costs more than hashing 96 bytes.
const EVP_MD* digest() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  TERRACE_ASSERT(fetched != nullptr);
  return fetched;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

EVP_MD_CTX* thread_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  TERRACE_ASSERT(context != nullptr);
  return context.get();
}

}  // namespace

Sha256::Sha256() : context_(thread_context()) {
  TERRACE_ASSERT(EVP_DigestInit_ex2(static_cast<EVP_MD_CTX*>(context_), digest(), nullptr) == 1);
}

void Sha256::add(const void* bytes, size_t count) {
  TERRACE_ASSERT(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes, count) == 1);
}

void Sha256::add_u32(uint32_t value) {
  uint8_t bytes[sizeof value];
  base::store_le(bytes, value);
  add(bytes, sizeof bytes);
}

void Sha256::add_field(const void* bytes, size_t count) {
  TERRACE_ASSERT(count < std::numeric_limits<uint32_t>::max());
  add_u32(static_cast<uint32_t>(count));
  add(bytes, count);
}

Key Sha256::finish() {
  Key key;
  TERRACE_ASSERT(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), key.bytes.data(), nullptr) == 1);
  return key;
}

}  // namespace terrace::key
