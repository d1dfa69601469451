#include <terrace/store.h>

namespace terrace {

std::string_view to_string(MissReason reason) {
  switch (reason) {
    case MissReason::kNone:
      return "none";
    case MissReason::kUnknown:
      return "unknown";
    case MissReason::kEvicted:
      return "evicted";
    case MissReason::kRemoved:
      return "removed";
    case MissReason::kNoRoom:
      return "no_room";
    case MissReason::kDropped:
      return "dropped";
    case MissReason::kWriteFailed:
      return "write_failed";
    case MissReason::kDeclined:
      return "declined";
    case MissReason::kInFlight:
      return "in_flight";
    case MissReason::kFamilyIncomplete:
      return "family_incomplete";
    case MissReason::kTierUnavailable:
      return "tier_unavailable";
    case MissReason::kDeviceError:
      return "device_error";
    case MissReason::kDamaged:
      return "damaged";
    case MissReason::kDeadline:
      return "deadline";
    case MissReason::kCancelled:
      return "cancelled";
    case MissReason::kBehindHole:
      return "behind_hole";
  }
  return "unknown";
}

std::string_view to_string(DropCause cause) {
  switch (cause) {
    case DropCause::kNone:
      return "none";
    case DropCause::kBacklog:
      return "backlog";
    case DropCause::kParentDropped:
      return "parent_dropped";
    case DropCause::kNoRoom:
      return "no_room";
    case DropCause::kTooLarge:
      return "too_large";
    case DropCause::kUnavailable:
      return "unavailable";
    case DropCause::kRemoved:
      return "removed";
    case DropCause::kNotAdmitted:
      return "not_admitted";
    case DropCause::kQuota:
      return "quota";
  }
  return "none";
}

std::string_view to_string(TierCondition condition) {
  switch (condition) {
    case TierCondition::kRecovering:
      return "recovering";
    case TierCondition::kReady:
      return "ready";
    case TierCondition::kDegraded:
      return "degraded";
    case TierCondition::kUnavailable:
      return "unavailable";
    case TierCondition::kClosed:
      return "closed";
    case TierCondition::kDrained:
      return "drained";
  }
  return "unknown";
}

}  // namespace terrace
