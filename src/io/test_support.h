// For tests: a directory that goes away, aligned memory, a request's end to wait for.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "io/io_engine.h"

namespace terrace::io::test {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = ::testing::TempDir() + "terrace_io_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Page-aligned memory, filled from a seed or with zeros.
class Buffer {
 public:
  explicit Buffer(size_t bytes, uint64_t seed = 0)
      : bytes_(bytes),
        data_(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)), &std::free) {
    std::memset(data_.get(), 0, bytes);
    base::Random random(seed);
    for (size_t at = 0; seed != 0 && at < bytes; ++at)
      data_.get()[at] = static_cast<std::byte>(random.next());
  }
  std::span<std::byte> span() { return {data_.get(), bytes_}; }
  std::byte* data() { return data_.get(); }
  size_t size() const { return bytes_; }
  friend bool operator==(const Buffer& a, const Buffer& b) {
    return a.bytes_ == b.bytes_ && std::memcmp(a.data_.get(), b.data_.get(), a.bytes_) == 0;
  }

 private:
  size_t bytes_;
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

inline IoRequest request(IoOp op, File& file, uint64_t offset, std::vector<std::span<std::byte>> pieces,
                         IoDone done = {}) {
  IoRequest made;
  made.op = op;
  made.file = &file;
  made.offset = offset;
  for (size_t i = 0; i < pieces.size(); ++i) made.vec[i] = {pieces[i].data(), pieces[i].size()};
  made.done = std::move(done);
  return made;
}

// Counts ends; wait() blocks until as many have come.
class Ends {
 public:
  IoDone expect() {
    return [this](Result<void> result) { end(result); };
  }
  void end(Result<void> result) {
    base::Lock lock(mutex_);
    results_.push_back(result);
    more_.notify_all();
  }
  std::vector<Result<void>> wait(size_t count) {
    base::Lock lock(mutex_);
    while (results_.size() < count) more_.wait(mutex_);
    return results_;
  }
  size_t count() {
    base::Lock lock(mutex_);
    return results_.size();
  }

 private:
  base::Mutex mutex_;
  base::Condition more_;
  std::vector<Result<void>> results_ TERRACE_GUARDED_BY(mutex_);
};

// Submits one request and waits for its end.
inline Result<void> perform(IoEngine& engine, IoRequest one) {
  Ends ends;
  one.done = ends.expect();
  engine.submit(std::span(&one, 1));
  return ends.wait(1).front();
}

}  // namespace terrace::io::test
