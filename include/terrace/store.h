// The store: an engine hands it KV blocks and gets them back from host memory or from the tiers behind it.
//
//   auto store = terrace::Store::open(options);                      // or the reason in words
//   auto answers = (*store)->reserve({root, parent, blocks});        // buffers to fill, in place
//   (*store)->commit(reservations);                                  // visible, and on its way to the tiers
//   auto got = (*store)->get(keys);                                  // the longest prefix, leased
//
// All calls may come from any thread. Only get, get_into's wait, reserve_wait, remove, clear, sync,
// wait_recovered and close may block, each to its deadline; none of the others waits for IO. Handles
// (Reservation, Blocks, Pin, ...) may outlive the store: their memory stays until the last of them goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/changes.h>
#include <terrace/completion.h>
#include <terrace/error.h>
#include <terrace/key.h>
#include <terrace/options.h>
#include <terrace/stats.h>
#include <terrace/why.h>

namespace terrace {

namespace surface {
class Backend;
struct Access;
}  // namespace surface

inline constexpr uint64_t kBlockBytesMax = 256ull << 20;  // K4
inline constexpr size_t kBatchMax = 65536;                // K4
inline constexpr Timeout kDefaultTimeout = Timeout(-1);   // the store's own (StoreOptions)

// Why a key was not delivered (Q5). Closed; stable numbers.
enum class MissReason : uint8_t {
  kNone,
  kUnknown,
  kEvicted,
  kRemoved,
  kNoRoom,
  kDropped,
  kWriteFailed,
  kDeclined,
  kInFlight,
  kFamilyIncomplete,
  kTierUnavailable,
  kDeviceError,
  kDamaged,
  kDeadline,
  kCancelled,
  kBehindHole,
};
std::string_view to_string(MissReason reason);
std::string_view to_string(DropCause cause);

// An event after which bytes are ready, or may be consumed (S6). On the host it is always ready; a device's
// comes with GPUs.
struct Fence {};

struct BlockSpec {
  Key key;             // member key
  uint64_t bytes = 0;  // payload, 1 .. kBlockBytesMax
  Key family{};        // all zero: a family of one whose family key is not kept
  Member member{};
};

struct ReserveRequest {
  Key root;                           // the namespace
  Key parent{};                       // key before the first one; all zero at the head of a chain
  std::span<const BlockSpec> blocks;  // in order of the chain
};

enum class ReserveOutcome : uint8_t {
  kBuffer,    // fill it and commit
  kPresent,   // nothing to do
  kInFlight,  // an earlier copy is on its way (also: the same key earlier in this batch)
  kAccepted,  // put: it is being written from the caller's memory, until kReleased (S7)
  kNoRoom,    // not stored; neither is anything after it (S1)
};

// A private buffer to fill. Destroying it without commit aborts (S2). Move-only.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&&) noexcept;
  Reservation& operator=(Reservation&&) noexcept;
  ~Reservation();

  explicit operator bool() const { return token_ != 0; }
  const Key& key() const { return key_; }
  std::span<std::byte> bytes() const { return bytes_; }  // exactly the size asked for
  void abort();

 private:
  friend struct surface::Access;
  std::shared_ptr<surface::Backend> backend_;
  uint64_t token_ = 0;
  Key key_{};
  std::span<std::byte> bytes_;
};

struct ReserveAnswer {
  ReserveOutcome outcome = ReserveOutcome::kNoRoom;
  Reservation reservation;  // of kBuffer
};

// Where completions of an operation go; a null queue means nobody wants them.
struct Notify {
  std::shared_ptr<CompletionQueue> queue;
  uint64_t tag = 0;
};

// Where a block is: bit 0 L1, bit i tier i (StoreOptions::tiers[i-1]).
using TierMask = uint16_t;

// Keeps looked-up blocks until destroyed (Q2). Move-only.
class Pin {
 public:
  Pin() = default;
  Pin(Pin&&) noexcept;
  Pin& operator=(Pin&&) noexcept;
  ~Pin();
  explicit operator bool() const { return held_ != nullptr; }
  void release();

 private:
  friend struct surface::Access;
  std::shared_ptr<void> held_;
};

struct LookupResult {
  size_t found = 0;                 // length of the longest retrievable prefix
  std::vector<TierMask> where;      // of the found ones
  std::vector<MissReason> reasons;  // one per key not found, in order
  Pin pin;                          // when asked for
};

class PrefetchTicket;

// How the blocks of a namespace's families are spread (K2, Q4): for each KV group its shards, and how far
// back its attention looks.
struct FamilyGroup {
  uint32_t shards = 1;  // 1 also for KV that every rank holds alike
  uint32_t window = 0;  // blocks a sliding window needs, counted back from the end of the prefix; 0: all
};
struct FamilyLayout {
  std::vector<FamilyGroup> groups{{}};
};

