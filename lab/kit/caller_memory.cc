#include "lab/kit/caller_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/bytes.h"

namespace terrace::lab {

Result<CallerMemory> CallerMemory::make(uint64_t bytes, bool shared) {
  CallerMemory made;
  bytes = base::round_up(bytes, base::kPage);
  if (!shared) {
    auto plain = memory::PageBuffer::make(bytes);
    if (!plain) return std::unexpected(plain.error());
    made.plain_ = std::move(*plain);
    return made;
  }
  io::Descriptor file(::memfd_create("terrace-lab caller memory", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file.get() < 0) return fail(Code::kLimitExceeded, "memfd_create", errno);
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return fail(Code::kNoMemory, "ftruncate", errno);
  auto mapping = memory::Mapping::shared(file.get(), bytes, true);
  if (!mapping) return std::unexpected(mapping.error());
  made.file_ = std::make_unique<io::Descriptor>(std::move(file));
  made.mapping_ = std::move(*mapping);
  return made;
}

Result<RegionId> CallerMemory::register_with(Store& store) {
  if (is_shared()) return store.register_shared_region(file_->get(), 0, bytes().size());
  return store.register_region(bytes().data(), bytes().size());
}

}  // namespace terrace::lab
