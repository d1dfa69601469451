// Numbers of the C ABI (terrace.h): what calls, completions and options say. They are stable; a newer library
// may answer with larger ones. Functions of terrace.h have words for them.
#pragma once

#include <stdint.h>

// ---- what a call returns

typedef int32_t terrace_code;
enum {
  TERRACE_OK = 0,
  TERRACE_INVALID_ARGUMENT = 1,  // fix the call: a value is outside what is allowed
  TERRACE_LIMIT_EXCEEDED = 2,    // ask for less: a documented limit (block, batch, region) was passed
  TERRACE_NO_ARENA = 3,          // use terrace_put and terrace_get_into: this L1 mode has no arena
  TERRACE_BUSY = 4,              // try again when what runs on this object has ended
  TERRACE_CLOSED = 5,            // the store was closed; open a new one
  TERRACE_DEADLINE = 6,          // the deadline passed; late work was given up
  TERRACE_CANCELLED = 7,         // the caller cancelled it
  TERRACE_IO = 8,                // the device failed; see sys_errno
  TERRACE_NO_SPACE = 9,          // the device is full; free space or lower the capacity
  TERRACE_CORRUPT = 10,          // stored bytes failed verification; treated as a miss
  TERRACE_INCOMPATIBLE = 11,     // written by another version; use that version or another directory
  TERRACE_FOREIGN = 12,          // the directory holds something that is not Terrace's; choose another
  TERRACE_IN_USE = 13,           // another process holds it
  TERRACE_PERMISSION = 14,       // the operating system refuses access
  TERRACE_NOT_FOUND = 15,        // no such file, path or object
  TERRACE_UNSUPPORTED = 16,      // this machine, tier, server or library cannot do it
  TERRACE_UNAVAILABLE = 17,      // the tier's breaker is open, or the server is away; try later
  TERRACE_NO_MEMORY = 18,        // the memory asked for cannot be had
  TERRACE_NO_ROOM = 19,          // everything that could make room is pinned or reserved
  TERRACE_INTERNAL = 20          // a defect in Terrace; please report it
};

// ---- stores

enum {                            // what became of a block that was to be stored
  TERRACE_RESERVE_BUFFER = 0,     // reserve: fill it and commit; put in `cache`: stored
  TERRACE_RESERVE_PRESENT = 1,    // nothing to do
  TERRACE_RESERVE_IN_FLIGHT = 2,  // an earlier copy is on its way, or stands earlier in this batch
  TERRACE_RESERVE_ACCEPTED = 3,   // put: written from the caller's memory, until TERRACE_EVENT_RELEASED
  TERRACE_RESERVE_NO_ROOM = 4     // not stored; neither is anything after it
};

enum {                            // terrace_completion.kind
  TERRACE_EVENT_WRITE = 0,        // one block in one tier: status, cause, code
  TERRACE_EVENT_WRITE_BATCH = 1,  // once per commit and put, after its last write
  TERRACE_EVENT_RESULT = 2,       // a lookup, get, get_into or prefetch has its result
  TERRACE_EVENT_RELEASED = 3      // no IO touches the caller's memory any more: once per get_into, after its
                                  // result; once per key that put accepted
};
enum {  // terrace_completion.status
  TERRACE_WRITE_OK = 0,
  TERRACE_WRITE_DROPPED = 1,
  TERRACE_WRITE_FAILED = 2
};
enum {  // terrace_completion.cause: why a write was dropped
  TERRACE_DROP_NONE = 0,
  TERRACE_DROP_BACKLOG = 1,         // store.bytes_in_flight was reached
  TERRACE_DROP_PARENT_DROPPED = 2,  // its parent is neither in that tier nor on its way there
  TERRACE_DROP_NO_ROOM = 3,         // everything that could make room there is pinned
  TERRACE_DROP_TOO_LARGE = 4,       // larger than the tier's segment
  TERRACE_DROP_UNAVAILABLE = 5,     // the tier's breaker is open, or it is closing
  TERRACE_DROP_REMOVED = 6,         // removed or cleared while it ran
  TERRACE_DROP_NOT_ADMITTED = 7,    // the tier's admission policy refused it
  TERRACE_DROP_QUOTA = 8            // its tenant has all of its quota there, in blocks that may not leave
};

// ---- changes

enum {                            // terrace_change.kind
  TERRACE_CHANGE_STORED = 0,      // the tier holds the block from now on
  TERRACE_CHANGE_REMOVED = 1,     // it holds the block no more
  TERRACE_CHANGE_TIER_STATE = 2,  // the tier's condition is another one
  TERRACE_CHANGE_LOST = 3         // changes are missing here
};
enum {  // terrace_change.condition
  TERRACE_TIER_RECOVERING = 0,
  TERRACE_TIER_READY = 1,
  TERRACE_TIER_DEGRADED = 2,
  TERRACE_TIER_UNAVAILABLE = 3,
  TERRACE_TIER_CLOSED = 4,
  TERRACE_TIER_DRAINED = 5
};

// ---- retrieves

enum {  // why a key was not found or delivered
  TERRACE_MISS_NONE = 0,
  TERRACE_MISS_UNKNOWN = 1,            // never stored here, or forgotten
  TERRACE_MISS_EVICTED = 2,            // it left to make room for others
  TERRACE_MISS_REMOVED = 3,            // it was removed or cleared
  TERRACE_MISS_NO_ROOM = 4,            // nothing could make room for it: all was leased or reserved
  TERRACE_MISS_DROPPED = 5,            // its write was dropped before it began
  TERRACE_MISS_WRITE_FAILED = 6,       // the device failed its write
  TERRACE_MISS_DECLINED = 7,           // a policy did not want it; get_into: the slice has another size
  TERRACE_MISS_IN_FLIGHT = 8,          // it is being stored or read right now
  TERRACE_MISS_FAMILY_INCOMPLETE = 9,  // other members of its family are missing
  TERRACE_MISS_TIER_UNAVAILABLE = 10,  // the device that holds it, or the server, does not answer now
  TERRACE_MISS_DEVICE_ERROR = 11,      // the device that held it failed
  TERRACE_MISS_DAMAGED = 12,           // its bytes failed verification, and it was taken out
  TERRACE_MISS_DEADLINE = 13,          // it did not arrive in time
  TERRACE_MISS_CANCELLED = 14,         // the request was cancelled
  TERRACE_MISS_BEHIND_HOLE = 15        // a key before it is missing
};

enum {                           // what L1 keeps of what was loaded from a tier
  TERRACE_WRITE_BACK_STORE = 0,  // the store's own (get.write_back)
  TERRACE_WRITE_BACK_ALWAYS = 1,
  TERRACE_WRITE_BACK_NEVER = 2,
  TERRACE_WRITE_BACK_SECOND_TOUCH = 3  // what was asked for before
};

enum {                            // what becomes of a prefetched block
  TERRACE_PREFETCH_STORE = 0,     // the store's own (prefetch.policy)
  TERRACE_PREFETCH_RETAIN = 1,    // as write-back says
  TERRACE_PREFETCH_TEMPORARY = 2  // it goes with its last reader
};
