#include "io/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hooks.h"
#include "io/descriptor.h"
#include "io/os_error.h"
#include "io/system_calls.h"
#include "io/transfer.h"

namespace terrace::io {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(std::string path, int fd, bool direct, uint32_t alignment)
      : File(std::move(path), fd, direct, alignment) {}
  ~PosixFile() override { ::close(fd()); }
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor file) : file_(std::move(file)) {}
  ~PosixFileLock() override { (void)!::ftruncate(file_.get(), 0); }  // then the close unlocks

 private:
  Descriptor file_;
};

template <class Call>
int retry_interrupted(Call call) {
  for (int tries = 0;; ++tries) {
    const int returned = call();
    if (returned >= 0 || errno != EINTR || tries == kRetriesMax) return returned;
  }
}

// O_NONBLOCK: a fifo under our name must not hold us up. It is taken off again, io_uring would obey it.
Result<Descriptor> open_regular(const std::string& path, int flags) {
  flags |= O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  Descriptor file(retry_interrupted([&] { return ::open(path.c_str(), flags, 0600); }));
  if (file.get() < 0) return os_error(errno == ENXIO ? ELOOP : errno, "cannot open the file");
  struct ::stat status{};
  if (::fstat(file.get(), &status) < 0) return os_error(errno, "cannot stat the file");
  if (!S_ISREG(status.st_mode)) return fail(Code::kForeign, "not a regular file");
  if (::fcntl(file.get(), F_SETFL, 0) < 0) return os_error(errno, "cannot set the file's flags");
  return file;
}

// What the kernel asks of direct transfers; 0: it takes none; kPage where it does not tell (before 6.1,
// tmpfs).
uint32_t direct_alignment(int fd) {
  struct statx status{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) < 0) return base::kPage;
  if ((status.stx_mask & STATX_DIOALIGN) == 0) return base::kPage;
  return std::max(status.stx_dio_mem_align, status.stx_dio_offset_align);
}

Result<void> transfer(int fd, IoRequest request) {
  Transfer transfer(std::move(request));
  for (;;) {
    const int64_t returned = transfer.request().op == IoOp::kRead
                                 ? system_calls().read(fd, transfer.vectors(), transfer.offset())
                                 : system_calls().write(fd, transfer.vectors(), transfer.offset());
    if (const auto ended = transfer.advance(returned)) return *ended;
  }
}

using AlignedMemory = std::unique_ptr<std::byte, decltype(&std::free)>;

// Memory a direct transfer may use instead of `data`; empty when `data` will do.
Result<AlignedMemory> bounce_memory(const File& file, const void* data, uint64_t bytes) {
  AlignedMemory memory(nullptr, &std::free);
  const uint64_t alignment = file.alignment();
  if (!file.direct() || bytes == 0 || std::bit_cast<uintptr_t>(data) % alignment == 0) return memory;
  memory.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, base::round_up(bytes, alignment))));
  if (!memory) return fail(Code::kNoMemory, "no memory for a control record");
  return memory;
}

IoRequest request_for(IoOp op, File& file, uint64_t offset, void* data, uint64_t bytes) {
  IoRequest request;
  request.op = op;
  request.file = &file;
  request.offset = offset;
  request.vec[0] = {data, bytes};
  return request;
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenOptions options) {
  int flags = options.read_only ? O_RDONLY : O_RDWR;
  if (options.create) flags |= O_CREAT | (options.exclusive ? O_EXCL : 0);
  auto file = open_regular(path, flags);
  if (!file) return std::unexpected(file.error());
  const int fd = file->get();
  TERRACE_CRASH_POINT("io.file_opened");
  const uint32_t alignment = options.direct ? direct_alignment(fd) : 0;
  // Asked for after the open: a file system that refuses O_DIRECT may leave a created file behind.
  const bool direct = alignment != 0 && ::fcntl(fd, F_SETFL, O_DIRECT) == 0;
  auto opened = std::make_unique<PosixFile>(path, fd, direct, direct ? alignment : 1);
  file->release();
  return opened;
}