struct FamilyLookup {
  size_t found = 0;                 // families: length of the longest prefix that can be used
  std::vector<MissReason> reasons;  // one per family not found, in order
};

// Member keys a prefix of `found` families needs, group by group, shard by shard, each in order of the chain:
// those inside the window where there is one.
std::vector<Key> needed_members(std::span<const Key> families, const FamilyLayout& layout, size_t found);

// A running lookup_async. Destroying it abandons the question. Move-only.
class LookupOperation {
 public:
  class State;
  LookupOperation() = default;
  LookupOperation(LookupOperation&&) noexcept;
  LookupOperation& operator=(LookupOperation&&) noexcept;
  ~LookupOperation();
  bool ready() const;
  // The answer, once ready; empty before that and after it was taken.
  std::optional<LookupResult> take();
  // Ends it early, with what came until now.
  void cancel();

 private:
  friend struct surface::Access;
  std::shared_ptr<State> state_;
};

struct GetOptions {
  Timeout timeout = kDefaultTimeout;
  std::optional<WriteBack> write_back{};  // absent: the store's
  // What this prefetch brought is taken from it; in staging nobody else can see that (M2). May go any time.
  const PrefetchTicket* ticket = nullptr;
};

struct BlockView {
  Key key;
  std::span<const std::byte> bytes;  // valid while the Blocks that holds it lives
  uint16_t source = 0;               // 0 L1, i tier i
};

// The outcome of a retrieve: the longest prefix that is there and verified, leased until destroyed.
// Move-only.
class Blocks {
 public:
  Blocks() = default;
  Blocks(Blocks&&) noexcept;
  Blocks& operator=(Blocks&&) noexcept;
  ~Blocks();

  size_t size() const { return views_.size(); }
  const BlockView& operator[](size_t i) const { return views_[i]; }
  std::span<const BlockView> views() const { return views_; }
  std::span<const MissReason> reasons() const { return reasons_; }  // one per key not delivered, in order
  void release();

 private:
  friend struct surface::Access;
  std::vector<BlockView> views_;
  std::vector<MissReason> reasons_;
  std::shared_ptr<void> lease_;
};

// A running retrieve. Destroying it abandons the operation; nothing is leaked. Move-only.
class GetOperation {
 public:
  class State;
  GetOperation() = default;
  GetOperation(GetOperation&&) noexcept;
  GetOperation& operator=(GetOperation&&) noexcept;
  ~GetOperation();
  bool ready() const;
  // The result, once ready; empty before that and after it was taken.
  std::optional<Blocks> take();
  // Ends it early: what has not arrived is kCancelled.
  void cancel();

 private:
  friend struct surface::Access;
  std::shared_ptr<State> state_;
};

// Progress of a prefetch. The ticket holds a lease on each arrived block until a get took it, release(),
// cancel(), or `prefetch.hold` passed (R7). Destroying it cancels.
class PrefetchTicket {
 public:
  class State;
  struct Progress {
    size_t asked = 0, arrived = 0, failed = 0;
    bool ended = false;
  };
  PrefetchTicket() = default;
  PrefetchTicket(PrefetchTicket&&) noexcept;
  PrefetchTicket& operator=(PrefetchTicket&&) noexcept;
  ~PrefetchTicket();
  Progress progress() const;
  void cancel();  // and release
  void release();

 private:
  friend struct surface::Access;
  std::shared_ptr<State> state_;
};

struct PrefetchOptions {
  std::optional<PrefetchPolicy> policy{};  // absent: the store's
  std::optional<WriteBack> write_back{};
};

struct StreamOptions {
  uint64_t window = 0;                // bytes of L1 used at most; 0: a quarter of its budget
  Timeout timeout = kDefaultTimeout;  // of each block
  // What passes through is not kept unless the caller says so: it would push out what others use.
  WriteBack write_back = WriteBack::kNever;
};

// Delivers blocks in order through a window inside L1: for requests larger than L1 (R9). Move-only; one
// thread at a time. Destroying it cancels what is on its way.
class BlockStream {
 public:
  struct State;
  BlockStream() = default;
  BlockStream(BlockStream&&) noexcept;
  BlockStream& operator=(BlockStream&&) noexcept;
  ~BlockStream();
  // The next block, verified and valid until the next call. Empty at the end, or at the first block that is
  // missing: reason() says why, kNone when all were delivered. Blocks, to the timeout.
  std::optional<BlockView> next();
  size_t delivered() const;
  MissReason reason() const;

 private:
  friend class Store;
  std::unique_ptr<State> state_;
};

using RegionId = uint64_t;  // 0: none
struct RegionSlice {
  RegionId region = 0;
  uint64_t offset = 0;
  uint64_t bytes =
      0;  // get_into: exactly the block's payload, or the key is a miss (kDamaged is not: kDeclined)
};

