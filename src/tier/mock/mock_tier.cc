#include "tier/mock/mock_tier.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

#include "base/hooks.h"

namespace terrace::tier::mock {
namespace {

bool whole_and_aligned(const std::array<io::IoVec, 3>& record, uint64_t payload_bytes) {
  uint64_t bytes = 0;
  for (const io::IoVec& piece : record) {
    const bool aligned = reinterpret_cast<uintptr_t>(piece.data) % base::kPage == 0;
    if (piece.bytes % base::kPage != 0 || (piece.bytes > 0 && !aligned)) return false;
    bytes += piece.bytes;
  }
  return bytes == record::record_bytes(payload_bytes);
}

}  // namespace

MockTier::MockTier(MockOptions options, std::shared_ptr<MockBacking> backing, base::Clock& clock,
                   base::Executor& executor)
    : options_(std::move(options)),
      backing_(std::move(backing)),
      clock_(clock),
      executor_(executor),
      random_(options_.seed),
      breaker_(options_.breaker) {}

MockTier::~MockTier() {
  close(base::kForever);
}

void MockTier::set_faults(const MockFaults& faults) {
  const base::Lock lock(mutex_);
  faults_ = faults;
}

Capabilities MockTier::capabilities() const {
  return {.exact_index = options_.exact_index,
          .local_memory = options_.local_memory,
          .survives_restart = options_.survives_restart};
}

// --- time ---

Result<uint64_t> MockTier::admit(bool transfer) {
  const base::Lock lock(mutex_);
  if (closed_) return fail(Code::kClosed, "the tier is closed");
  if (transfer && breaker_.open()) return fail(Code::kUnavailable, "the tier's breaker is open");
  const uint64_t id = next_id_++;
  running_[id] = 0;
  return id;
}

void MockTier::end(uint64_t id) {
  running_.erase(id);
  reads_.erase(id);
  if (running_.empty() && drained_ != nullptr) executor_.signal(*drained_);
}

void MockTier::after_transfer(uint64_t id, uint64_t bytes, base::Task task) {
  const base::Lock lock(mutex_);
  const base::TimePoint now = clock_.now();
  const auto transfer =
      base::Duration(static_cast<int64_t>(static_cast<double>(bytes) / options_.bytes_per_ns));
  busy_until_ = std::max(busy_until_, now) + transfer;
  const auto jitter = options_.jitter.count() > 0 ? base::Duration(static_cast<int64_t>(random_.below(
                                                        static_cast<uint64_t>(options_.jitter.count()))))
                                                  : base::Duration();
  const base::TimePoint when = busy_until_ + options_.latency + jitter + faults_.delay;
  const base::TimerId timer = executor_.post_at(when, [this, id, task = std::move(task)]() mutable {
    task();
    task = nullptr;
    const base::Lock done(mutex_);
    end(id);
  });
  if (timer == 0) return end(id);  // the executor stops
  running_[id] = timer;
}

bool MockTier::draw(double chance) {
  return faults_.down || (chance > 0 && random_.unit() < chance);
}

void MockTier::count(bool ok, base::TimePoint deadline) {
  bool changed = false;
  {
    const base::Lock lock(mutex_);
    const base::TimePoint now = clock_.now();
    if (!ok) last_error_ = "an injected fault";
    if (now > deadline) last_error_ = "an operation passed its deadline";
    changed = breaker_.record(ok && now <= deadline, now);
    if (changed) arm_probe();
  }
  if (changed && listener_ != nullptr) listener_->state_changed();
}

void MockTier::arm_probe() {
  if (closed_ || !breaker_.open()) return;
  probe_timer_ = executor_.post_at(breaker_.probe_at(), [this] { probe(); });
}

void MockTier::probe() {
  bool changed = false;
  {
    const base::Lock lock(mutex_);
    if (closed_) return;
    breaker_.probe_started();
    changed = breaker_.probe_ended(!faults_.down, clock_.now());
    arm_probe();
  }
  if (changed && listener_ != nullptr) listener_->state_changed();
}

// --- operations ---

void MockTier::start(TierListener& listener) {
  listener_ = &listener;
  {
    const base::Lock lock(mutex_);
    started_ = true;
  }
  const auto admitted = admit(false);
  if (!admitted) return;
  after_transfer(*admitted, 0, [this] {
    std::vector<FoundBlock> found;
    if (options_.exact_index && options_.survives_restart) {
      for (const auto& stored : backing_->all()) {
        found.push_back({stored->meta, {.place = 0, .binding = stored->meta.key.bytes}, stored->rank});
      }
    }
    // Not wanted is what the store writes, or has written, anew: under the same key, so that removing one
    // would remove the other.
    if (!found.empty()) (void)listener_->found(found);
    {
      const base::Lock lock(mutex_);
      recovered_blocks_ = found.size();
    }
    listener_->recovered({});
  });
}

PlaceAnswer MockTier::place(const record::BlockMeta& meta) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  {
    const base::Lock lock(mutex_);
    if (closed_ || breaker_.open()) return std::unexpected(PlaceRefused{.why = Refusal::kUnavailable});
  }
  if (backing_->capacity_bytes() != 0 && bytes > backing_->capacity_bytes()) {
    return std::unexpected(PlaceRefused{.why = Refusal::kTooLarge});
  }
  if (!backing_->reserve(bytes)) return std::unexpected(PlaceRefused{.why = Refusal::kNoRoom});
  return Placement{.place = 0, .binding = meta.key.bytes};
}

