// A tier of any speed, size and reliability, in memory, on the injected clock (T3). Key-addressed: place 0,
// binding = key. As strict as the real ones about buffers, and asynchronous as they are: nothing ends inside
// the call but what is refused.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/random.h"
#include "tier/breaker.h"
#include "tier/mock/mock_backing.h"
#include "tier/tier.h"

namespace terrace::tier::mock {

// Chances from 0 to 1, per operation.
struct MockFaults {
  double read_error = 0;
  double write_error = 0;
  double flip_bit = 0;     // one bit of what is read, reported as success
  base::Duration delay{};  // further latency
  bool down = false;       // every operation fails, probes too
};

struct MockOptions {
  std::string name = "mock";
  base::Duration latency = std::chrono::microseconds(100);
  base::Duration jitter{};    // up to so much more, drawn
  double bytes_per_ns = 1.0;  // of the one channel all transfers share
  uint64_t seed = 1;
  bool exact_index = true;  // false: shared with others, asked through exists()
  bool local_memory = false;
  bool survives_restart = true;  // start() announces what the backing holds, with an exact index
  BreakerOptions breaker{};
};

class MockTier final : public Tier {
 public:
  // Clock and executor outlive the tier.
  MockTier(MockOptions options, std::shared_ptr<MockBacking> backing, base::Clock& clock,
           base::Executor& executor);
  ~MockTier() override;

  void set_faults(const MockFaults& faults) TERRACE_EXCLUDES(mutex_);

  std::string_view name() const override { return options_.name; }
  Capabilities capabilities() const override;
  void start(TierListener& listener) override;
  PlaceAnswer place(const record::BlockMeta& meta) override;
  void withdraw(Place place, uint64_t payload_bytes) override;
  void write(std::span<WriteOp> batch) override;
  ReadTicket read(ReadOp op) override;
  void cancel(ReadTicket ticket) override;
  void remove(std::span<const RemoveOp> batch, RemoveKind kind, Done done) override;
  void exists(std::span<const Key> keys, base::TimePoint deadline,
              std::move_only_function<void(Result<std::vector<uint64_t>>)> done) override;
  record::Secret secret(Place) const override { return backing_->secret(); }
  record::Binding binding(const Key& key, Place) const override { return key.bytes; }
  bool available(Place) const override TERRACE_EXCLUDES(mutex_);
  void remember_namespace(const KnownNamespace& known) override TERRACE_EXCLUDES(mutex_);
  std::vector<KnownNamespace> namespaces() const override TERRACE_EXCLUDES(mutex_);
  void used(Place, uint64_t) override {}  // key-addressed: places tell nothing
  Status status() const override TERRACE_EXCLUDES(mutex_);
  void sync(Done done) override;
  uint64_t close(base::TimePoint deadline) override TERRACE_EXCLUDES(mutex_);

 private:
  // An operation is admitted, given the id that serves to cancel it, and from then on waited for by close().
  // Errors: kClosed; kUnavailable while the breaker is open, for a `transfer`.
  Result<uint64_t> admit(bool transfer) TERRACE_EXCLUDES(mutex_);
  // Runs `task` when a transfer of `bytes` would have ended; then the operation has.
  void after_transfer(uint64_t id, uint64_t bytes, base::Task task) TERRACE_EXCLUDES(mutex_);
  void end(uint64_t id) TERRACE_REQUIRES(mutex_);
  bool draw(double chance) TERRACE_REQUIRES(mutex_);
  void count(bool ok, base::TimePoint deadline) TERRACE_EXCLUDES(mutex_);
  void end_write(WriteOp& op);
  void end_read(ReadOp& op);
  void probe() TERRACE_EXCLUDES(mutex_);
  void arm_probe() TERRACE_REQUIRES(mutex_);

  const MockOptions options_;
  const std::shared_ptr<MockBacking> backing_;
  base::Clock& clock_;
  base::Executor& executor_;
  TierListener* listener_ = nullptr;

  mutable base::Mutex mutex_;
  base::Random random_ TERRACE_GUARDED_BY(mutex_);
  MockFaults faults_ TERRACE_GUARDED_BY(mutex_);
  Breaker breaker_ TERRACE_GUARDED_BY(mutex_);
  std::string last_error_ TERRACE_GUARDED_BY(mutex_);
  base::TimePoint busy_until_ TERRACE_GUARDED_BY(mutex_){};
  std::map<uint64_t, base::TimerId> running_ TERRACE_GUARDED_BY(mutex_);
  std::map<uint64_t, std::shared_ptr<ReadSink>> reads_ TERRACE_GUARDED_BY(mutex_);
  uint64_t next_id_ TERRACE_GUARDED_BY(mutex_) = 1;
  uint64_t recovered_blocks_ TERRACE_GUARDED_BY(mutex_) = 0;
  std::map<Key, KnownNamespace> namespaces_ TERRACE_GUARDED_BY(mutex_);
  base::TimerId probe_timer_ TERRACE_GUARDED_BY(mutex_) = 0;
  base::Event* drained_ TERRACE_GUARDED_BY(mutex_) = nullptr;
  bool started_ TERRACE_GUARDED_BY(mutex_) = false;
  bool closed_ TERRACE_GUARDED_BY(mutex_) = false;
};

}  // namespace terrace::tier::mock
