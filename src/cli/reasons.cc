#include "cli/reasons.h"

namespace terrace::cli {

std::string_view meaning(MissReason reason) {
  switch (reason) {
    case MissReason::kNone:
      return "a get finds it";
    case MissReason::kUnknown:
      return "never stored here, or gone before this process opened the store";
    case MissReason::kEvicted:
      return "it left to make room for others";
    case MissReason::kRemoved:
      return "it was removed or cleared";
    case MissReason::kNoRoom:
      return "nothing could make room for it: all was leased or reserved";
    case MissReason::kDropped:
      return "its write was dropped before it began";
    case MissReason::kWriteFailed:
      return "the device failed its write";
    case MissReason::kDeclined:
      return "a policy did not want it";
    case MissReason::kInFlight:
      return "it is being stored or read right now";
    case MissReason::kFamilyIncomplete:
      return "other members of its family are missing";
    case MissReason::kTierUnavailable:
      return "the device that holds it does not answer now";
    case MissReason::kDeviceError:
      return "the device that held it failed";
    case MissReason::kDamaged:
      return "its bytes failed verification, and it was taken out";
    case MissReason::kDeadline:
      return "it did not arrive in time";
    case MissReason::kCancelled:
      return "the request was cancelled";
    case MissReason::kBehindHole:
      return "a key before it is missing";
  }
  return "";
}

}  // namespace terrace::cli