void MockTier::withdraw(Place, uint64_t payload_bytes) {
  backing_->give_back(record::record_bytes(payload_bytes));
}

void MockTier::write(std::span<WriteOp> batch) {
  for (WriteOp& op : batch) {
    const uint64_t bytes = record::record_bytes(op.meta.payload_bytes);
    const bool right = whole_and_aligned(op.record, op.meta.payload_bytes);
    const Result<uint64_t> admitted =
        right ? admit(true)
              : fail(Code::kInvalidArgument, "a record is written whole, from page-aligned memory");
    if (!admitted) {
      backing_->give_back(bytes);
      op.done(std::unexpected(admitted.error()));
      continue;
    }
    after_transfer(*admitted, bytes, [this, op = std::move(op)]() mutable { end_write(op); });
  }
}

void MockTier::end_write(WriteOp& op) {
  const uint64_t bytes = record::record_bytes(op.meta.payload_bytes);
  bool fails = false;
  {
    const base::Lock lock(mutex_);
    fails = draw(faults_.write_error);
  }
  count(!fails, op.deadline);
  if (fails) {
    backing_->give_back(bytes);
    // An older record of the block, not announced because this write ran, is nobody's now.
    if (options_.exact_index) backing_->remove(op.meta.key);
    TERRACE_PROBE("mock.write_error");
    return op.done(fail(Code::kIo, "an injected write error"));
  }
  MockBacking::Stored stored{.meta = op.meta, .rank = op.rank, .bytes = {}};
  stored.bytes.reserve(bytes);
  for (const io::IoVec& piece : op.record) {
    const auto* first = static_cast<const std::byte*>(piece.data);
    stored.bytes.insert(stored.bytes.end(), first, first + piece.bytes);
  }
  op.done(backing_->put(std::move(stored)));
}

ReadTicket MockTier::read(ReadOp op) {
  const Result<uint64_t> admitted =
      whole_and_aligned(op.record, op.payload_bytes)
          ? admit(true)
          : fail(Code::kInvalidArgument, "a record is read whole, into page-aligned memory");
  if (!admitted) {
    op.sink->done(std::unexpected(admitted.error()));
    return 0;
  }
  const auto sink = op.sink;
  const uint64_t bytes = record::record_bytes(op.payload_bytes);
  after_transfer(*admitted, bytes, [this, op = std::move(op)]() mutable { end_read(op); });
  const base::Lock lock(mutex_);
  if (running_.contains(*admitted)) reads_[*admitted] = sink;
  return *admitted;
}

void MockTier::end_read(ReadOp& op) {
  bool fails = false, flips = false;
  uint64_t bit = 0;
  const uint64_t bytes = record::record_bytes(op.payload_bytes);
  {
    const base::Lock lock(mutex_);
    fails = draw(faults_.read_error);
    flips = !fails && draw(faults_.flip_bit);
    bit = flips ? random_.below(bytes * 8) : 0;
  }
  count(!fails, op.deadline);
  if (fails) return op.sink->done(fail(Code::kIo, "an injected read error"));
  const auto stored = backing_->get(op.key);
  if (stored == nullptr || stored->bytes.size() != bytes || stored->meta.payload_bytes != op.payload_bytes) {
    return op.sink->done(fail(Code::kNotFound, "no such block"));
  }
  uint64_t at = 0;
  for (const io::IoVec& piece : op.record) {
    if (piece.bytes == 0) continue;
    std::memcpy(piece.data, stored->bytes.data() + at, piece.bytes);
    if (flips && bit / 8 >= at && bit / 8 < at + piece.bytes) {
      static_cast<std::byte*>(piece.data)[bit / 8 - at] ^= std::byte{1} << (bit % 8);
    }
    at += piece.bytes;
  }
  const uint64_t part = record::part_bytes(op.payload_bytes);
  const uint32_t parts = record::part_count(op.payload_bytes);
  // Backwards, as a device may: the header alone comes first.
  op.sink->arrived(0, record::kHeaderBytes);
  for (uint32_t i = parts; i-- > 0;) {
    const uint64_t from = record::kHeaderBytes + i * part;
    op.sink->arrived(from, (i + 1 == parts ? bytes : from + part) - from);
  }
  op.sink->done({});
}

