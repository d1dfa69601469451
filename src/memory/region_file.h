// Memory that processes share by its descriptor, mapped to be a region.
#pragma once

#include <cstdint>

#include <terrace/error.h>

#include "memory/mapping.h"

namespace terrace::memory {

// The first offset + bytes of it, writable; the caller uses what stands behind `offset`. A file that shrank
// would end the process with SIGBUS, so it is sealed against that, here when it is not yet. Errors:
// kInvalidArgument for no bytes or a file that ends before them; kPermission for a file that cannot be
// sealed; kNoMemory.
Result<Mapping> map_region_file(int fd, uint64_t offset, uint64_t bytes);

}  // namespace terrace::memory
