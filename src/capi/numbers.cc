// The numbers of terrace.h are those of the C++ headers, and its structs have the size that programs were
// compiled with: a change of either is another ABI.
#include <terrace/store.h>
#include <terrace/terrace.h>

namespace terrace::capi {
namespace {

template <class Enum>
constexpr bool is(int number, Enum value) {
  return number == static_cast<int>(value);
}

static_assert(is(TERRACE_INVALID_ARGUMENT, Code::kInvalidArgument));
static_assert(is(TERRACE_LIMIT_EXCEEDED, Code::kLimitExceeded));
static_assert(is(TERRACE_NO_ARENA, Code::kNoArena));
static_assert(is(TERRACE_BUSY, Code::kBusy));
static_assert(is(TERRACE_CLOSED, Code::kClosed));
static_assert(is(TERRACE_DEADLINE, Code::kDeadline));
static_assert(is(TERRACE_CANCELLED, Code::kCancelled));
static_assert(is(TERRACE_IO, Code::kIo));
static_assert(is(TERRACE_NO_SPACE, Code::kNoSpace));
static_assert(is(TERRACE_CORRUPT, Code::kCorrupt));
static_assert(is(TERRACE_INCOMPATIBLE, Code::kIncompatible));
static_assert(is(TERRACE_FOREIGN, Code::kForeign));
static_assert(is(TERRACE_IN_USE, Code::kInUse));
static_assert(is(TERRACE_PERMISSION, Code::kPermission));
static_assert(is(TERRACE_NOT_FOUND, Code::kNotFound));
static_assert(is(TERRACE_UNSUPPORTED, Code::kUnsupported));
static_assert(is(TERRACE_UNAVAILABLE, Code::kUnavailable));
static_assert(is(TERRACE_NO_MEMORY, Code::kNoMemory));
static_assert(is(TERRACE_NO_ROOM, Code::kNoRoom));
static_assert(is(TERRACE_INTERNAL, Code::kInternal));

static_assert(is(TERRACE_RESERVE_BUFFER, ReserveOutcome::kBuffer));
static_assert(is(TERRACE_RESERVE_PRESENT, ReserveOutcome::kPresent));
static_assert(is(TERRACE_RESERVE_IN_FLIGHT, ReserveOutcome::kInFlight));
static_assert(is(TERRACE_RESERVE_ACCEPTED, ReserveOutcome::kAccepted));
static_assert(is(TERRACE_RESERVE_NO_ROOM, ReserveOutcome::kNoRoom));

static_assert(is(TERRACE_MISS_NONE, MissReason::kNone));
static_assert(is(TERRACE_MISS_UNKNOWN, MissReason::kUnknown));
static_assert(is(TERRACE_MISS_EVICTED, MissReason::kEvicted));
static_assert(is(TERRACE_MISS_REMOVED, MissReason::kRemoved));
static_assert(is(TERRACE_MISS_NO_ROOM, MissReason::kNoRoom));
static_assert(is(TERRACE_MISS_DROPPED, MissReason::kDropped));
static_assert(is(TERRACE_MISS_WRITE_FAILED, MissReason::kWriteFailed));
static_assert(is(TERRACE_MISS_DECLINED, MissReason::kDeclined));
static_assert(is(TERRACE_MISS_IN_FLIGHT, MissReason::kInFlight));
static_assert(is(TERRACE_MISS_FAMILY_INCOMPLETE, MissReason::kFamilyIncomplete));
static_assert(is(TERRACE_MISS_TIER_UNAVAILABLE, MissReason::kTierUnavailable));
static_assert(is(TERRACE_MISS_DEVICE_ERROR, MissReason::kDeviceError));
static_assert(is(TERRACE_MISS_DAMAGED, MissReason::kDamaged));
static_assert(is(TERRACE_MISS_DEADLINE, MissReason::kDeadline));
static_assert(is(TERRACE_MISS_CANCELLED, MissReason::kCancelled));
static_assert(is(TERRACE_MISS_BEHIND_HOLE, MissReason::kBehindHole));

static_assert(is(TERRACE_EVENT_WRITE, EventKind::kWrite));
static_assert(is(TERRACE_EVENT_WRITE_BATCH, EventKind::kWriteBatch));
static_assert(is(TERRACE_EVENT_RESULT, EventKind::kResult));
static_assert(is(TERRACE_EVENT_RELEASED, EventKind::kReleased));
static_assert(is(TERRACE_WRITE_OK, WriteStatus::kOk));
static_assert(is(TERRACE_WRITE_DROPPED, WriteStatus::kDropped));
static_assert(is(TERRACE_WRITE_FAILED, WriteStatus::kFailed));

static_assert(is(TERRACE_DROP_NONE, DropCause::kNone));
static_assert(is(TERRACE_DROP_BACKLOG, DropCause::kBacklog));
static_assert(is(TERRACE_DROP_PARENT_DROPPED, DropCause::kParentDropped));
static_assert(is(TERRACE_DROP_NO_ROOM, DropCause::kNoRoom));
static_assert(is(TERRACE_DROP_TOO_LARGE, DropCause::kTooLarge));
static_assert(is(TERRACE_DROP_UNAVAILABLE, DropCause::kUnavailable));
static_assert(is(TERRACE_DROP_REMOVED, DropCause::kRemoved));
static_assert(is(TERRACE_DROP_NOT_ADMITTED, DropCause::kNotAdmitted));
static_assert(is(TERRACE_DROP_QUOTA, DropCause::kQuota));

static_assert(is(TERRACE_CHANGE_STORED, ChangeKind::kStored));
static_assert(is(TERRACE_CHANGE_REMOVED, ChangeKind::kRemoved));
static_assert(is(TERRACE_CHANGE_TIER_STATE, ChangeKind::kTierState));
static_assert(is(TERRACE_CHANGE_LOST, ChangeKind::kLost));
static_assert(is(TERRACE_TIER_RECOVERING, TierCondition::kRecovering));
static_assert(is(TERRACE_TIER_READY, TierCondition::kReady));
static_assert(is(TERRACE_TIER_DEGRADED, TierCondition::kDegraded));
static_assert(is(TERRACE_TIER_UNAVAILABLE, TierCondition::kUnavailable));
static_assert(is(TERRACE_TIER_CLOSED, TierCondition::kClosed));
static_assert(is(TERRACE_TIER_DRAINED, TierCondition::kDrained));

// One above, because 0 is the store's own.
static_assert(is(TERRACE_WRITE_BACK_ALWAYS - 1, WriteBack::kAlways));
static_assert(is(TERRACE_WRITE_BACK_NEVER - 1, WriteBack::kNever));
static_assert(is(TERRACE_WRITE_BACK_SECOND_TOUCH - 1, WriteBack::kSecondTouch));
static_assert(is(TERRACE_PREFETCH_RETAIN - 1, PrefetchPolicy::kRetain));
static_assert(is(TERRACE_PREFETCH_TEMPORARY - 1, PrefetchPolicy::kTemporary));

static_assert(TERRACE_BATCH_MAX == kBatchMax);
static_assert(TERRACE_BLOCK_BYTES_MAX == kBlockBytesMax);
static_assert(TERRACE_TIMEOUT_STORE == kDefaultTimeout.count());

// These never change.
static_assert(sizeof(terrace_key) == 32 && sizeof(terrace_error) == 1024 && sizeof(terrace_completion) == 64);
static_assert(sizeof(terrace_change) == 80);
static_assert(sizeof(terrace_block) == 56 && sizeof(terrace_block_spec) == 88 && sizeof(terrace_slice) == 24);
static_assert(sizeof(terrace_member) == 12 && sizeof(terrace_family_group) == 8);
static_assert(sizeof(terrace_bytes) == 16 && sizeof(terrace_progress) == 32 &&
              sizeof(terrace_tier_quota) == 16);
// These only grow; kFirstBytes (check.h) then keeps what they had.
static_assert(sizeof(terrace_connect_options) == 48 && sizeof(terrace_namespace) == 88);
static_assert(sizeof(terrace_reserve_request) == 88 && sizeof(terrace_get_options) == 24);
static_assert(sizeof(terrace_prefetch_options) == 16 && sizeof(terrace_clear_scope) == 32);
static_assert(sizeof(terrace_quota) == 48);

}  // namespace
}  // namespace terrace::capi
