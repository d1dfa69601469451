// What every benchmark program needs: time and CPU of a stretch of work, memory on huge pages, percentiles,
// and the JSON lines that bench/run.py reads.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

namespace terrace::bench {

// What a benchmark could not do, in words; caught in main and printed as {"error": ...}.
class CannotRun : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The value, or CannotRun naming what failed.
template <class T>
T need(Outcome<T> outcome, std::string_view what) {
  if (!outcome) throw CannotRun(std::string(what) + ": " + outcome.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*outcome);
}
template <class T>
T need(Result<T> result, std::string_view what) {
  if (!result) throw CannotRun(std::string(what) + ": " + to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
// `value` unless it is negative; then CannotRun with errno's text.
int need_fd(int value, std::string_view what);

// Wall time, this process's CPU time (user and system, all threads) and payload bytes of a stretch of work.
struct Sample {
  double seconds = 0;
  double cpu_seconds = 0;
  uint64_t bytes = 0;
};

class Stopwatch {
 public:
  Stopwatch();
  Sample stop(uint64_t bytes) const;
  double seconds() const;

 private:
  std::chrono::steady_clock::time_point start_;
  double cpu_start_;
};

// Anonymous memory on huge pages, aligned to 2 MiB, touched and filled with bytes that do not compress.
class HugePool {
 public:
  explicit HugePool(uint64_t bytes);
  ~HugePool();
  HugePool(const HugePool&) = delete;
  HugePool& operator=(const HugePool&) = delete;

  std::span<std::byte> bytes() const { return {data_, bytes_}; }
  // Block number `index` of `block` bytes, around and around the pool.
  std::span<std::byte> block(uint64_t index, uint64_t block) const {
    return bytes().subspan(index % (bytes_ / block) * block, block);
  }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};
void fill_random(std::span<std::byte> bytes, uint64_t seed);

// Key number `index` of series `series`: uniform, the same in every run.
Key nth_key(uint64_t series, uint64_t index);

// The q-quantile (0 to 1); sorts `values`.
double percentile(std::vector<double>& values, double q);

// {"seconds":..,"cpu_seconds":..,"bytes":..}
void print_sample(const Sample& sample);

// One row: ours[i] and theirs[i] were measured next to each other.
struct Pairs {
  std::string name;
  std::string unit;
  std::vector<double> ours, theirs;
};
// {"name":..,"unit":..,"ours":[..],"theirs":[..]}
void print_pairs(const Pairs& pairs);
void print_error(std::string_view message);

}  // namespace terrace::bench
