// SHA-256 over pieces, on OpenSSL. One running digest per thread: its context is reused, because creating one
// costs twice the hashing of a short message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <terrace/key.h>

namespace terrace::key {

// Begins a digest; begin, add and finish of one thread must not interleave with another digest of the same
// thread.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(const void* bytes, size_t count);
  void add_u32(uint32_t value);
  // u32 length, then the bytes. The length fits: callers check their limits.
  void add_field(const void* bytes, size_t count);
  Key finish();

 private:
  void* context_;  // the thread's EVP_MD_CTX
};

}  // namespace terrace::key
