#include "bench/measure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"
#include "base/random.h"

namespace terrace::bench {
namespace {

double cpu_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + 1e-6 * double(time.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out;
}

void print_line(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

int need_fd(int value, std::string_view what) {
  if (value < 0) throw CannotRun(fmt::format("{}: {}", what, std::strerror(errno)));
  return value;
}

Stopwatch::Stopwatch() : start_(std::chrono::steady_clock::now()), cpu_start_(cpu_now()) {}

double Stopwatch::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

Sample Stopwatch::stop(uint64_t bytes) const {
  return {.seconds = seconds(), .cpu_seconds = cpu_now() - cpu_start_, .bytes = bytes};
}

HugePool::HugePool(uint64_t bytes) : bytes_(base::round_up(bytes, 2 * base::kMiB)) {
  const uint64_t mapped = bytes_ + 2 * base::kMiB;
  void* memory =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw CannotRun(fmt::format("no memory for a pool of {} bytes", bytes_));
  auto* base = static_cast<std::byte*>(memory);
  const auto address = reinterpret_cast<uintptr_t>(memory);
  const uint64_t head = base::round_up(address, 2 * base::kMiB) - address;
  if (head > 0) munmap(base, head);
  data_ = base + head;
  munmap(data_ + bytes_, mapped - head - bytes_);
  madvise(data_, bytes_, MADV_HUGEPAGE);
  fill_random(this->bytes(), 1);
}

HugePool::~HugePool() {
  munmap(data_, bytes_);
}

void fill_random(std::span<std::byte> bytes, uint64_t seed) {
  base::Random random(seed);
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t word = random.next();
    std::memcpy(bytes.data() + at, &word, std::min<size_t>(8, bytes.size() - at));
  }
}

Key nth_key(uint64_t series, uint64_t index) {
  uint64_t state = series * 0x9E3779B97F4A7C15ULL ^ (index + 1) * 0xD1B54A32D192ED03ULL;
  Key key;
  for (int word = 0; word < 4; ++word) base::store_le(key.bytes.data() + 8 * word, base::split_mix(state));
  return key;
}

double percentile(std::vector<double>& values, double q) {
  if (values.empty()) return NAN;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * double(values.size())) - 1;
  return values[static_cast<size_t>(std::clamp(rank, 0.0, double(values.size() - 1)))];
}

void print_sample(const Sample& sample) {
  print_line(fmt::format(R"({{"seconds":{:.9f},"cpu_seconds":{:.6f},"bytes":{}}})", sample.seconds,
                         sample.cpu_seconds, sample.bytes));
}

void print_pairs(const Pairs& pairs) {
  print_line(fmt::format(R"({{"name":"{}","unit":"{}","ours":[{:.6g}],"theirs":[{:.6g}]}})", pairs.name,
                         pairs.unit, fmt::join(pairs.ours, ","), fmt::join(pairs.theirs, ",")));
}

void print_error(std::string_view message) {
  print_line(fmt::format(R"({{"error":"{}"}})", escaped(message)));
}

}  // namespace terrace::bench
