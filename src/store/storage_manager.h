// The store's heart: one mutex, one index, and the flows between engine, L1 and tiers. Each flow has its own
// file:
//   reserve.cc (S1, S2)   put_flow.cc (S7)   write_flow.cc (S3, S4)   lookup.cc (Q)   get_flow.cc, load.cc
//   (R1 to R6) into_flow.cc (R5)   prefetch_flow.cc (R7)   eviction.cc (E)   removal.cc (D1)   lifecycle.cc
//   (open, close, stats)   tier_news.cc (P5)
// Flows are explicit state objects; what waits continues as a task on the executor. The mutex is never held
// across IO, a tier's read or write, a copy, a callback or a log line.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <terrace/store.h>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "memory/arena.h"
#include "memory/mapping.h"
#include "memory/region.h"
#include "store/block_table.h"
#include "store/change_board.h"
#include "store/event_queue.h"
#include "store/history.h"
#include "store/index.h"
#include "store/key_counter.h"
#include "store/l1.h"
#include "store/load_waiter.h"
#include "store/namespace_table.h"
#include "store/page_pool.h"
#include "store/scope.h"
#include "store/tenant_table.h"
#include "store/tier_state.h"
#include "surface/access.h"
#include "surface/backend.h"
#include "tier/tier.h"

namespace terrace::store {

// What a store runs on; injected, so that whole stores run in the simulator. Destroyed in reverse order.
struct StoreParts {
  std::shared_ptr<void> keep_alive;  // whatever the pointers below point into; destroyed last
  base::Clock* clock = nullptr;
  base::Executor* executor = nullptr;
  std::vector<std::unique_ptr<tier::Tier>> tiers;  // as StoreOptions::tiers
  std::unique_ptr<memory::SegmentSource> segments;
  uint64_t use_time_base =
      0;  // added to the clock for order of use, so that it goes on growing after a restart
};

struct Load;
struct WriteFlow;
struct LookupFlow;
struct GetFlow;
struct IntoFlow;
struct PrefetchFlow;
class Batch;

class StorageManager final : public surface::Backend, public std::enable_shared_from_this<StorageManager> {
 public:
  static Outcome<std::shared_ptr<StorageManager>> create(const StoreOptions& options, StoreParts parts);
  ~StorageManager() override;

  // Maps and touches the arena from a thread of its own, so that no engine pays for first touches.
  void warm_in_background();
  // The same for an arena that takes memory only as the machine has it free: slots are given out of what was
  // had, the first segment at once; the rest is asked for until it is there. Once, before the store is used.
  void fill_in_background();
  uint64_t l1_bytes_open() const TERRACE_EXCLUDES(mutex_);

