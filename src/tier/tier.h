// The tier contract (T1). A tier is a place blocks live behind L1: disk, mock, later fs, peer, redis, s3. It
// moves opaque records asynchronously, in batches, with a completion per key; it neither seals, verifies nor
// decides what stays: sealing is src/record's, the index and eviction are the store's.
//
// A write is three steps: place() gives a place and a binding, or refuses; the store seals the record with
// that binding; write() moves it. Key-addressed tiers answer place 0 and binding = key.
//
// Threads: every call may come from any thread and returns at once. Completions come on the tier's own
// threads, or, where an operation ends before it began, inside the call; they are short and never block, and
// the store posts what follows to its executor. No call is made under a lock that a completion takes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/changes.h>
#include <terrace/error.h>
#include <terrace/key.h>

#include "base/clock.h"
#include "io/io_engine.h"
#include "record/record.h"

namespace terrace::tier {

using Place = uint64_t;

struct Capabilities {
  bool removes = true;  // remove() frees the space
  bool knows_usage = true;
  bool exact_index = true;    // only this process writes it: it streams its entries at start (index: exact)
  bool local_memory = false;  // shared memory, CXL: loads from it are never written back (R4)
  bool survives_restart = false;
  bool reads_into_caller_memory = true;
};

// Where eviction must free to make room: blocks compete for slots of one `bucket` (size class) and live in a
// `segment` that can be emptied whole (E2). Tiers without slots use bucket 0 and kNoSegment.
inline constexpr uint32_t kNoSegment = UINT32_MAX;
// Segments of different domains (a disk tier's paths) do not help each other: to make room, empty one of the
// refusal's domain.
constexpr uint32_t segment_domain(uint32_t segment) {
  return segment >> 24;
}
struct Placement {
  Place place = 0;
  record::Binding binding{};
  uint64_t bucket = 0;
  uint32_t segment = kNoSegment;
};

enum class Refusal : uint8_t {
  kNoRoom,       // free a block of `bucket`, or empty a segment, and ask again
  kTooLarge,     // the record never fits this tier
  kUnavailable,  // breaker open, draining, closed, read-only
};
struct PlaceRefused {
  Refusal why = Refusal::kNoRoom;
  uint64_t bucket = 0;
  bool segments_help = false;  // emptying a segment (of any bucket) of `domain` makes room
  uint32_t domain = 0;         // segment_domain() of the segments that help
};
using PlaceAnswer = std::expected<Placement, PlaceRefused>;

using Done = std::move_only_function<void(Result<void>)>;

struct WriteOp {
  record::BlockMeta meta;
  Place place = 0;
  uint64_t rank = 0;  // order of use, kept with the block where the tier survives restarts
  std::array<io::IoVec, 3>
      record;  // sealed header, payload, tail: together record_bytes(payload), page-aligned
  base::TimePoint deadline = base::kForever;
  Done done;  // once. The memory stays valid until then. On failure the place is the tier's again
};

// Receives one record. All calls of one read come one at a time.
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  // Bytes [offset, offset + bytes) of the record are in the buffers; ranges end at part boundaries, in any
  // order.
  virtual void arrived(uint64_t offset, uint64_t bytes) = 0;
  // Last call; after it the tier does not touch the buffers. Also for errors and after cancel.
  virtual void done(Result<void> result) = 0;
};

struct ReadOp {
  Key key;
  Place place = 0;
  uint64_t payload_bytes = 0;
  std::array<io::IoVec, 3> record;  // header page, payload, tail page: together record_bytes(payload_bytes)
  io::IoClass io_class = io::IoClass::kLoad;
  base::TimePoint deadline = base::kForever;  // beyond it the tier counts a failure (T2); `done` still comes
  std::shared_ptr<ReadSink> sink;
};
using ReadTicket = uint64_t;  // 0: none

enum class RemoveKind : uint8_t {
  kEvict,   // memory only where the tier may: the block may be found again after kill -9
  kRemove,  // done() when it stays gone after kill -9 (D1)
  kErase,   // kRemove, and the bytes are overwritten with zeros
};
struct RemoveOp {
  Key key;
  Place place = 0;
  uint64_t payload_bytes = 0;
};