struct IntoResult {
  size_t delivered = 0;
  std::vector<uint16_t> source;     // of the delivered
  std::vector<MissReason> reasons;  // of the others
};

// A running get_into: two events, `result` and `released` (R5). Destroying it cancels; the memory is free
// only when a kReleased event came, or unregister_region no longer answers kBusy. Move-only.
class IntoOperation {
 public:
  class State;
  IntoOperation() = default;
  IntoOperation(IntoOperation&&) noexcept;
  IntoOperation& operator=(IntoOperation&&) noexcept;
  ~IntoOperation();
  bool ready() const;     // result is there
  bool released() const;  // no IO touches the memory any more
  IntoResult result() const;
  void cancel();

 private:
  friend struct surface::Access;
  std::shared_ptr<State> state_;
};

struct ClearScope {
  std::optional<Key> root{};                 // one namespace
  std::optional<std::string> tenant_salt{};  // all namespaces of a tenant
  bool all = false;
  bool erase = false;  // overwrite the bytes with zeros too
};

struct TierStats {
  std::string name, state, engine, last_error;
  uint64_t used_bytes = 0, allocated_bytes = 0, capacity_bytes = 0, blocks = 0;
  uint64_t loads = 0, load_bytes = 0, load_errors = 0;
  uint64_t writes = 0, write_bytes = 0, write_errors = 0;
  uint64_t drops[9] = {};  // by DropCause
  uint64_t evictions = 0, evicted_segments = 0, verification_failures = 0;
  uint64_t hits = 0;  // blocks delivered from here
  // Of the store's misses, those of keys whose copy here was tried: it was wrong, late, cancelled, or stands
  // on a device that does not answer. A key that no tier held is no tier's miss.
  uint64_t misses[kMissReasons] = {};
  LatencyStats read_latency, write_latency;  // of L2: from asking the tier to its answer
  std::vector<std::string> paths;            // "path: state"
};

struct StoreStats {
  std::vector<TierStats> tiers;  // [0] is L1
  std::string page_state;        // of the arena
  uint64_t keys_asked = 0, keys_delivered = 0;
  uint64_t misses[kMissReasons] = {};  // add up to keys_asked - keys_delivered
  KeyCounts of_no_namespace;           // of these, keys the store does not know: they belong to none
  uint64_t reservations = 0, reserved_bytes = 0, leased_blocks = 0, writes_in_flight_bytes = 0;
  uint64_t private_bytes = 0;  // of L1 that no lookup can find: reserved, loading, or only leased any more
  bool recovering = false;
};

// What a tenant has of one tier. Bytes as in TenantQuota.
struct TenantShare {
  uint64_t bytes = 0, blocks = 0;
  uint64_t above = 0;      // bytes above the quota, what is reserved or on its way there counted
  uint64_t evictions = 0;  // blocks that left because the tenant was above its quota
  uint64_t refusals = 0;   // stores and loads for which it had no quota
};
struct TenantUsage {
  std::string tenant;              // tenant_name() of its salt
  std::vector<TenantShare> tiers;  // [0] is L1; as StoreStats::tiers
  uint64_t reserved_bytes = 0;     // of L1: reserved, in staging until the writes ended
  uint64_t leased_bytes = 0;       // of L1: loading or leased, and not kept
  TenantQuota quota;
};

struct StoredBlock {
  Key key, root;
  TierMask where = 0;
  uint64_t bytes = 0;
};
struct StoredNamespace {
  Key root;
  Namespace fields;  // tenant_salt as SHA-256 hex; empty when only the root is known
  bool known = false;
  uint64_t blocks = 0, bytes = 0;
  KeyCounts keys;  // since open; together with StoreStats::of_no_namespace they are the store's
};

class Store {
 public:
  static Outcome<std::unique_ptr<Store>> open(const StoreOptions& options);
  explicit Store(std::shared_ptr<surface::Backend> backend);
  ~Store();  // close() with a deadline of two seconds

  // The namespace's root; tiers that survive restarts remember its fields.
  Outcome<Key> open_namespace(const Namespace& fields);

