// Row 5: bit rot. Bits of record headers, slot entries, segment headers, superblocks and payloads are
// flipped, pages are zeroed, filled with 0xFF and swapped; every get answers with the right bytes or a miss,
// every start succeeds.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_bitrot(const RowOptions& options);
// Rounds `first` to `first + count - 1`, all on the specimen of `first`.
Findings bitrot_rounds(uint64_t first, uint64_t count);

}  // namespace terrace::lab
