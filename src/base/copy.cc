#include "base/copy.h"

#include <cstdint>
#include <cstring>

#include "base/assert.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace terrace::base {

namespace {

// Below this, source and target are likely in cache, where memcpy is twice as fast.
constexpr size_t kStreamFrom = 256 * 1024;

#if defined(__x86_64__)
// `to` is 64-byte aligned, `bytes` a multiple of 256.
__attribute__((target("avx2"))) void stream_avx2(std::byte* to, const std::byte* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 128) {
    _mm_prefetch(reinterpret_cast<const char*>(from + i + 1024), _MM_HINT_NTA);
    _mm_prefetch(reinterpret_cast<const char*>(from + i + 1088), _MM_HINT_NTA);
    for (size_t j = 0; j < 128; j += 32) {
      const __m256i value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + j));
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i + j), value);
    }
  }
  _mm_sfence();
}

__attribute__((target("avx512f"))) void stream_avx512(std::byte* to, const std::byte* from, size_t bytes) {
  // Eight pages in turn: as many streams as the core prefetches by itself. 12.8 GB/s where one stream with
  // prefetch hints gave 6.9 and memcpy 7.4 (cold, Emerald Rapids).
  constexpr size_t kPages = 8, kPage = 4096;
  size_t done = 0;
  for (; done + kPages * kPage <= bytes; done += kPages * kPage) {
    for (size_t i = 0; i < kPage; i += 128) {
      for (size_t page = 0; page < kPages; ++page) {
        const size_t at = done + page * kPage + i;
        const __m512i first = _mm512_loadu_si512(from + at), second = _mm512_loadu_si512(from + at + 64);
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), first);
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at + 64), second);
      }
    }
  }
  for (; done < bytes; done += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + done), _mm512_loadu_si512(from + done));
  }
  _mm_sfence();
}
#endif

}  // namespace

void copy_bytes(std::span<std::byte> to, std::span<const std::byte> from) {
  TERRACE_ASSERT(to.size() >= from.size());
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f");
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (from.size() >= kStreamFrom && (avx2 || avx512)) {
    const size_t head = (64 - reinterpret_cast<uintptr_t>(to.data()) % 64) % 64;
    const size_t body = (from.size() - head) / 256 * 256;
    std::memcpy(to.data(), from.data(), head);
    (avx512 ? stream_avx512 : stream_avx2)(to.data() + head, from.data() + head, body);
    std::memcpy(to.data() + head + body, from.data() + head + body, from.size() - head - body);
    return;
  }
#endif
  std::memcpy(to.data(), from.data(), from.size());
}

}  // namespace terrace::base