  // As terrace::Store; see there.
  Outcome<Key> open_namespace(const Namespace& fields) override;
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request) override {
    return reserve(request, 0);
  }
  Result<std::vector<ReserveAnswer>> reserve_wait(const ReserveRequest& request, Timeout timeout) override {
    return reserve_wait(request, timeout, 0);
  }
  // `owner` is whose process fills the buffers: 0 this one's, a session's number in a server.
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request, memory::SlotOwner owner);
  Result<std::vector<ReserveAnswer>> reserve_wait(const ReserveRequest& request, Timeout timeout,
                                                  memory::SlotOwner owner);
  Result<void> commit(std::span<Reservation> reservations, const Notify& notify) override;
  Result<std::vector<ReserveOutcome>> put(const ReserveRequest& request, std::span<const RegionSlice> from,
                                          const Notify& notify) override;
  Result<LookupResult> lookup(std::span<const Key> keys, bool pin) override {
    return lookup(keys, pin, nullptr);
  }
  Result<FamilyLookup> lookup_families(std::span<const Key> families, const FamilyLayout& layout) override {
    return lookup_families(families, layout, nullptr);
  }
  Result<LookupOperation> lookup_async(std::span<const Key> keys, Timeout timeout,
                                       const Notify& notify) override {
    return lookup_async(keys, timeout, notify, nullptr);
  }
  Result<Blocks> get(std::span<const Key> keys, const GetOptions& options) override;
  Result<GetOperation> get_async(std::span<const Key> keys, const GetOptions& options,
                                 const Notify& notify) override {
    return get_async(keys, options, notify, nullptr);
  }
  Result<IntoOperation> get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                 const GetOptions& options, const Notify& notify) override {
    return get_into(keys, to, options, notify, nullptr);
  }
  Result<PrefetchTicket> prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                  const Notify& notify) override {
    return prefetch(keys, options, notify, nullptr);
  }
  Result<RegionId> register_region(void* data, uint64_t bytes) override;
  Result<RegionId> register_shared_region(int fd, uint64_t offset, uint64_t bytes) override;
  Result<void> unregister_region(RegionId region) override;
  Result<uint64_t> remove(std::span<const Key> keys, bool erase) override {
    return remove(keys, erase, nullptr);
  }
  Result<uint64_t> clear(const ClearScope& scope) override;
  std::shared_ptr<CompletionQueue> make_queue() override;
  std::shared_ptr<Subscription> subscribe() override { return subscribe(nullptr); }
  std::shared_ptr<Subscription> subscribe(ScopePtr scope) TERRACE_EXCLUDES(mutex_);
  Result<void> sync(Timeout timeout) override;
  bool wait_recovered(Timeout timeout) override;
  StoreStats stats() const override;
  std::vector<StoredNamespace> namespaces() const override;
  Result<uint64_t> set_quota(const std::string& tenant, const TenantQuota& quota) override;
  std::vector<TenantUsage> tenants() const override;
  KeyStory why(const Key& key) const override;
  std::vector<StoredBlock> list(std::optional<Key> root, std::optional<Key> after,
                                size_t limit) const override;
  Result<uint64_t> close(Timeout timeout) override;
  Result<uint64_t> set_l1_mode(L1Mode mode) override;
  Result<uint64_t> drain_tier(std::string_view name, Timeout timeout) override;
  Result<void> resume_tier(std::string_view name) override;
  void count_behind_hole(std::span<const Key> keys) override TERRACE_EXCLUDES(mutex_);
  uint64_t l1_budget() const override { return mode_ == L1Mode::kOff ? 0 : options_.l1.budget; }
  L1Mode l1_mode() const { return mode_; }
  Timeout get_timeout() const { return options_.get_timeout; }

  // --- for a server, whose sessions may be bound to namespaces
  Result<LookupResult> lookup(std::span<const Key> keys, bool pin, const ScopePtr& scope);
  Result<FamilyLookup> lookup_families(std::span<const Key> families, const FamilyLayout& layout,
                                       const ScopePtr& scope);
  Result<LookupOperation> lookup_async(std::span<const Key> keys, Timeout timeout, const Notify& notify,
                                       const ScopePtr& scope);
  Result<GetOperation> get_async(std::span<const Key> keys, const GetOptions& options, const Notify& notify,
                                 const ScopePtr& scope);
  Result<IntoOperation> get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                 const GetOptions& options, const Notify& notify, const ScopePtr& scope);
  Result<PrefetchTicket> prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                  const Notify& notify, const ScopePtr& scope);
  Result<uint64_t> remove(std::span<const Key> keys, bool erase, const ScopePtr& scope);

  // --- and whose clients reach L1 through memory they map
  // Where the bytes of a buffer stand. `memory` names SharedMemory::id.
  struct SharedBytes {
    uint64_t memory = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  using Places = std::vector<std::pair<SharedBytes, memory::SharedMemory>>;
  // Of an owner's reservations among the answers, before they are committed: the memory is that owner's
  // alone.
  Places places_of(std::span<const ReserveAnswer> answers) const TERRACE_EXCLUDES(mutex_);
  // Of leased blocks; the memory is sealed. Errors: kUnsupported where it is not shared.
  Result<Places> places_of(const Blocks& blocks) TERRACE_EXCLUDES(mutex_);
  // A shared region that nothing new may touch; unmapped when nothing does any more.
  void retire_region(RegionId region) TERRACE_EXCLUDES(mutex_);
  // The owner is gone; what it committed stays. Its memory is the store's when its process `has_ended`, and
  // else used no more, once empty: the process may write there.
  void disown(memory::SlotOwner owner, bool has_ended) TERRACE_EXCLUDES(mutex_);
  // Ids of memory that was replaced since the last call.
  std::vector<uint64_t> take_replaced_memory() TERRACE_EXCLUDES(mutex_);

  // Handles give back what they hold.
  void abort(uint64_t token) override TERRACE_EXCLUDES(mutex_);
  void release(std::span<Buffer* const> buffers) TERRACE_EXCLUDES(mutex_);
  void unpin(std::span<const PinnedHold> held, std::span<Buffer* const> buffers) TERRACE_EXCLUDES(mutex_);
  void cancel(const std::shared_ptr<LookupFlow>& state) TERRACE_EXCLUDES(mutex_);
  void cancel(const std::shared_ptr<GetFlow>& state) TERRACE_EXCLUDES(mutex_);
  void cancel(const std::shared_ptr<IntoFlow>& state) TERRACE_EXCLUDES(mutex_);
  void cancel(const std::shared_ptr<PrefetchFlow>& state) TERRACE_EXCLUDES(mutex_);
  void release(const std::shared_ptr<PrefetchFlow>& state) TERRACE_EXCLUDES(mutex_);
  std::optional<Blocks> take(const std::shared_ptr<GetFlow>& state) TERRACE_EXCLUDES(mutex_);
  PrefetchTicket::Progress progress(const PrefetchFlow& state) const TERRACE_EXCLUDES(mutex_);
  IntoResult result(const IntoFlow& state) const TERRACE_EXCLUDES(mutex_);
  // Block until the result is there, and until the memory is released. False when the executor stops first.
  bool wait(GetFlow& get);
  bool wait(const std::shared_ptr<IntoFlow>& into, Timeout timeout);

 private:
  friend struct LookupFlow;
  friend struct GetFlow;
  friend struct IntoFlow;
  friend struct PrefetchFlow;
  class Listener;
  class LoadSink;
  class IntoSink;
  using Lock = base::Lock;

  StorageManager(const StoreOptions& options, StoreParts parts);
  Outcome<void> build();  // arena, policies; then starts the tiers
  Outcome<TierState> make_tier(uint32_t number, std::unique_ptr<tier::Tier> tier) TERRACE_REQUIRES(mutex_);
  void start_tiers();

  // --- validation (no lock)
  Result<void> check_batch(size_t keys) const;
  Result<void> check_arena() const;
  Result<void> check_into_arena(size_t keys) const;  // of retrieves that load into it
  Result<void> check_blocks(const ReserveRequest& request) const;
  base::TimePoint deadline_of(Timeout timeout) const;

  // --- store
  std::vector<ReserveAnswer> reserve_locked(const ReserveRequest& request, memory::SlotOwner owner)
      TERRACE_REQUIRES(mutex_);
  ReserveOutcome reserve_one(const ReserveRequest& request, size_t index, memory::SlotOwner owner,
                             Buffer*& buffer) TERRACE_REQUIRES(mutex_);
  uint64_t write_bytes_of(const ReserveRequest& request) const TERRACE_REQUIRES(mutex_);
  void commit_one(Buffer* buffer, uint64_t time, const std::shared_ptr<Batch>& batch)
      TERRACE_REQUIRES(mutex_);
  void finish_batch(const std::shared_ptr<Batch>& batch) TERRACE_REQUIRES(mutex_);
  void give_back(Buffer* buffer) TERRACE_REQUIRES(mutex_);  // a reservation nobody fills
  void abort_locked(Buffer* buffer) TERRACE_REQUIRES(mutex_);
  void queue_commit(Buffer* buffer, const std::shared_ptr<Batch>& batch) TERRACE_REQUIRES(mutex_);
  ReserveOutcome put_one(const ReserveRequest& request, size_t index, memory::RegionUse use,
                         std::span<std::byte> from, const std::shared_ptr<Batch>& batch)
      TERRACE_REQUIRES(mutex_);
  Result<std::vector<ReserveOutcome>> put_copied(const ReserveRequest& request,
                                                 std::span<const std::span<std::byte>> sources,
                                                 const Notify& notify) TERRACE_EXCLUDES(mutex_);
  // The block is of the namespace from now on, and counted with its tenant.
  void belongs_to(BlockId block, const Key& root) TERRACE_REQUIRES(mutex_);
  // What is known of a namespace now; its blocks are counted with its tenant.
  void describe(const tier::KnownNamespace& known) TERRACE_REQUIRES(mutex_);
  // Remembers with which others the block is found and leaves (Q4, E4), when it is one of several.
  void join_family(BlockId block, const Key& family, const Member& member) TERRACE_REQUIRES(mutex_);
  std::optional<ReserveOutcome> staged_answer(BlockId block) TERRACE_REQUIRES(mutex_);
  void freed(Buffer& buffer) TERRACE_REQUIRES(mutex_);
  static Buffer* buffer_of(const Reservation& reservation);
  static Buffer* take_buffer(Reservation& reservation);

  // --- writes to tiers
  void queue_writes(Buffer* buffer, policy::StoreMoment moment, const std::shared_ptr<Batch>& batch)
      TERRACE_REQUIRES(mutex_);
  // kNone: the tier has it, or it is on its way there.
  DropCause queue_write(uint32_t tier, Buffer* buffer, const std::shared_ptr<Batch>& batch)
      TERRACE_REQUIRES(mutex_);
  DropCause admit_write(uint32_t tier, Buffer* buffer, tier::Placement& where) TERRACE_REQUIRES(mutex_);
  bool write_down(BlockId block) TERRACE_REQUIRES(mutex_);
  std::expected<tier::Placement, DropCause> place(uint32_t tier, BlockId block, const record::BlockMeta& meta)
      TERRACE_REQUIRES(mutex_);
  // Makes one block's room in a tier that refused; kNone when it may be asked again.
  DropCause make_room(uint32_t tier, BlockId block, bool only_own, const tier::PlaceRefused& refused,
                      bool& took_segment) TERRACE_REQUIRES(mutex_);
  void post_start() TERRACE_REQUIRES(mutex_);
  void queue_committed() TERRACE_EXCLUDES(mutex_);
  void queue_one_committed() TERRACE_REQUIRES(mutex_);
  void start_writes() TERRACE_EXCLUDES(mutex_);
  void undo_write(WriteFlow* flow, bool written) TERRACE_REQUIRES(mutex_);
  void write_undone(bool failed) TERRACE_EXCLUDES(mutex_);
  void finish_write(WriteFlow* flow, Result<void> result) TERRACE_EXCLUDES(mutex_);
  WriteFlow* writing(BlockId block, uint32_t tier) const TERRACE_REQUIRES(mutex_);
  void report(const std::shared_ptr<Batch>& batch, const Completion& event) TERRACE_REQUIRES(mutex_);

  // --- retrieve
  struct DirectRead {
    uint32_t tier;
    std::shared_ptr<IntoFlow> into;
    size_t index;
  };
  struct Start {  // what a request asked tiers for; issued after the mutex is released
    std::vector<std::shared_ptr<Load>> loads;
    std::vector<DirectRead> direct;
    std::vector<std::pair<uint32_t, tier::ReadTicket>> cancels;
    std::vector<std::shared_ptr<LoadWaiter>>
        left;  // waiters that are done: destroyed after the mutex is released
  };
  struct Found {
    Buffer* buffer = nullptr;  // in L1; not referenced yet
    uint32_t tier = 0;         // else the tier to load from; 0: none
    MissReason reason = MissReason::kNone;
  };
  // `reading`: for a get, which may read what L1 holds for another reason than to answer lookups (M2).
  Found locate(const Key& key, BlockId& block, bool reading, const Scope* scope) const
      TERRACE_REQUIRES(mutex_);
  // What the scope may know of the block: also of one whose namespace nobody told yet, until it is read.
  bool may_see(const Scope* scope, BlockId block) const TERRACE_REQUIRES(mutex_);
  std::shared_ptr<PrefetchFlow> prefetch_of(const GetOptions& options) const;
  // The block that a prefetch's ticket holds for its owner; null when it holds none.
  Buffer* held_by(PrefetchFlow* ticket, const Key& key, size_t hint) const TERRACE_REQUIRES(mutex_);
  MissReason load(BlockId block, uint32_t tier, io::IoClass io_class, std::shared_ptr<LoadWaiter> waiter,
                  size_t index, Start& start) TERRACE_REQUIRES(mutex_);
  void issue(Start& start) TERRACE_EXCLUDES(mutex_);
  void finish_load(const std::shared_ptr<Load>& load, Result<void> result) TERRACE_EXCLUDES(mutex_);
  void leave_load(BlockId block, const LoadWaiter* waiter, Start& start) TERRACE_REQUIRES(mutex_);
  // `left`: to be destroyed after the mutex is released.
  void end_load(BlockId block, std::vector<std::shared_ptr<LoadWaiter>>& left) TERRACE_REQUIRES(mutex_);
  void forget_damaged(BlockId block, uint32_t tier, uint64_t place) TERRACE_REQUIRES(mutex_);
  // Counts a failed read, forgets what it proved wrong, and says why it is a miss.
  MissReason read_failed(BlockId block, uint32_t tier, uint64_t place, const Error& error, bool held)
      TERRACE_REQUIRES(mutex_);
  // R6: a shared tier is asked once more for what failed verification.
  bool worth_another_read(uint32_t tier, const Result<void>& result) const TERRACE_REQUIRES(mutex_);
  bool keep(uint32_t source, BlockId block, std::optional<WriteBack> wanted) const TERRACE_REQUIRES(mutex_);
  Buffer* adopt(Buffer* buffer) TERRACE_REQUIRES(mutex_);
  // Tells every tier's eviction policy whose uses come next.
  void begin_uses(std::span<const Key> keys, const Key& parent, uint64_t time) TERRACE_REQUIRES(mutex_);
  void touch_all(BlockId block, uint64_t time) TERRACE_REQUIRES(mutex_);
  uint64_t use_times(size_t count) TERRACE_REQUIRES(mutex_);
  void count_delivered(BlockId block, uint16_t source) TERRACE_REQUIRES(mutex_);
  void count_missed(std::span<const Key> keys, std::span<const MissReason> reasons, uint16_t asked_of)
      TERRACE_REQUIRES(mutex_);
  void took(base::Histogram& histogram, base::TimePoint begun) const;

  std::shared_ptr<GetFlow> make_get(std::span<const Key> keys, const GetOptions& options,
                                    const Notify& notify);
  void begin_get(const std::shared_ptr<GetFlow>& get) TERRACE_EXCLUDES(mutex_);
  bool begin_item(const std::shared_ptr<GetFlow>& get, size_t index, Start& start,
                  std::vector<size_t>& to_verify) TERRACE_REQUIRES(mutex_);
  void finish_get(GetFlow& get) TERRACE_REQUIRES(mutex_);
  bool sample_verification(Buffer* buffer) TERRACE_REQUIRES(mutex_);
  void end_get(GetFlow& get, MissReason reason, Start& start) TERRACE_REQUIRES(mutex_);
  void verify_resident(const std::shared_ptr<GetFlow>& get, size_t index) TERRACE_EXCLUDES(mutex_);

  void start_from_tier(const std::shared_ptr<IntoFlow>& into, size_t index, uint32_t tier, Start& start)
      TERRACE_REQUIRES(mutex_);
  void issue_direct(const DirectRead& read) TERRACE_EXCLUDES(mutex_);
  void end_into_now(const std::shared_ptr<IntoFlow>& into, MissReason reason) TERRACE_EXCLUDES(mutex_);
  void end_into(IntoFlow& into, MissReason reason, Start& start) TERRACE_REQUIRES(mutex_);
  void settle_into(IntoFlow& into) TERRACE_REQUIRES(mutex_);
  void copy_out(const std::shared_ptr<IntoFlow>& into, size_t index) TERRACE_EXCLUDES(mutex_);
  void finish_direct(const std::shared_ptr<IntoFlow>& into, size_t index, uint32_t tier, Result<void> result)
      TERRACE_EXCLUDES(mutex_);

  void post_advance() TERRACE_REQUIRES(mutex_);
  void advance_prefetches(Start& start) TERRACE_REQUIRES(mutex_);
  void advance(const std::shared_ptr<PrefetchFlow>& prefetch, Start& start) TERRACE_REQUIRES(mutex_);
  void arrived(PrefetchFlow& prefetch) TERRACE_REQUIRES(mutex_);
  void end_prefetch(PrefetchFlow& prefetch) TERRACE_REQUIRES(mutex_);
  void drop_holds(PrefetchFlow& prefetch) TERRACE_REQUIRES(mutex_);
  void take_hold(Buffer* buffer) TERRACE_REQUIRES(mutex_);

  void present_elsewhere(uint32_t tier, const std::shared_ptr<LookupFlow>& lookup,
                         std::span<const size_t> asked, const Result<std::vector<uint64_t>>& lengths)
      TERRACE_EXCLUDES(mutex_);
  void end_lookup(const std::shared_ptr<LookupFlow>& lookup) TERRACE_EXCLUDES(mutex_);

  // --- eviction
  void left(BlockId block, MissReason reason) TERRACE_REQUIRES(mutex_);
  uint64_t evict_from_tier(uint32_t tier, std::span<const BlockId> blocks) TERRACE_REQUIRES(mutex_);
  void check_watermarks() TERRACE_REQUIRES(mutex_);
  uint64_t evictions() const TERRACE_REQUIRES(mutex_);
  void background_evict() TERRACE_EXCLUDES(mutex_);
  void post_evict() TERRACE_REQUIRES(mutex_);
  static constexpr size_t kEvictionSlice = 64;  // blocks that leave before others get the mutex

  // --- tenants
  Result<void> check_quota(const std::string& tenant, const TenantQuota& quota) const
      TERRACE_EXCLUDES(mutex_);
  void apply_quota(TenantId tenant) TERRACE_REQUIRES(mutex_);
  Residency& residency_of(uint32_t tier) TERRACE_REQUIRES(mutex_);
  const Residency& residency_of(uint32_t tier) const TERRACE_REQUIRES(mutex_);
  uint64_t bytes_above(TenantId tenant) const TERRACE_REQUIRES(mutex_);
  bool any_above() const TERRACE_REQUIRES(mutex_);
  // Evicts what is above quotas, `count` blocks of each tier at most; true when no more of it may leave.
  bool evict_above(size_t count) TERRACE_REQUIRES(mutex_);
  bool evict_above(uint32_t tier, size_t count) TERRACE_REQUIRES(mutex_);
  // What is above a quota and may leave now that something let it go does.
  void check_quotas() TERRACE_REQUIRES(mutex_);
  // Takes one of the tenant's coldest blocks out of the tier, if it can of the bucket.
  bool evict_own(uint32_t tier, TenantId tenant, uint64_t bucket) TERRACE_REQUIRES(mutex_);
  void evict_for_quota(uint32_t tier, BlockId block) TERRACE_REQUIRES(mutex_);

  // --- removal
  struct Removal {
    std::vector<BlockId> blocks;                          // referenced
    std::vector<std::vector<tier::RemoveOp>> operations;  // by tier
    std::vector<std::pair<BlockId, uint32_t>> writes;     // under way, to be undone
    uint64_t undoings_failed = 0;                         // of writes, until then
    std::vector<std::shared_ptr<LoadWaiter>> left;        // whose loads it ended
  };
  uint64_t take_out(Removal& removal, bool erase) TERRACE_REQUIRES(mutex_);
  // Waits until tiers carried it out; then its blocks may be written again.
  Result<void> run_removal(const Removal& removal, bool erase, bool sync) TERRACE_EXCLUDES(mutex_);
  Result<void> make_lasting(const Removal& removal, bool erase, bool sync) TERRACE_EXCLUDES(mutex_);
  Result<void> await_recovery() TERRACE_EXCLUDES(mutex_);
  bool any_running(std::span<const std::pair<BlockId, uint32_t>> writes) const TERRACE_EXCLUDES(mutex_);

  // --- tiers' news (Listener)
  std::vector<uint32_t> found(uint32_t tier, std::span<const tier::FoundBlock> blocks)
      TERRACE_EXCLUDES(mutex_);
  bool is_taken(uint32_t tier, BlockId block, const tier::FoundBlock& found) TERRACE_REQUIRES(mutex_);
  void take_found(uint32_t tier, BlockId block, const tier::FoundBlock& found) TERRACE_REQUIRES(mutex_);
  void recovered(uint32_t tier, Result<void> result) TERRACE_EXCLUDES(mutex_);
  void gone(uint32_t tier, const Key& key, tier::Place place) TERRACE_EXCLUDES(mutex_);
  void state_changed(uint32_t tier) TERRACE_EXCLUDES(mutex_);

  // Whether the tier answers for a block it holds: its device works, and it is not drained. `reading` as in
  // locate().
  bool answers(uint32_t tier, ResidenceId id, bool reading) const TERRACE_REQUIRES(mutex_);
  bool is_drained(uint32_t tier) const { return (drained_.load() & tier_bit(tier)) != 0; }
  TierCondition condition_of(uint32_t tier, tier::State state) const {
    return is_drained(tier) ? TierCondition::kDrained : state;
  }
  uint32_t tier_number(std::string_view name) const TERRACE_EXCLUDES(mutex_);  // 0: none of that name
  uint64_t running_on(uint32_t tier) const TERRACE_REQUIRES(mutex_);

  // --- waiting
  void progress_made() TERRACE_REQUIRES(mutex_);  // wakes whoever waits for room, credit or the end of work
  uint64_t progress() const TERRACE_EXCLUDES(mutex_);
  // Blocks until progress() differs from `mark` (true) or the deadline.
  bool wait_progress(uint64_t mark, base::TimePoint deadline) TERRACE_EXCLUDES(mutex_);
  void post_event(const Notify& notify, Completion event) TERRACE_REQUIRES(mutex_);
  TierState& tier_state(uint32_t tier) TERRACE_REQUIRES(mutex_) { return tiers_[tier - 1]; }
  const TierState& tier_state(uint32_t tier) const TERRACE_REQUIRES(mutex_) { return tiers_[tier - 1]; }
  uint32_t tiers_end() const TERRACE_REQUIRES(mutex_) { return static_cast<uint32_t>(tiers_.size()) + 1; }
  uint64_t bytes_of(BlockId block) const TERRACE_REQUIRES(mutex_);
  uint64_t running() const TERRACE_REQUIRES(mutex_);
  std::vector<tier::Tier*> tier_pointers() const TERRACE_EXCLUDES(mutex_);
  static MissReason reason_of(const Error& error, bool held);

  const StoreOptions options_;
  const uint64_t store_credit_max_;
  const uint64_t prefetch_credit_max_;
  StoreParts parts_;
  base::Clock& clock_;
  base::Executor& executor_;
  uint64_t l1_segment_bytes_ = 0;  // set once, before the store is used
  Index index_;                    // own leaf locks
  History history_;                // own leaf lock
  memory::RegionTable regions_;    // own leaf lock
  std::atomic<TierMask> visible_{
      0};  // tiers whose every place can be read; lookups read it without the mutex
  std::atomic<TierMask> partial_{0};  // tiers of which some places can be read
  // Tiers out of use: no write begins, lookups skip them, only what is pinned is read.
  std::atomic<TierMask> drained_{0};
  std::atomic<bool> closed_{false};
  std::atomic<L1Mode> mode_;  // written under the mutex

  void begin_warming(std::function<void(const std::stop_token&)> work);
  enum class Filling : uint8_t { kOpened, kFull, kNoMemory };
  Filling open_next_segment(memory::Arena& arena) TERRACE_EXCLUDES(mutex_);
  std::jthread warmer_;

  mutable base::Mutex mutex_;
  TenantTable tenants_ TERRACE_GUARDED_BY(mutex_);
  NamespaceTable namespaces_ TERRACE_GUARDED_BY(mutex_);
  ChangeBoard changes_ TERRACE_GUARDED_BY(mutex_);  // outlives all that takes blocks out of a tier
  BlockTable blocks_ TERRACE_GUARDED_BY(mutex_);
  PagePool pages_ TERRACE_GUARDED_BY(mutex_);  // outlives L1, whose buffers give pages back
  std::unique_ptr<L1> l1_ TERRACE_GUARDED_BY(mutex_);
  std::vector<TierState> tiers_ TERRACE_GUARDED_BY(mutex_);
  std::map<RegionId, std::shared_ptr<memory::Mapping>> mapped_regions_
      TERRACE_GUARDED_BY(mutex_);  // shared ones
  uint64_t last_use_time_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool owes_ TERRACE_GUARDED_BY(mutex_) = false;           // some tier is written when L1 lets go
  bool writes_on_hit_ TERRACE_GUARDED_BY(mutex_) = false;  // some tier is written when a block is seen again

  std::map<std::pair<BlockId, uint32_t>, std::unique_ptr<WriteFlow>> writes_ TERRACE_GUARDED_BY(mutex_);
  struct Committed {
    Buffer* buffer;  // referenced
    std::shared_ptr<Batch> batch;
  };
  std::deque<Committed> committed_ TERRACE_GUARDED_BY(mutex_);  // their writes are not queued yet
  std::deque<WriteFlow*> writes_to_start_ TERRACE_GUARDED_BY(mutex_);
  bool start_posted_ TERRACE_GUARDED_BY(mutex_) = false;
  uint64_t write_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;   // outstanding, against store_credit_max_
  uint64_t credit_taken_ TERRACE_GUARDED_BY(mutex_) = 0;  // of it, promised to reservations

  std::map<BlockId, std::shared_ptr<Load>> loads_ TERRACE_GUARDED_BY(mutex_);
  uint64_t loads_running_ TERRACE_GUARDED_BY(mutex_) = 0;  // also those no map entry names any more
  uint64_t intos_running_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t removals_running_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t removals_begun_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t undoings_failed_ TERRACE_GUARDED_BY(mutex_) = 0;  // writes that were removed and may come back
  std::deque<std::shared_ptr<PrefetchFlow>> prefetches_ TERRACE_GUARDED_BY(mutex_);  // not all asked yet
  uint64_t prefetch_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool advance_posted_ TERRACE_GUARDED_BY(mutex_) = false;
  bool evict_posted_ TERRACE_GUARDED_BY(mutex_) = false;

  uint64_t progress_ TERRACE_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<base::Event>> progress_waiters_ TERRACE_GUARDED_BY(mutex_);

  TierStats l1_counts_ TERRACE_GUARDED_BY(mutex_);
  KeyCounter keys_ TERRACE_GUARDED_BY(mutex_);
  uint64_t reservations_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t reserved_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;
  uint64_t leased_ TERRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace terrace::store
