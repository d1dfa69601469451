// The state objects of running flows. Guarded by the store's mutex unless said otherwise.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "memory/region.h"
#include "record/record.h"
#include "store/storage_manager.h"
#include "surface/operations.h"

namespace terrace::store {

// A commit or put, for its completions: one event per write, one when the last has ended (S4).
class Batch {
 public:
  explicit Batch(Notify to) : notify(std::move(to)) {}
  Notify notify;
  uint64_t pending = 0;                 // writes that have not ended
  bool complete = false;                // all its writes are known
  std::vector<memory::RegionUse> uses;  // put from caller memory
};

// One block on its way to one tier.
struct WriteFlow {
  BlockId block = kNoBlock;
  BlockId parent = kNoBlock;  // kept in the tier until the write ends (E1); the block may get one later
  uint32_t tier = 0;
  Buffer* buffer = nullptr;  // referenced
  tier::Placement where;
  record::Secret secret{};
  std::byte* header = nullptr;  // its header page: the buffer's own, or a page of the pool
  bool own_header = false;
  uint64_t rank = 0;
  uint64_t credit = 0;
  TenantId tenant = kNoTenant;  // in whose share of the tier its bytes are held
  base::TimePoint begun{};      // when the tier was asked
  bool removed = false;         // removed or cleared meanwhile: never becomes visible (D1)
  bool started = false;
  // What recovery found of the block meanwhile. It leaves when the write is whole: a kill takes one of them.
  std::optional<tier::FoundBlock> before;
  std::vector<std::shared_ptr<Batch>> batches;
};

// One block being read from a tier into the arena, for everyone who wants it (R2).
struct Load {
  BlockId block = kNoBlock;
  uint32_t tier = 0;
  Buffer* buffer = nullptr;              // referenced
  ResidenceId residence = kNoResidence;  // pinned
  uint32_t generation = 0;
  uint64_t place = 0;
  io::IoClass io_class = io::IoClass::kLoad;
  base::TimePoint deadline = base::kForever;
  base::TimePoint begun{};  // when the tier was asked
  struct Waiting {
    std::shared_ptr<LoadWaiter> waiter;
    size_t index;
  };
  std::vector<Waiting> waiters;
  bool again = false;  // read once more after it failed verification (R6)
  // Not guarded: set once the read was issued; a cancel that comes earlier is seen then.
  std::atomic<tier::ReadTicket> ticket{0};
  std::atomic<bool> cancel_wanted{false};
};

// Verifies a record's parts as their bytes arrive, in whatever order (R6). On the tier's threads, one call at
// a time.
class ArrivalVerifier {
 public:
  // `payload` is where the payload stands; `tail` the page its last bytes arrive in when they do not arrive
  // in place.
  ArrivalVerifier(const record::Verifier& verifier, std::span<const std::byte> header,
                  std::span<std::byte> payload, std::span<const std::byte> tail = {})
      : verifier_(verifier), header_(header), payload_(payload), tail_(tail) {}

  void arrived(uint64_t offset, uint64_t bytes);
  // The transfer's own result, or kCorrupt when what arrived is not the block.
  Result<void> outcome(Result<void> transferred) const;
  const record::BlockMeta& meta() const { return verifier_.meta(); }

 private:
  struct Range {
    uint64_t offset, bytes;
  };
  void verify(Range range);

  record::Verifier verifier_;
  std::span<const std::byte> header_;
  std::span<std::byte> payload_;
  std::span<const std::byte> tail_;
  bool header_arrived_ = false;
  std::vector<Range> early_;  // arrived before the header
  Result<void> result_;
};

// What a pin keeps.
struct PinnedBlocks {
  std::shared_ptr<StorageManager> manager;
  std::vector<PinnedHold> held{};  // in tiers
  std::vector<Buffer*> buffers{};  // in L1

  explicit PinnedBlocks(std::shared_ptr<StorageManager> of) : manager(std::move(of)) {}
  PinnedBlocks(const PinnedBlocks&) = delete;
  PinnedBlocks& operator=(const PinnedBlocks&) = delete;
  ~PinnedBlocks() { manager->unpin(held, buffers); }
};

// What a retrieve delivered, until its Blocks go.
struct LeasedBlocks {
  std::shared_ptr<StorageManager> manager;
  std::vector<Buffer*> buffers{};

  explicit LeasedBlocks(std::shared_ptr<StorageManager> of) : manager(std::move(of)) {}
  LeasedBlocks(const LeasedBlocks&) = delete;
  LeasedBlocks& operator=(const LeasedBlocks&) = delete;
  ~LeasedBlocks() { manager->release(buffers); }
};

struct LookupFlow final : LookupOperation::State, std::enable_shared_from_this<LookupFlow> {
  bool ready() override { return event.is_set(); }
  std::optional<LookupResult> take() override {
    return ready() ? std::exchange(result, std::nullopt) : std::nullopt;
  }
  void cancel() override { manager->cancel(shared_from_this()); }