void MockTier::cancel(ReadTicket ticket) {
  std::shared_ptr<ReadSink> sink;
  base::TimerId timer = 0;
  {
    const base::Lock lock(mutex_);
    const auto running = running_.find(ticket);
    const auto read = reads_.find(ticket);
    if (running == running_.end() || read == reads_.end()) return;
    timer = running->second;
    sink = read->second;
  }
  if (!executor_.cancel(timer)) return;  // it ends now
  sink->done(fail(Code::kCancelled, "cancelled"));
  const base::Lock lock(mutex_);
  end(ticket);
}

void MockTier::remove(std::span<const RemoveOp> batch, RemoveKind, Done done) {
  const auto admitted = admit(false);
  if (!admitted) return done(std::unexpected(admitted.error()));
  for (const RemoveOp& op : batch) backing_->remove(op.key);
  after_transfer(*admitted, 0, [done = std::move(done)]() mutable { done({}); });
}

void MockTier::exists(std::span<const Key> keys, base::TimePoint deadline,
                      std::move_only_function<void(Result<std::vector<uint64_t>>)> done) {
  const auto admitted = admit(false);
  if (!admitted) return done(std::unexpected(admitted.error()));
  std::vector<Key> asked(keys.begin(), keys.end());
  after_transfer(*admitted, 0, [this, asked = std::move(asked), deadline, done = std::move(done)]() mutable {
    bool down = false;
    {
      const base::Lock lock(mutex_);
      down = faults_.down || closed_;
    }
    count(!down, deadline);
    if (down) return done(fail(Code::kIo, "the tier is down"));
    if (clock_.now() > deadline) return done(fail(Code::kDeadline, "too late"));
    std::vector<uint64_t> lengths;
    for (const Key& key : asked) {
      lengths.push_back(backing_->payload_bytes(key));
    }
    done(std::move(lengths));
  });
}

bool MockTier::available(Place) const {
  const base::Lock lock(mutex_);
  return !closed_ && !breaker_.open();
}

// --- state ---

void MockTier::remember_namespace(const KnownNamespace& known) {
  const base::Lock lock(mutex_);
  namespaces_.insert_or_assign(known.root, known);
}

std::vector<KnownNamespace> MockTier::namespaces() const {
  const base::Lock lock(mutex_);
  std::vector<KnownNamespace> all;
  for (const auto& [root, known] : namespaces_) all.push_back(known);
  return all;
}

Status MockTier::status() const {
  Status status;
  status.usage = {.used_bytes = backing_->used_bytes(),
                  .allocated_bytes = backing_->used_bytes(),
                  .capacity_bytes = backing_->capacity_bytes(),
                  .blocks = backing_->blocks()};
  status.engine = "mock";
  const base::Lock lock(mutex_);
  status.state = closed_ ? State::kClosed : breaker_.open() ? State::kUnavailable : State::kReady;
  status.last_error = last_error_;
  status.recovered_blocks = recovered_blocks_;
  return status;
}

void MockTier::sync(Done done) {
  const auto admitted = admit(false);
  if (!admitted) return done(std::unexpected(admitted.error()));
  after_transfer(*admitted, 0, [done = std::move(done)]() mutable { done({}); });
}

uint64_t MockTier::close(base::TimePoint deadline) {
  base::Event drained;
  base::TimerId probe_timer = 0;
  {
    const base::Lock lock(mutex_);
    closed_ = true;
    probe_timer = std::exchange(probe_timer_, 0);
    if (!running_.empty()) {
      drained_ = &drained;
    } else {
      drained.mark();
    }
  }
  if (probe_timer != 0) executor_.cancel(probe_timer);
  executor_.wait(drained, deadline);
  const base::Lock lock(mutex_);
  drained_ = nullptr;
  return running_.size();
}

}  // namespace terrace::tier::mock
