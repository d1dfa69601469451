#include "fuzz/targets/text_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/assert.h"

namespace terrace::fuzz {

TextFile::TextFile()
    : file_(::memfd_create("terrace-fuzz", MFD_CLOEXEC)), path_(fmt::format("/proc/self/fd/{}", file_)) {
  TERRACE_ASSERT(file_ >= 0);
}

TextFile::~TextFile() {
  ::close(file_);
}

void TextFile::write(std::span<const std::byte> bytes) const {
  TERRACE_ASSERT(::pwrite(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  TERRACE_ASSERT(::ftruncate(file_, static_cast<off_t>(bytes.size())) == 0);
}

}  // namespace terrace::fuzz
