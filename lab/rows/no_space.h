// Row 10: a device that another process fills while the store works, and frees again: a tmpfs and an ext4 of
// their own. The tier makes room of its own, then only reads, then is of no use, and comes back by itself; no
// call answers an error, nothing delivered is wrong, and it never takes more than it was given.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_no_space(const RowOptions& options);
Findings no_space_case(const RowOptions& options, uint64_t number);

}  // namespace terrace::lab
