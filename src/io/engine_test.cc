// What every engine promises, run by both real ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>

#include "io/make_engine.h"
#include "io/posix_file_system.h"
#include "io/psync_engine.h"
#include "io/test_support.h"
#include "io/uring_engine.h"

namespace terrace::io {
namespace {

using test::Buffer;
using test::Ends;
using test::perform;
using test::request;

constexpr uint64_t kMiB = 1 << 20;

enum class Kind { kUring, kUringInPieces, kUringTinyRing, kPsync, kPsyncInPieces };

class Engine : public testing::TestWithParam<Kind> {
 protected:
  Engine() : engine_(make(8)) {}

  static std::unique_ptr<IoEngine> make(uint32_t depth) {
    auto made = make_result(depth);
    EXPECT_TRUE(made) << to_string(made.error());
    return std::move(made.value());
  }
  static Result<std::unique_ptr<IoEngine>> make_result(uint32_t depth) {
    switch (GetParam()) {
      case Kind::kUring:
        return make_uring_engine(depth);
      case Kind::kUringInPieces:
        return make_uring_engine({.depth = depth, .piece_max = 4096});
      // Two submission and two completion entries: the rings overflow all the time.
      case Kind::kUringTinyRing:
        return make_uring_engine({.depth = depth, .sq_entries = 2, .cq_entries = 2});
      case Kind::kPsync:
        return make_psync_engine({.depth = depth});
      case Kind::kPsyncInPieces:
        return make_psync_engine({.depth = depth, .piece_max = 4096});
    }
    return fail(Code::kInternal, "no such kind");
  }

  std::unique_ptr<File> open(const std::string& name, bool direct = true) {
    auto file = files_.open(directory_ / name, {.create = true, .direct = direct});
    EXPECT_TRUE(file) << to_string(file.error());
    return std::move(*file);
  }