// One block found at start.
struct FoundBlock {
  record::BlockMeta meta;
  Placement where;
  uint64_t rank = 0;
};

// What a tier tells the store by itself. Called on the tier's threads.
class TierListener {
 public:
  virtual ~TierListener() = default;
  // Recovery found blocks; answers which are not wanted (already known, or no memory for them), by index: the
  // tier frees their places. Throws std::bad_alloc only before it took any.
  virtual std::vector<uint32_t> found(std::span<const FoundBlock> blocks) = 0;
  // Recovery ended: everything present was announced.
  virtual void recovered(Result<void> result) = 0;
  // The tier lost the block by itself (segment quarantined, path gone).
  virtual void gone(const Key& key, Place place) = 0;
  // Availability of some or all places changed.
  virtual void state_changed() = 0;
};

using State = TierCondition;  // never kDrained: that is the store's

struct Usage {
  uint64_t used_bytes = 0;       // live records
  uint64_t allocated_bytes = 0;  // what the place holds for us, metadata counted
  uint64_t capacity_bytes = 0;   // bound of allocated_bytes; 0: none
  uint64_t blocks = 0;
};

struct PathStatus {
  std::string path;
  State state = State::kReady;
  std::string last_error;
};

struct Status {
  State state = State::kReady;
  Usage usage;
  std::string engine;  // "uring, O_DIRECT", for people
  std::string last_error;
  std::vector<PathStatus> paths;
  uint64_t recovered_blocks = 0;
};

// A namespace the tier was told of; the salt only as SHA-256, hex.
struct KnownNamespace {
  Key root;
  Namespace fields;
  bool known = true;  // false: rebuilt from records, only the root is known
};

class Tier {
 public:
  virtual ~Tier() = default;  // close() first

  virtual std::string_view name() const = 0;
  virtual Capabilities capabilities() const = 0;
  // Begins recovery in the background. `listener` outlives the tier's close(). Called once.
  virtual void start(TierListener& listener) = 0;

  // Memory only. The place is reserved for this key until write() failed, remove(), or withdraw().
  virtual PlaceAnswer place(const record::BlockMeta& meta) = 0;
  // Gives a place back that was never written.
  virtual void withdraw(Place place, uint64_t payload_bytes) = 0;
  virtual void write(std::span<WriteOp> batch) = 0;
  virtual ReadTicket read(ReadOp op) = 0;
  // Queued IO of this read is dropped; IO at the device is waited for. `done` comes either way.
  virtual void cancel(ReadTicket ticket) = 0;
  // For kEvict the places may be given out again when the call returns. `done` once per batch. A place whose
  // write still runs is removed when it has ended; one that holds another key by now is left alone. With
  // kRemove and kErase everything evicted before this call stays gone after kill -9 too, also with an empty
  // batch: for keys the index no longer knows (D1).
  virtual void remove(std::span<const RemoveOp> batch, RemoveKind kind, Done done) = 0;
  // Presence and payload length of each key, 0 = absent; what came by the deadline. For tiers others write
  // too.
  virtual void exists(std::span<const Key> keys, base::TimePoint deadline,
                      std::move_only_function<void(Result<std::vector<uint64_t>>)> done) = 0;
  // The secret and binding a record at this place is verified with.
  virtual record::Secret secret(Place place) const = 0;
  virtual record::Binding binding(const Key& key, Place place) const = 0;
  // False while the breaker of the place's device is open: lookups skip it.
  virtual bool available(Place place) const = 0;

  virtual void remember_namespace(const KnownNamespace& known) = 0;
  virtual std::vector<KnownNamespace> namespaces() const = 0;
  // Order of use of a resident block changed; kept approximately, written when convenient.
  virtual void used(Place place, uint64_t rank) = 0;

  virtual Status status() const = 0;
  // Everything written so far is durable (group sync now).
  virtual void sync(Done done) = 0;
  // Ends running operations until the deadline, syncs, closes. Returns what it abandoned. Blocks.
  virtual uint64_t close(base::TimePoint deadline) = 0;
};

}  // namespace terrace::tier