  std::shared_ptr<StorageManager> manager;
  ScopePtr scope;
  std::vector<Key> keys;
  size_t unanswered = 0;        // tiers asked
  uint64_t removals_begun = 0;  // when they were asked
  bool ended = false;
  Notify notify;
  base::TimerId timer = 0;
  base::Event event;                   // the result is there
  std::optional<LookupResult> result;  // written before the event
};

struct GetFlow final : GetOperation::State, LoadWaiter, std::enable_shared_from_this<GetFlow> {
  bool ready() override { return event.is_set(); }
  std::optional<Blocks> take() override { return ready() ? manager->take(shared_from_this()) : std::nullopt; }
  bool wait() override { return manager->wait(*this); }
  void cancel() override { manager->cancel(shared_from_this()); }

  enum class Phase : uint8_t { kReady, kLoading, kVerifying, kMissed };
  struct Item {
    Phase phase = Phase::kMissed;
    Buffer* buffer = nullptr;  // referenced
    uint16_t source = 0;
    uint16_t asked_of = kNoTier;  // whose copy was tried
    MissReason reason = MissReason::kBehindHole;
    BlockId block = kNoBlock;
  };
  void loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason) override;

  std::shared_ptr<StorageManager> manager;
  std::vector<Key> keys;
  std::vector<Item> items;  // one for each key
  size_t pending = 0;
  bool finished = false;
  base::TimePoint deadline;
  std::optional<WriteBack> write_back;
  std::shared_ptr<PrefetchFlow> ticket;  // whose blocks are taken first
  Notify notify;
  base::TimerId timer = 0;
  base::Event event;  // result is there
  std::optional<Blocks> blocks;
};

struct IntoFlow final : IntoOperation::State, LoadWaiter, std::enable_shared_from_this<IntoFlow> {
  bool ready() override { return ready_event.is_set(); }
  bool released() override { return released_event.is_set(); }
  IntoResult result() override { return manager->result(*this); }
  bool wait(Timeout timeout) override { return manager->wait(shared_from_this(), timeout); }
  void cancel() override { manager->cancel(shared_from_this()); }

  enum class Phase : uint8_t { kDone, kLoading, kCopyQueued, kCopying, kDirect, kMissed };
  struct Item {
    Phase phase = Phase::kMissed;
    Buffer* buffer = nullptr;  // referenced until the result
    uint16_t source = 0;
    uint16_t asked_of = kNoTier;  // whose copy was tried
    MissReason reason = MissReason::kBehindHole;
    BlockId block = kNoBlock;
    std::span<std::byte> to;
    memory::RegionUse use;
    // Of a direct read:
    ResidenceId residence = kNoResidence;
    uint32_t generation = 0;
    uint64_t place = 0;
    base::TimePoint begun{};
    std::byte* header = nullptr;
    std::byte* tail = nullptr;
    tier::ReadTicket ticket = 0;
    bool holds_block = false;  // a reference, until released
    bool again = false;        // read once more after it failed verification (R6)
    bool missed = false;       // answered as a miss while IO still runs
  };
  void loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason) override;
  std::vector<Key> keys;
  bool touching(const Item& item) const {
    return item.phase == Phase::kDirect || item.phase == Phase::kCopying;
  }

  std::shared_ptr<StorageManager> manager;
  std::vector<Item> items;
  bool finished = false;
  bool released_sent = false;
  std::optional<WriteBack> write_back;
  Notify notify;
  base::TimerId timer = 0;
  base::Event ready_event, released_event;
  IntoResult answer;
};

struct PrefetchFlow final : PrefetchTicket::State, LoadWaiter, std::enable_shared_from_this<PrefetchFlow> {
  PrefetchTicket::Progress progress() override { return manager->progress(*this); }
  void cancel() override { manager->cancel(shared_from_this()); }
  void release() override { manager->release(shared_from_this()); }

  enum class Phase : uint8_t { kWaiting, kLoading, kReady, kGone };
  struct Item {
    Phase phase = Phase::kWaiting;
    Buffer* buffer = nullptr;  // referenced: the ticket's lease
    uint16_t source = 0;
    uint64_t bytes = 0;
    Key key;
  };
  void loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason) override;

  std::shared_ptr<StorageManager> manager;
  std::vector<Item> items;
  size_t next = 0;       // first not asked for
  size_t validated = 0;  // items before it arrived and were kept
  size_t loading = 0;
  size_t arrived = 0, failed = 0;
  bool ended = false;
  bool cancelled = false;
  PrefetchPolicy policy = PrefetchPolicy::kRetain;
  std::optional<WriteBack> write_back;
  Notify notify;
  base::TimerId hold_timer = 0;
};

}  // namespace terrace::store