  test::TempDirectory directory_;
  PosixFileSystem files_;
  std::unique_ptr<IoEngine> engine_;
};

TEST_P(Engine, writes_and_reads_back_header_payload_and_tail) {
  for (const bool direct : {true, false}) {
    const auto file = open(direct ? "direct" : "buffered", direct);
    Buffer header(4096, 1), payload(256 * 1024, 2), tail(4096, 3);
    ASSERT_TRUE(
        perform(*engine_, request(IoOp::kWrite, *file, 8192, {header.span(), payload.span(), tail.span()})));
    ASSERT_TRUE(perform(*engine_, request(IoOp::kSync, *file, 0, {})));
    Buffer header_back(4096), payload_back(256 * 1024), tail_back(4096);
    ASSERT_TRUE(perform(*engine_, request(IoOp::kRead, *file, 8192,
                                          {header_back.span(), payload_back.span(), tail_back.span()})));
    EXPECT_EQ(header, header_back);
    EXPECT_EQ(payload, payload_back);
    EXPECT_EQ(tail, tail_back);
  }
}

TEST_P(Engine, ends_a_read_past_the_end_of_the_file_as_corrupt) {
  for (const bool direct : {true, false}) {
    const auto file = open(direct ? "direct" : "buffered", direct);
    Buffer memory(8192, 1);
    ASSERT_TRUE(perform(*engine_, request(IoOp::kWrite, *file, 0, {memory.span()})));
    EXPECT_EQ(perform(*engine_, request(IoOp::kRead, *file, 4096, {memory.span()})).error().code,
              Code::kCorrupt);
    EXPECT_EQ(perform(*engine_, request(IoOp::kRead, *file, kMiB, {memory.span()})).error().code,
              Code::kCorrupt);
  }
}

TEST_P(Engine, reports_what_the_system_refuses) {
  {
    const auto file = open("file");
  }
  const auto file = files_.open(directory_ / "file", {.direct = true, .read_only = true});
  ASSERT_TRUE(file);
  Buffer memory(4096);
  const auto written = perform(*engine_, request(IoOp::kWrite, **file, 0, {memory.span()}));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sys_errno, EBADF);
}

TEST_P(Engine, ends_an_empty_request) {
  const auto file = open("file");
  EXPECT_TRUE(perform(*engine_, request(IoOp::kRead, *file, 0, {})));
  EXPECT_TRUE(perform(*engine_, request(IoOp::kWrite, *file, 0, {})));
}

TEST_P(Engine, serves_many_threads_at_once) {
  constexpr int kThreads = 4, kEach = 64;
  const auto file = open("file");
  ASSERT_TRUE(files_.allocate(*file, kThreads * kEach * 16384));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Buffer> out, in;
      Ends written, read;
      for (int i = 0; i < kEach; ++i) {
        out.emplace_back(16384, 1 + thread * kEach + i);
        in.emplace_back(16384);
      }
      const auto offset = [&](int i) { return static_cast<uint64_t>(thread * kEach + i) * 16384; };
      for (int i = 0; i < kEach; ++i) {
        IoRequest one = request(IoOp::kWrite, *file, offset(i), {out[i].span()}, written.expect());
        engine_->submit(std::span(&one, 1));
      }
      for (const auto& result : written.wait(kEach)) EXPECT_TRUE(result);
      std::vector<IoRequest> batch;
      for (int i = 0; i < kEach; ++i) {
        batch.push_back(request(IoOp::kRead, *file, offset(i), {in[i].span()}, read.expect()));
      }
      engine_->submit(batch);
      for (const auto& result : read.wait(kEach)) EXPECT_TRUE(result);
      EXPECT_EQ(out, in);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(Engine, takes_requests_from_inside_done) {
  const auto file = open("file");
  Buffer memory(4096, 1);
  ASSERT_TRUE(perform(*engine_, request(IoOp::kWrite, *file, 0, {memory.span()})));
  Ends ends;
  std::atomic<int> left = 200;
  std::function<void(Result<void>)> again = [&](Result<void> result) {
    if (!result || --left == 0) return ends.end(result);
    IoRequest next = request(IoOp::kRead, *file, 0, {memory.span()}, [&](Result<void> r) { again(r); });
    engine_->submit(std::span(&next, 1));
  };
  again({});
  EXPECT_TRUE(ends.wait(1).front());
  EXPECT_EQ(left, 0);
}

// Pages of the file the page cache holds.
size_t cached_pages(const File& file, size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd(), 0);
  EXPECT_NE(mapped, MAP_FAILED);
  std::vector<unsigned char> resident(bytes / 4096);
  EXPECT_EQ(::mincore(mapped, bytes, resident.data()), 0);
  ::munmap(mapped, bytes);
  return static_cast<size_t>(
      std::ranges::count_if(resident, [](unsigned char page) { return (page & 1) != 0; }));
}

TEST_P(Engine, leaves_the_page_cache_as_it_was) {
  struct statfs where{};
  ASSERT_EQ(::statfs(directory_.path().c_str(), &where), 0);
  if (where.f_type == TMPFS_MAGIC) GTEST_SKIP() << "tmpfs is page cache";
  const auto file = open("file", false);
  Buffer memory(4 * kMiB, 1);
  ASSERT_TRUE(perform(*engine_, request(IoOp::kWrite, *file, 0, {memory.span()})));
  EXPECT_GT(cached_pages(*file, memory.size()), 0u);
  ASSERT_TRUE(perform(*engine_, request(IoOp::kSync, *file, 0, {})));
  EXPECT_EQ(cached_pages(*file, memory.size()), 0u);
  ASSERT_TRUE(perform(*engine_, request(IoOp::kRead, *file, 0, {memory.span()})));
  EXPECT_LT(cached_pages(*file, memory.size()), 64u);  // what was being read ahead
}

TEST_P(Engine, ends_what_is_in_flight_when_it_stops_and_refuses_what_comes_later) {
  const auto file = open("file");
  std::vector<Buffer> buffers;
  std::vector<IoRequest> batch;
  Ends ends;
  for (uint64_t i = 0; i < 50; ++i) {
    buffers.emplace_back(65536, i + 1);
    batch.push_back(request(IoOp::kWrite, *file, i * 65536, {buffers.back().span()}, ends.expect()));
  }
  engine_->submit(batch);
  engine_->stop();
  EXPECT_EQ(ends.count(), 50u);
  for (const auto& result : ends.wait(50)) EXPECT_TRUE(result);
  engine_->stop();
  EXPECT_EQ(perform(*engine_, request(IoOp::kSync, *file, 0, {})).error().code, Code::kClosed);
}

TEST_P(Engine, stops_while_others_submit) {
  const auto file = open("file");
  Buffer memory(4096, 1);
  constexpr size_t kEach = 300;
  Ends ends;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < kEach; ++i) {
        IoRequest one = request(IoOp::kWrite, *file, 0, {memory.span()}, ends.expect());
        engine_->submit(std::span(&one, 1));
      }
    });
  }
  ends.wait(10);
  engine_->stop();
  for (auto& thread : threads) thread.join();
  for (const auto& result : ends.wait(2 * kEach)) {
    EXPECT_TRUE(result || result.error().code == Code::kClosed);
  }
}

std::string name_of(const testing::TestParamInfo<Kind>& kind) {
  static constexpr std::array kNames = {"uring", "uring_in_pieces", "uring_tiny_ring", "psync",
                                        "psync_in_pieces"};
  return kNames[static_cast<size_t>(kind.param)];
}
INSTANTIATE_TEST_SUITE_P(All, Engine,
                         testing::Values(Kind::kUring, Kind::kUringInPieces, Kind::kUringTinyRing,
                                         Kind::kPsync, Kind::kPsyncInPieces),
                         name_of);

// --- each engine's own seams

class RoughSystemCalls final : public SystemCalls {
 public:
  int64_t read(int fd, std::span<const iovec> to, uint64_t offset) override {
    return trouble() ? *last_ : SystemCalls::read(fd, shorten(to), offset);
  }
  int64_t write(int fd, std::span<const iovec> from, uint64_t offset) override {
    return trouble() ? *last_ : SystemCalls::write(fd, shorten(from), offset);
  }

