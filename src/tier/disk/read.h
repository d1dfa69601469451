// One read on its way: a request per part of the record, its ranges handed to the sink one at a time.
#pragma once

#include <vector>

#include "base/mutex.h"
#include "io/scheduler.h"
#include "tier/disk/write.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

struct Read {
  struct Range {
    uint64_t offset, bytes;
    Result<void> result;
  };

  ReadOp op;
  ReadTicket ticket = 0;
  uint64_t watch = 0;
  Hold hold;
  // Set when the requests were submitted; the volume's mutex guards these.
  io::IoTicket first_io = 0;
  uint32_t ios = 0;
  bool cancel_wanted = false;

  base::Mutex mutex;
  std::vector<Range> arrived TERRACE_GUARDED_BY(mutex);
  bool handing_over TERRACE_GUARDED_BY(mutex) = false;  // one thread at a time talks to the sink
  uint32_t missing TERRACE_GUARDED_BY(mutex) = 0;       // ranges not yet handed over
  Result<void> result;                                  // of the thread that hands over
};

}  // namespace terrace::tier::disk
