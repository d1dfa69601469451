#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "base/bytes.h"
#include "memory/arena.h"

namespace terrace::memory {
namespace {

constexpr uint64_t kHugePage = 2 * base::kMiB;

class Mapping final : public Segment {
 public:
  Mapping(std::byte* base, uint64_t bytes) : base_(base), bytes_(bytes) {}
  ~Mapping() override { ::munmap(base_, bytes_); }
  std::span<std::byte> bytes() override { return {base_, bytes_}; }
  void populate() override {
#ifdef MADV_POPULATE_WRITE
    // Linux 5.14; before it the first touch pays. Safe beside writers: it changes no bytes.
    ::madvise(base_, bytes_, MADV_POPULATE_WRITE);
#endif
  }

 private:
  std::byte* base_;
  uint64_t bytes_;
};

// The mode in force is the one in brackets: "always [madvise] never".
std::string read_huge_page_mode() {
  std::string text(128, '\0');
  std::FILE* file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
  if (file == nullptr) return "";
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const size_t open = text.find('['), close = text.find(']');
  return open == std::string::npos || close == std::string::npos || close < open
             ? ""
             : text.substr(open + 1, close - open - 1);
}

class AnonymousSegments final : public SegmentSource {
 public:
  AnonymousSegments() {
    const std::string mode = read_huge_page_mode();
    if (mode == "always" || mode == "madvise") {
      page_state_ = "huge pages: " + mode;
    } else if (mode == "never") {
      page_state_ = "4 KiB pages: transparent huge pages are set to never; IO is slower and costs more CPU";
    } else {
      page_state_ = "4 KiB pages: this kernel has no transparent huge pages; IO is slower and costs more CPU";
    }
  }

  Result<std::unique_ptr<Segment>> map(uint64_t bytes) override {
    if (bytes == 0 || bytes > (uint64_t{1} << 46)) return fail(Code::kNoMemory, "no mapping of this size");
    const uint64_t wanted = base::round_up(bytes, base::kPage);
    // Mapped with room to align, then trimmed.
    void* const raw = ::mmap(nullptr, wanted + kHugePage, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return fail(Code::kNoMemory, "mmap", errno);
    std::byte* const start = static_cast<std::byte*>(raw);
    const uint64_t before =
        base::round_up(reinterpret_cast<uintptr_t>(raw), kHugePage) - reinterpret_cast<uintptr_t>(raw);
    if (before > 0) ::munmap(start, before);
    if (before < kHugePage) ::munmap(start + before + wanted, kHugePage - before);
    std::byte* const base = start + before;
    ::madvise(base, wanted, MADV_HUGEPAGE);
    ::madvise(base, wanted, MADV_DONTDUMP);
    return std::make_unique<Mapping>(base, wanted);
  }
  std::string_view page_state() const override { return page_state_; }

 private:
  std::string page_state_;
};

}  // namespace

std::unique_ptr<SegmentSource> anonymous_segments() {
  return std::make_unique<AnonymousSegments>();
}

}  // namespace terrace::memory