 private:
  bool trouble() {
    ++calls_;
    last_.reset();
    if (calls_ % 3 == 0) last_ = -EINTR;
    if (calls_ % 5 == 0) last_ = -EAGAIN;
    return last_.has_value();
  }
  std::span<const iovec> shorten(std::span<const iovec> all) {
    first_ = all[0];
    first_.iov_len = std::min<size_t>(first_.iov_len, 8192);
    return {&first_, 1};
  }

  int calls_ = 0;
  std::optional<int64_t> last_;
  iovec first_{};
};

TEST(PsyncEngine, hides_short_and_interrupted_calls) {
  test::TempDirectory directory;
  PosixFileSystem files;
  RoughSystemCalls calls;
  const auto engine = make_psync_engine({.depth = 1}, calls);
  ASSERT_TRUE(engine);
  const auto file = files.open(directory / "file", {.create = true, .direct = true});
  Buffer out(kMiB, 5), back(kMiB);
  ASSERT_TRUE(perform(**engine,
                      request(IoOp::kWrite, **file, 0, {out.span().first(4096), out.span().subspan(4096)})));
  ASSERT_TRUE(perform(**engine,
                      request(IoOp::kRead, **file, 0, {back.span().first(4096), back.span().subspan(4096)})));
  EXPECT_EQ(out, back);
}

TEST(UringEngine, hides_short_and_interrupted_completions) {
  test::TempDirectory directory;
  PosixFileSystem files;
  int completions = 0;
  UringOptions options{.depth = 4};
  options.change_result = [&completions](int32_t returned) {
    ++completions;
    if (completions % 3 == 0) return -EINTR;
    if (completions % 5 == 0) return -EAGAIN;
    return std::min(returned, 8192);
  };
  const auto engine = make_uring_engine(std::move(options));
  ASSERT_TRUE(engine);
  const auto file = files.open(directory / "file", {.create = true, .direct = true});
  Buffer out(256 * 1024, 5), back(256 * 1024);
  ASSERT_TRUE(perform(**engine,
                      request(IoOp::kWrite, **file, 0, {out.span().first(4096), out.span().subspan(4096)})));
  ASSERT_TRUE(perform(**engine, request(IoOp::kRead, **file, 0, {back.span()})));
  EXPECT_EQ(out, back);
}

TEST(UringEngine, fails_requests_the_kernel_keeps_refusing_and_recovers) {
  test::TempDirectory directory;
  PosixFileSystem files;
  std::atomic<bool> refuse = false;
  UringOptions options{.depth = 4, .refusals_max = 3};
  options.refuse_enter = [&refuse] { return refuse ? -EAGAIN : 0; };
  auto engine = make_uring_engine(std::move(options));
  ASSERT_TRUE(engine);
  const auto file = files.open(directory / "file", {.create = true});
  Buffer memory(4096, 1), back(4096);
  ASSERT_TRUE(perform(**engine, request(IoOp::kWrite, **file, 0, {memory.span()})));
  refuse = true;
  EXPECT_EQ(perform(**engine, request(IoOp::kRead, **file, 0, {back.span()})).error().sys_errno, EAGAIN);
  refuse = false;
  EXPECT_TRUE(perform(**engine, request(IoOp::kRead, **file, 0, {back.span()})));
  EXPECT_EQ(memory, back);
}

// --- the choice

// Runs `body` on a thread whose kernel refuses io_uring_setup, as container runtimes do.
void without_io_uring(const std::function<void()>& body) {
  std::thread([&body] {
    std::array filter = {
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    body();
  }).join();
}

TEST(MakeEngine, takes_uring_when_it_can) {
  const auto engine = make_engine(EngineChoice::kAuto, 8);
  ASSERT_TRUE(engine);
  if ((*engine)->info().name != "uring") GTEST_SKIP() << (*engine)->info().reason;
  EXPECT_EQ((*engine)->info().reason, "");
  EXPECT_EQ((*engine)->info().depth, 8u);
}

TEST(MakeEngine, falls_back_to_psync_and_says_why) {
  without_io_uring([] {
    const auto engine = make_engine(EngineChoice::kAuto, 8);
    ASSERT_TRUE(engine);
    EXPECT_EQ((*engine)->info().name, "psync");
    EXPECT_THAT((*engine)->info().reason, testing::HasSubstr("Operation not permitted"));
    test::TempDirectory directory;
    PosixFileSystem files;
    const auto file = files.open(directory / "file", {.create = true});
    Buffer memory(4096, 1);
    EXPECT_TRUE(perform(**engine, request(IoOp::kWrite, **file, 0, {memory.span()})));
  });
}

TEST(MakeEngine, fails_when_only_uring_will_do_and_it_is_refused) {
  without_io_uring([] {
    const auto engine = make_engine(EngineChoice::kUring, 8);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, Code::kPermission);
  });
}

TEST(MakeEngine, survives_a_process_without_descriptors) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto engine = make_engine(EngineChoice::kUring, 8);
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().sys_errno, EMFILE);
}

TEST(MakeEngine, refuses_a_depth_out_of_range) {
  EXPECT_EQ(make_engine(EngineChoice::kAuto, 0).error().code, Code::kInvalidArgument);
  EXPECT_EQ(make_engine(EngineChoice::kPsync, kEngineDepthMax + 1).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace terrace::io