  // Engine to Terrace. An error changes nothing: kLimitExceeded, kInvalidArgument, kClosed.
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request);
  // Waits for room and for the credit the writes need (S1).
  Result<std::vector<ReserveAnswer>> reserve_wait(const ReserveRequest& request, Timeout timeout);
  // Publishes whole blocks at once, in order; the reservations are taken. Always succeeds for valid ones.
  Result<void> commit(std::span<Reservation> reservations, Notify notify = {}, Fence fence = {});
  // Stores from registered caller memory (S7). In `cache` the bytes are copied into L1 inside the call. In
  // `staging` and `off` they are written straight from slices that begin at a page (kAccepted): the memory is
  // the caller's again at each such key's kReleased. Other slices are copied in `staging` and refused in
  // `off`.
  Result<std::vector<ReserveOutcome>> put(const ReserveRequest& request, std::span<const RegionSlice> from,
                                          Notify notify = {}, Fence fence = {});

  // Terrace to engine.
  Result<LookupResult> lookup(std::span<const Key> keys, bool pin = false);
  // As lookup, for families of several members: one counts only when all of its members are there, of groups
  // with a sliding window only those inside the window (Q4). Errors: kInvalidArgument for a group without
  // shards, kLimitExceeded beyond kBatchMax members.
  Result<FamilyLookup> lookup_families(std::span<const Key> families, const FamilyLayout& layout);
  // Also asks the tiers that others write too (mock with a backing; later fs, redis, s3, peers), one batched
  // question each, and answers with what came within the timeout (kDefaultTimeout: lookup_timeout). kResult
  // when it is ready. What it learns, lookup knows from then on.
  Result<LookupOperation> lookup_async(std::span<const Key> keys, Timeout timeout = kDefaultTimeout,
                                       Notify notify = {});
  Result<Blocks> get(std::span<const Key> keys, GetOptions options = {}, Fence fence = {});
  Result<GetOperation> get_async(std::span<const Key> keys, GetOptions options, Notify notify = {},
                                 Fence fence = {});
  Result<IntoOperation> get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                 GetOptions options = {}, Notify notify = {}, Fence fence = {});
  // True when released within the timeout.
  bool wait(const IntoOperation& operation, Timeout timeout);
  Result<BlockStream> get_stream(std::span<const Key> keys, StreamOptions options = {});
  Result<PrefetchTicket> prefetch(std::span<const Key> keys, PrefetchOptions options = {},
                                  Notify notify = {});

  // Caller memory that outlives its registration. unregister_region: kBusy while an operation may touch it.
  Result<RegionId> register_region(void* data, uint64_t bytes);
  // The same, of the bytes [offset, offset + bytes) of a file in memory, which is mapped (and its descriptor
  // copied): what a node's server can transfer to and from as well. Errors: kInvalidArgument where the file
  // ends before; kPermission for a file that could shrink under the server: a memfd that is sealed against
  // it, or may be sealed, is what it takes.
  Result<RegionId> register_shared_region(int fd, uint64_t offset, uint64_t bytes);
  Result<void> unregister_region(RegionId region);

  // Gone from every lookup when it returns, also after kill -9 (D1). Returns how many blocks were there.
  Result<uint64_t> remove(std::span<const Key> keys, bool erase = false);
  Result<uint64_t> clear(const ClearScope& scope);

  std::shared_ptr<CompletionQueue> make_queue();
  // What changes in any tier from now on.
  std::shared_ptr<Subscription> subscribe();
  // Everything committed so far has reached its tiers (or was dropped) and is durable there.
  Result<void> sync(Timeout timeout);
  // True when every tier has announced what it holds.
  bool wait_recovered(Timeout timeout);
  StoreStats stats() const;
  std::vector<StoredNamespace> namespaces() const;

  // How much a tenant may use from now on (D2), in place of what was set before; the tenant need not have a
  // block yet. What it has above that leaves as far as it may, inside the call, which does no IO; returns the
  // bytes still above, which leave when leases and writes let them go. Until then it stores nothing there.
  // Errors: kInvalidArgument for what is no tenant_name(), kNotFound for a tier that there is not, kClosed.
  Result<uint64_t> set_quota(const std::string& tenant, const TenantQuota& quota);
  // Of every tenant seen or given a quota since open, ordered by name.
  std::vector<TenantUsage> tenants() const;

  // Where a block is, or what became of it (X2).
  KeyStory why(const Key& key) const;
  // Blocks of a namespace (all when absent), at most `limit`, ordered by key, those after `after`.
  std::vector<StoredBlock> list(std::optional<Key> root, std::optional<Key> after, size_t limit) const;

  // Switches between kCache and kStaging under load (M4). Entering staging lets go of what L1 holds; returns
  // the bytes that leases and running writes still keep. Errors: kInvalidArgument to or from kOff, or when a
  // tier's store policy does not go with it (M5).
  Result<uint64_t> set_l1_mode(L1Mode mode);
  // Takes a tier out of use by its name, until resume_tier: no write to it begins (dropped as kUnavailable),
  // lookups skip it (kTierUnavailable), what is pinned there stays readable. Waits for what runs there;
  // returns how much still does at the timeout. Errors: kNotFound.
  Result<uint64_t> drain_tier(std::string_view name, Timeout timeout);
  Result<void> resume_tier(std::string_view name);
  // Refuses new work, drains until the deadline, closes the tiers; returns how many operations it abandoned
  // (D3).
  Result<uint64_t> close(Timeout timeout);

 private:
  std::shared_ptr<surface::Backend> backend_;
};

}  // namespace terrace
