#include "memory/region_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace terrace::memory {

Result<Mapping> map_region_file(int fd, uint64_t offset, uint64_t bytes) {
  if (bytes == 0 || offset > UINT64_MAX - bytes)
    return fail(Code::kInvalidArgument, "a region is memory of at least one byte");
  int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_SHRINK) == 0 && ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
    seals |= F_SEAL_SHRINK;
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return fail(Code::kPermission,
                "a shared region is a memfd that is sealed against shrinking, or may be (MFD_ALLOW_SEALING)");
  }
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail(Code::kIo, "fstat of a region", errno);
  if (static_cast<uint64_t>(status.st_size) < offset + bytes)
    return fail(Code::kInvalidArgument, "the file ends before the region");
  return Mapping::shared(fd, offset + bytes, true);
}

}  // namespace terrace::memory
