// On real files and engines: a process killed at a random moment, and both engines over one directory.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>

#include "base/thread_executor.h"
#include "io/make_engine.h"
#include "io/posix_file_system.h"
#include "tier/disk/disk_test_kit.h"

namespace terrace::tier::disk::test {
namespace {

using ::testing::HasSubstr;

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "terrace_disk_XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  uint64_t allocated_bytes() const {
    uint64_t bytes = 0;
    io::PosixFileSystem files;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (const auto stat = files.stat(entry.path().string())) bytes += stat->allocated_bytes;
    }
    return bytes;
  }
  std::string path;
};

struct SafeListener final : TierListener {
  std::vector<uint32_t> found(std::span<const FoundBlock> batch) override {
    const base::Lock lock(mutex);
    return inner.found(batch);
  }
  void recovered(Result<void> result) override {
    {
      const base::Lock lock(mutex);
      inner.recovered(result);
    }
    executor->signal(recovery);
  }
  void gone(const Key&, Place) override {}
  void state_changed() override {}
  base::Mutex mutex;
  Listener inner;
  base::Executor* executor = nullptr;
  base::Event recovery;
};

class RealLife {
 public:
  RealLife(const std::string& path, io::EngineChoice choice)
      : engine_(std::move(*io::make_engine(choice, 16))), scheduler_(*engine_, io::SchedulerOptions{}) {
    options.paths = {path};
    options.capacity_bytes = 48 * base::kMiB;
    options.segment_bytes = base::kMiB;
    options.sync_interval = std::chrono::milliseconds(20);
  }
  ~RealLife() {
    if (tier) tier->close(base::kForever);
  }
  Outcome<void> open() {
    auto opened = DiskTier::open(options, {clock, executor, files_, {scheduler_}});
    if (!opened) return std::unexpected(opened.error());
    tier = std::move(*opened);
    listener.executor = &executor;
    tier->start(listener);
    executor.wait(listener.recovery, base::kForever);
    return {};
  }
  bool store(uint64_t id, uint64_t bytes, std::function<void(bool)> ended = nullptr) {
    const record::BlockMeta meta = meta_of(id, bytes);
    const auto answer = tier->place(meta);
    if (!answer) return false;
    auto memory = std::make_shared<memory::PageBuffer>(
        std::move(*memory::PageBuffer::make(record::record_bytes(bytes))));
    fill(memory->bytes().subspan(kPage, bytes), id);
    record::PartSums sums;
    record::sum_parts(meta.key, memory->bytes().subspan(kPage, bytes), sums);
    record::seal(meta, sums, tier->secret(answer->place), answer->binding, memory->bytes().first(kPage));
    auto done = std::make_shared<base::Event>();
    WriteOp op{.meta = meta,
               .place = answer->place,
               .rank = id,
               .record = {},
               .deadline = base::kForever,
               .done = {}};
    op.record[0] = {memory->data(), memory->size()};
    const FoundBlock block{meta, *answer, id};
    op.done = [this, memory, done, block, ended](Result<void> result) {
      if (result) {
        const base::Lock lock(listener.mutex);
        listener.inner.blocks.emplace(block.meta.key, block);
      }
      if (ended) ended(result.has_value());
      executor.signal(*done);
    };
    tier->write(std::span(&op, 1));
    if (ended) return true;
    return executor.wait(*done, base::kForever);
  }
  std::optional<Error> check(const FoundBlock& block, uint64_t id) {
    struct Waiting final : ReadSink {
      Waiting(Sink wrapped, base::Executor& waker) : sink(std::move(wrapped)), executor(waker) {}
      void arrived(uint64_t offset, uint64_t bytes) override { sink.arrived(offset, bytes); }
      void done(Result<void> result) override {
        sink.done(result);
        executor.signal(ended);
      }
      Sink sink;
      base::Executor& executor;
      base::Event ended;
    };
    const uint64_t bytes = block.meta.payload_bytes;
    auto sink = std::make_shared<Waiting>(
        Sink(record::Verifier(block.meta.key, bytes, tier->secret(block.where.place), block.where.binding),
             std::move(*memory::PageBuffer::make(record::record_bytes(bytes)))),
        executor);
    sink->sink.payload_bytes = bytes;
    ReadOp op;
    op.key = block.meta.key;
    op.place = block.where.place;
    op.payload_bytes = bytes;
    op.record[0] = {sink->sink.buffer.data(), sink->sink.buffer.size()};
    op.sink = sink;
    tier->read(std::move(op));
    executor.wait(sink->ended, base::kForever);
    if (!sink->sink.error) {
      std::vector<std::byte> expected(bytes);
      fill(expected, id);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), sink->sink.buffer.data() + kPage))
          << "WRONG BYTES";
    }
    return sink->sink.error;
  }

  base::SteadyClock clock;
  base::ThreadExecutor executor;
  SafeListener listener;
  DiskOptions options;

 private:
  io::PosixFileSystem files_;
  std::unique_ptr<io::IoEngine> engine_;
  io::IoScheduler scheduler_;

 public:
  std::unique_ptr<DiskTier> tier;
};

