#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "base/bytes.h"
#include "memory/arena.h"
#include "memory/mapping.h"

namespace terrace::memory {
namespace {

class MemoryFile {
 public:
  // Sealed against growing and shrinking, so that no process can take pages from under a mapping.
  static Result<MemoryFile> make(uint64_t bytes, bool huge) {
    MemoryFile file;
    const unsigned pages = huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0;
    file.fd_ = ::memfd_create("terrace-l1", MFD_CLOEXEC | MFD_ALLOW_SEALING | pages);
    if (file.fd_ < 0) return fail(Code::kNoMemory, "memfd_create", errno);
    if (::ftruncate(file.fd_, static_cast<off_t>(bytes)) != 0)
      return fail(Code::kNoMemory, "ftruncate", errno);
    if (auto ok = file.seal(F_SEAL_SHRINK | F_SEAL_GROW); !ok) return std::unexpected(ok.error());
    return file;
  }
  MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  Result<void> seal(int seals) const {
    if (::fcntl(fd_, F_ADD_SEALS, seals) == 0) return {};
    return fail(Code::kUnsupported, "this kernel does not seal memory so", errno);
  }

 private:
  MemoryFile() = default;
  int fd_ = -1;
};

class SharedSegment final : public Segment {
 public:
  static Result<std::unique_ptr<Segment>> make(uint64_t bytes, bool huge) {
    auto file = MemoryFile::make(bytes, huge);
    if (!file) return std::unexpected(file.error());
    auto mapping = Mapping::shared(file->fd(), bytes, true);
    if (!mapping) return std::unexpected(mapping.error());
    return std::make_unique<SharedSegment>(std::move(*file), std::move(*mapping));
  }
  SharedSegment(MemoryFile file, Mapping mapping) : file_(std::move(file)), mapping_(std::move(mapping)) {}

  std::span<std::byte> bytes() override { return mapping_.bytes(); }
  int fd() const override { return file_.fd(); }
  void populate() override { mapping_.populate(); }
  // F_SEAL_WRITE would ask for the owner's mapping to go first; this seal (Linux 5.1) leaves it.
  Result<void> seal_writes() override { return file_.seal(F_SEAL_FUTURE_WRITE); }

 private:
  MemoryFile file_;
  Mapping mapping_;
};

class SharedSegments final : public SegmentSource {
 public:
  explicit SharedSegments(std::function<FreeMemory()> free)
      : free_(std::move(free)), transparent_(transparent_state()) {
    reserved_ = SharedSegment::make(kHugePage, true).has_value();
  }

  Result<std::unique_ptr<Segment>> map(uint64_t bytes) override {
    if (bytes == 0 || bytes > (uint64_t{1} << 46)) return fail(Code::kNoMemory, "no segment of this size");
    const uint64_t wanted = base::round_up(bytes, kHugePage);
    if (reserved_.load()) {
      if (auto made = SharedSegment::make(wanted, true)) return made;
      reserved_ = false;  // spent
    }
    const FreeMemory free = free_();
    if (free.bytes < wanted || free.bytes - wanted < free.spared)
      return fail(Code::kNoMemory, "this machine has too little free memory for a segment of L1");
    return SharedSegment::make(wanted, false);
  }
  std::string_view page_state() const override {
    return reserved_.load() ? "huge pages: reserved (hugetlb)" : std::string_view(transparent_);
  }

 private:
  static std::string transparent_state() {
    const std::string mode = chosen_huge_pages("shmem_enabled");
    if (mode == "always" || mode == "within_size" || mode == "advise" || mode == "force")
      return "huge pages: shared memory, " + mode;
    return "4 KiB pages: neither reserved huge pages (vm.nr_hugepages) nor transparent ones for shared "
           "memory "
           "(shmem_enabled is " +
           (mode.empty() ? "absent" : mode) + "); IO is slower and costs more CPU";
  }

  const std::function<FreeMemory()> free_;
  const std::string transparent_;
  std::atomic<bool> reserved_{false};
};

}  // namespace

std::unique_ptr<SegmentSource> shared_segments(std::function<FreeMemory()> free) {
  return std::make_unique<SharedSegments>(std::move(free));
}

}  // namespace terrace::memory
