// The closed lists of values, by their C++ names in Python's spelling.
#include <string>

#include <nanobind/stl/string.h>

#include <terrace/store.h>

#include "bindings/bindings.h"

namespace terrace::python {

void bind_numbers(nb::module_& module) {
  nb::enum_<L1Mode>(module, "L1Mode", "What host memory is for.")
      .value("CACHE", L1Mode::kCache, "blocks stay until evicted")
      .value("STAGING", L1Mode::kStaging, "only the transfer buffer between engine and tiers")
      .value("OFF", L1Mode::kOff, "no arena: bytes move between registered memory and the tiers");

  nb::enum_<WriteBack>(module, "WriteBack", "What is kept in L1 of what was loaded from a tier.")
      .value("ALWAYS", WriteBack::kAlways)
      .value("NEVER", WriteBack::kNever)
      .value("SECOND_TOUCH", WriteBack::kSecondTouch);

  nb::enum_<PrefetchPolicy>(module, "PrefetchPolicy", "What becomes of prefetched blocks nobody took.")
      .value("RETAIN", PrefetchPolicy::kRetain)
      .value("TEMPORARY", PrefetchPolicy::kTemporary);

  nb::enum_<MissReason>(module, "MissReason", "Why a key was not delivered.")
      .value("NONE", MissReason::kNone)
      .value("UNKNOWN", MissReason::kUnknown, "never stored, or forgotten")
      .value("EVICTED", MissReason::kEvicted)
      .value("REMOVED", MissReason::kRemoved)
      .value("NO_ROOM", MissReason::kNoRoom, "there was no room to load or store it")
      .value("DROPPED", MissReason::kDropped, "its write was dropped")
      .value("WRITE_FAILED", MissReason::kWriteFailed)
      .value("DECLINED", MissReason::kDeclined, "no policy wanted it, or the slice has another size")
      .value("IN_FLIGHT", MissReason::kInFlight, "on its way")
      .value("FAMILY_INCOMPLETE", MissReason::kFamilyIncomplete, "another shard or group is missing")
      .value("TIER_UNAVAILABLE", MissReason::kTierUnavailable, "the tier or server does not answer now")
      .value("DEVICE_ERROR", MissReason::kDeviceError)
      .value("DAMAGED", MissReason::kDamaged, "its bytes failed verification")
      .value("DEADLINE", MissReason::kDeadline, "not there in time")
      .value("CANCELLED", MissReason::kCancelled)
      .value("BEHIND_HOLE", MissReason::kBehindHole, "a key before it is missing")
      .def("__str__", [](MissReason reason) { return std::string(to_string(reason)); });

  nb::enum_<DropCause>(module, "DropCause", "Why a write was dropped.")
      .value("NONE", DropCause::kNone)
      .value("BACKLOG", DropCause::kBacklog)
      .value("PARENT_DROPPED", DropCause::kParentDropped)
      .value("NO_ROOM", DropCause::kNoRoom)
      .value("TOO_LARGE", DropCause::kTooLarge)
      .value("UNAVAILABLE", DropCause::kUnavailable)
      .value("REMOVED", DropCause::kRemoved)
      .value("NOT_ADMITTED", DropCause::kNotAdmitted)
      .value("QUOTA", DropCause::kQuota)
      .def("__str__", [](DropCause cause) { return std::string(to_string(cause)); });

  nb::enum_<EventKind>(module, "EventKind", "What a completion tells.")
      .value("WRITE", EventKind::kWrite, "one block in one tier")
      .value("WRITE_BATCH", EventKind::kWriteBatch, "once for each commit or put, after its last WRITE")
      .value("RESULT", EventKind::kResult, "a retrieve or prefetch has its result")
      .value("RELEASED", EventKind::kReleased, "nothing touches the caller's memory any more");

  nb::enum_<WriteStatus>(module, "WriteStatus", "How a write ended.")
      .value("OK", WriteStatus::kOk)
      .value("DROPPED", WriteStatus::kDropped)
      .value("FAILED", WriteStatus::kFailed);

  nb::enum_<ReserveOutcome>(module, "ReserveOutcome", "What reserve or put did with a block.")
      .value("BUFFER", ReserveOutcome::kBuffer, "fill it and commit")
      .value("PRESENT", ReserveOutcome::kPresent, "there already: nothing to do")
      .value("IN_FLIGHT", ReserveOutcome::kInFlight, "an earlier copy is on its way")
      .value("ACCEPTED", ReserveOutcome::kAccepted, "being written from the caller's memory, until RELEASED")
      .value("NO_ROOM", ReserveOutcome::kNoRoom, "not stored; neither is anything after it");
}

}  // namespace terrace::python