TEST(DiskReal, both_engines_read_each_others_blocks_and_stay_within_capacity_3a) {
  const Directory directory;
  for (const auto choice : {io::EngineChoice::kAuto, io::EngineChoice::kPsync, io::EngineChoice::kAuto}) {
    RealLife life(directory.path, choice);
    life.options.capacity_bytes = 12 * base::kMiB;
    const auto opened = life.open();
    ASSERT_TRUE(opened) << opened.error().message;
    for (uint64_t id = 1; id <= 8; ++id) {
      const auto found = life.listener.inner.blocks.find(key_of(id));
      if (found == life.listener.inner.blocks.end()) {
        ASSERT_TRUE(life.store(id, 100'000 + id));
      } else {
        const auto error = life.check(found->second, id);
        EXPECT_FALSE(error) << to_string(*error);
      }
    }
    const Usage usage = life.tier->status().usage;
    EXPECT_EQ(usage.blocks, 8u);
    EXPECT_LE(directory.allocated_bytes(), usage.capacity_bytes);
    EXPECT_GE(usage.allocated_bytes + usage.allocated_bytes / 100, directory.allocated_bytes());
  }
}

TEST(DiskReal, many_threads_at_once) {
  const Directory directory;
  RealLife life(directory.path, io::EngineChoice::kAuto);
  life.options.capacity_bytes = 12 * base::kMiB;
  ASSERT_TRUE(life.open());
  std::vector<std::jthread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      base::Random random(thread);
      for (uint64_t i = 0; i < 60; ++i) {
        const uint64_t id = thread * 1000 + i;
        if (!life.store(id, 1 + random.below(120'000))) {
          std::vector<RemoveOp> ops;
          {
            const base::Lock lock(life.listener.mutex);
            for (const auto& [key, block] : life.listener.inner.blocks) {
              ops.push_back({key, block.where.place, block.meta.payload_bytes});
              if (ops.size() == 8) break;
            }
            for (const RemoveOp& op : ops) life.listener.inner.blocks.erase(op.key);
          }
          life.tier->remove(ops, random.one_in(2) ? RemoveKind::kEvict : RemoveKind::kErase,
                            [](Result<void>) {});
          continue;
        }
        std::optional<FoundBlock> block;
        {
          const base::Lock lock(life.listener.mutex);
          const auto found = life.listener.inner.blocks.find(key_of(id));
          if (found != life.listener.inner.blocks.end()) block = found->second;
        }
        if (block) (void)life.check(*block, id);  // another thread may remove it: a miss, never wrong
      }
    });
  }
  threads.clear();
  EXPECT_EQ(life.tier->close(base::kForever), 0u);
}

// The child writes as fast as it can, and says through the pipe which writes have ended.
[[noreturn]] void write_until_killed(const std::string& path, int pipe, uint64_t first) {
  RealLife life(path, io::EngineChoice::kPsync);
  if (!life.open()) std::_Exit(3);
  for (uint64_t id = first; id < first + 40; ++id) {
    const bool begun = life.store(id, 1 + id * 7919 % 150'000, [pipe, id](bool ok) {
      if (ok && ::write(pipe, &id, sizeof id) != sizeof id) std::_Exit(4);
    });
    if (!begun) break;
  }
  for (;;) ::pause();
}

TEST(DiskReal, after_kill_9_every_ended_write_is_found_3b_3d) {
  const Directory directory;
  base::Random random(11);
  std::set<uint64_t> ended;
  for (uint64_t cycle = 0; cycle < 3; ++cycle) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(directory.path, pipe[1], 1 + cycle * 1000);
    ::close(pipe[1]);
    uint64_t id = 0;
    const uint64_t wanted = 1 + random.below(25);
    for (uint64_t seen = 0; seen < wanted && ::read(pipe[0], &id, sizeof id) == sizeof id; ++seen)
      ended.insert(id);
    {
      RealLife refused(directory.path, io::EngineChoice::kPsync);
      const auto opened = refused.open();
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error().error.code, Code::kInUse);
      EXPECT_THAT(opened.error().message, HasSubstr("process " + std::to_string(child)));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    while (::read(pipe[0], &id, sizeof id) == sizeof id) ended.insert(id);
    ::close(pipe[0]);

    RealLife life(directory.path, io::EngineChoice::kPsync);
    ASSERT_TRUE(life.open());
    for (const uint64_t one : ended) {
      const auto found = life.listener.inner.blocks.find(key_of(one));
      ASSERT_NE(found, life.listener.inner.blocks.end()) << "lost " << one;
      const auto error = life.check(found->second, one);
      EXPECT_FALSE(error) << to_string(*error);
    }
  }
}

TEST(DiskReal, a_path_without_permission_is_named_T4) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  const Directory directory;
  std::filesystem::permissions(directory.path, std::filesystem::perms::none);
  RealLife life(directory.path, io::EngineChoice::kPsync);
  const auto opened = life.open();
  std::filesystem::permissions(directory.path, std::filesystem::perms::owner_all);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, Code::kPermission);
  EXPECT_THAT(opened.error().message, HasSubstr(directory.path));
}

TEST(DiskReal, an_index_is_found_quickly_P5) {
  // Few blocks, many slots: the tables are what recovery reads. The benchmark has the full figure.
  const Directory directory;
  DiskOptions options;
  {
    RealLife life(directory.path, io::EngineChoice::kAuto);
    life.options.capacity_bytes = 200 * base::kMiB;
    life.options.segment_bytes = 32 * base::kMiB;
    ASSERT_TRUE(life.open());
    std::atomic<int> ended = 0;
    for (uint64_t id = 0; id < 3'000; ++id) {
      while (id - static_cast<uint64_t>(ended.load()) > 256) std::this_thread::yield();
      ASSERT_TRUE(life.store(id, 1000, [&](bool ok) { ended += ok; }));
    }
    while (ended < 3'000) std::this_thread::yield();
  }
  RealLife life(directory.path, io::EngineChoice::kAuto);
  life.options.capacity_bytes = 200 * base::kMiB;
  const auto begun = life.clock.now();
  ASSERT_TRUE(life.open());
  const auto took = life.clock.now() - begun;
  EXPECT_EQ(life.listener.inner.blocks.size(), 3'000u);
  RecordProperty("recovery_us", static_cast<int>(took.count() / 1000));
  EXPECT_LT(took, std::chrono::seconds(5));
}

}  // namespace
}  // namespace terrace::tier::disk::test
