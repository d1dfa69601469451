// Row 9, on the real machine: a store in a process that the kernel refuses something, io_uring, descriptors,
// threads, file sizes, locked memory, room in its rings. It falls back, goes on with less, or does not open
// and says why; it never dies, and nothing delivered is wrong.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_limits_real(const RowOptions& options);
// The case of `number`; numbers beyond the last begin anew with other sizes.
Findings limits_case(const RowOptions& options, uint64_t number);

}  // namespace terrace::lab