Result<FileStat> PosixFileSystem::stat(const std::string& path) {
  struct ::stat status{};
  if (::stat(path.c_str(), &status) < 0) return os_error(errno, "cannot stat the path");
  return FileStat{S_ISDIR(status.st_mode), static_cast<uint64_t>(status.st_size),
                  static_cast<uint64_t>(status.st_blocks) * 512};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) {
  const std::unique_ptr<DIR, decltype([](DIR* open) { ::closedir(open); })> open(
      ::opendir(directory.c_str()));
  if (!open) return os_error(errno, "cannot open the directory");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(open.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return os_error(errno, "cannot read the directory");
  std::ranges::sort(names);
  return names;
}

Result<void> PosixFileSystem::make_directory(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    // A parent that exists may answer EROFS or EACCES instead of EEXIST: only the last one must be there.
    if (::mkdir(prefix.c_str(), 0700) < 0 && end == std::string::npos) {
      const int sys_errno = errno;
      const auto there = stat(path);
      if (!there) return os_error(sys_errno, "cannot make the directory");
      if (!there->is_directory) return os_error(ENOTDIR, "the path is not a directory");
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> PosixFileSystem::allocate(File& file, uint64_t bytes) {
  struct ::stat status{};
  TERRACE_CRASH_POINT("io.file_grows");
  if (::fstat(file.fd(), &status) < 0) return os_error(errno, "cannot stat the file");
  const auto length = static_cast<off_t>(bytes);
  const auto set_length = [&](off_t to) {
    return retry_interrupted([&] { return ::ftruncate(file.fd(), to); });
  };
  if (status.st_size > length && set_length(length) < 0) return os_error(errno, "cannot shorten the file");
  if (length == 0 || retry_interrupted([&] { return ::fallocate(file.fd(), 0, 0, length); }) == 0) return {};
  const int sys_errno = errno;
  if (sys_errno != EOPNOTSUPP) {
    (void)set_length(std::min(status.st_size, length));  // gives back what was reserved before it failed
    return os_error(sys_errno, "cannot allocate the file");
  }
  if (set_length(length) < 0) return os_error(errno, "cannot set the file's length");
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) < 0) return os_error(errno, "cannot remove the file");
  return {};
}

Result<void> PosixFileSystem::sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return os_error(errno, "cannot open the directory");
  // Some network file systems answer EINVAL: there is nothing to sync.
  if (::fsync(directory.get()) < 0 && errno != EINVAL) return os_error(errno, "cannot sync the directory");
  return {};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  auto file = open_regular(path, O_RDWR | O_CREAT);
  if (!file) return std::unexpected(file.error());
  const int fd = file->get();
  if (retry_interrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) < 0) {
    if (errno == EWOULDBLOCK) return fail(Code::kInUse, "another process holds the lock", errno);
    return os_error(errno, "cannot lock the file");
  }
  TERRACE_CRASH_POINT("io.lock_taken");
  // The pid is for whoever finds the lock taken; a device that is full has no room for it, and is locked all
  // the same (P8).
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, pid.data(), pid.size(), 0);
  TERRACE_CRASH_POINT("io.lock_named");
  return std::make_unique<PosixFileLock>(std::move(*file));
}

Result<int64_t> PosixFileSystem::lock_owner(const std::string& path) {
  const auto file = open_regular(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  std::array<char, 32> text{};
  const ssize_t bytes = ::pread(file->get(), text.data(), text.size(), 0);
  if (bytes < 0) return os_error(errno, "cannot read the lock file");
  int64_t pid = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + bytes, pid);
  if (parsed.ec != std::errc() || pid <= 0) return fail(Code::kNotFound, "the lock file names no process");
  return pid;
}

Result<void> PosixFileSystem::read(File& file, uint64_t offset, std::span<std::byte> to) {
  const auto bounce = bounce_memory(file, to.data(), to.size());
  if (!bounce) return std::unexpected(bounce.error());
  std::byte* target = *bounce ? bounce->get() : to.data();
  const auto done = transfer(file.fd(), request_for(IoOp::kRead, file, offset, target, to.size()));
  if (done && *bounce) std::memcpy(to.data(), target, to.size());
  return done;
}

Result<void> PosixFileSystem::write(File& file, uint64_t offset, std::span<const std::byte> from) {
  TERRACE_CRASH_POINT("io.control_write");
  const auto bounce = bounce_memory(file, from.data(), from.size());
  if (!bounce) return std::unexpected(bounce.error());
  if (*bounce) std::memcpy(bounce->get(), from.data(), from.size());
  void* source = *bounce ? bounce->get() : const_cast<std::byte*>(from.data());  // NOLINT: iovec has no const
  return transfer(file.fd(), request_for(IoOp::kWrite, file, offset, source, from.size()));
}

Result<void> PosixFileSystem::sync(File& file) {
  TERRACE_CRASH_POINT("io.control_sync");
  // Never again after an error: the kernel may have dropped what it could not write, and then succeed.
  if (::fdatasync(file.fd()) < 0) return os_error(errno, "cannot sync the file");
  return {};
}

std::array<uint8_t, 16> PosixFileSystem::boot_id() {
  std::array<uint8_t, 16> id{};
  std::array<char, 36> text{};  // 8-4-4-4-12 hexadecimal digits
  const Descriptor file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  size_t digits = 0;
  if (file.get() >= 0 && ::read(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    const auto end = std::remove(text.begin(), text.end(), '-');
    for (auto at = text.begin(); end - at >= 2 && digits < 32; at += 2, digits += 2) {
      if (std::from_chars(&*at, &*at + 2, id[digits / 2], 16).ptr != &*at + 2) break;
    }
  }
  if (digits != 32) random_bytes(id);
  return id;
}

void PosixFileSystem::random_bytes(std::span<uint8_t> to) {
  while (!to.empty()) {
    const ssize_t got = ::getrandom(to.data(), to.size(), 0);
    TERRACE_ASSERT(got > 0 || errno == EINTR);  // nothing else can happen since Linux 3.17
    if (got > 0) to = to.subspan(static_cast<size_t>(got));
  }
}

}  // namespace terrace::io
