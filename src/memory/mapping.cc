#include "memory/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>

#include "base/bytes.h"

namespace terrace::memory {

Result<Mapping> Mapping::anonymous(uint64_t bytes) {
  return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

Result<Mapping> Mapping::shared(int fd, uint64_t bytes, bool writable) {
  return map(bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd);
}

// In a place of its own, chosen so that it is aligned: reserved with room to align, then trimmed.
Result<Mapping> Mapping::map(uint64_t bytes, int protection, int flags, int fd) {
  if (bytes == 0 || bytes > (uint64_t{1} << 46)) return fail(Code::kNoMemory, "no mapping of this size");
  const uint64_t wanted = base::round_up(bytes, base::kPage);
  void* const room =
      ::mmap(nullptr, wanted + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return fail(Code::kNoMemory, "mmap", errno);
  std::byte* const start = static_cast<std::byte*>(room);
  const uint64_t before =
      base::round_up(reinterpret_cast<uintptr_t>(room), kHugePage) - reinterpret_cast<uintptr_t>(room);
  std::byte* const aligned = start + before;
  if (::mmap(aligned, wanted, protection, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
    const int error = errno;
    ::munmap(room, wanted + kHugePage);
    const Code code = error == EPERM || error == EACCES ? Code::kPermission : Code::kNoMemory;
    return fail(code, "mmap", error);
  }
  if (before > 0) ::munmap(start, before);
  if (before < kHugePage) ::munmap(aligned + wanted, kHugePage - before);
  ::madvise(aligned, wanted, MADV_HUGEPAGE);
  ::madvise(aligned, wanted, MADV_DONTDUMP);
  Mapping mapping;
  mapping.base_ = aligned;
  mapping.bytes_ = wanted;
  return mapping;
}

Mapping::~Mapping() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

void Mapping::populate() const {
#ifdef MADV_POPULATE_WRITE
  // Linux 5.14; before it the first touch pays. Safe beside writers: it changes no bytes.
  ::madvise(base_, bytes_, MADV_POPULATE_WRITE);
#endif
}

std::string chosen_huge_pages(const std::string& name) {
  std::string text(128, '\0');
  std::FILE* file = std::fopen(("/sys/kernel/mm/transparent_hugepage/" + name).c_str(), "re");
  if (file == nullptr) return "";
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const size_t open = text.find('['), close = text.find(']');
  return open == std::string::npos || close == std::string::npos || close < open
             ? ""
             : text.substr(open + 1, close - open - 1);
}

}  // namespace terrace::memory
