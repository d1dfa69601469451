#include "tier/mock/directory_backing.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "base/bytes.h"

namespace terrace::tier::mock {
namespace {

constexpr const char* kLedger = "/ledger";

std::unexpected<Failure> refused(const char* what, const std::string& path, int error) {
  const Code code = error == EACCES || error == EPERM ? Code::kPermission : Code::kIo;
  return failure(code, fmt::format("mock backing: {} {}: {}", what, path, std::strerror(error)), error);
}

class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  return true;
}

bool read_all(int fd, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::read(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  return true;
}

}  // namespace

template <class Change>
bool DirectoryBacking::change(Change change) const {
  const base::Lock lock(mutex_);
  while (::flock(ledger_, LOCK_EX) != 0) {
    if (errno != EINTR) return false;
  }
  Ledger ledger{};
  const bool changed = ::pread(ledger_, &ledger, sizeof ledger, 0) >= 0 && change(ledger) &&
                       ::pwrite(ledger_, &ledger, sizeof ledger, 0) == sizeof ledger;
  ::flock(ledger_, LOCK_UN);
  return changed;
}

Outcome<std::shared_ptr<DirectoryBacking>> DirectoryBacking::open(const std::string& path,
                                                                  uint64_t capacity_bytes) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return refused("cannot make", path, errno);
  const std::string name = path + kLedger;
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return refused("cannot open", name, errno);
  std::shared_ptr<DirectoryBacking> backing(new DirectoryBacking(path, fd, capacity_bytes));
  const bool known = backing->change([&](Ledger& ledger) {
    if (ledger.secret == record::Secret{}) {  // the first one here
      if (::getrandom(ledger.secret.data(), ledger.secret.size(), 0) < 0) return false;
    }
    backing->secret_ = ledger.secret;
    return true;
  });
  if (!known) return refused("cannot use", name, errno);
  return backing;
}

DirectoryBacking::~DirectoryBacking() {
  ::close(ledger_);
}

bool DirectoryBacking::reserve(uint64_t bytes) {
  return change([&](Ledger& ledger) {
    const uint64_t most = capacity_bytes_ == 0 ? UINT64_MAX : capacity_bytes_;
    if (bytes > most || ledger.used_bytes > most - bytes) return false;
    ledger.used_bytes += bytes;
    return true;
  });
}

void DirectoryBacking::give_back(uint64_t bytes) {
  change([&](Ledger& ledger) {
    ledger.used_bytes -= std::min(bytes, ledger.used_bytes);
    return true;
  });
}

// Written beside its name and linked to it: whoever is first wins, and nobody reads half a record.
Result<void> DirectoryBacking::put(Stored stored) {
  const uint64_t bytes = stored.bytes.size();
  bool mine = false;
  int error = 0;
  if (const File file(path_, O_TMPFILE | O_WRONLY); file) {
    const uint64_t length = stored.meta.payload_bytes;
    if (write_all(file.fd(), std::as_bytes(std::span(&length, 1))) && write_all(file.fd(), stored.bytes)) {
      const std::string self = fmt::format("/proc/self/fd/{}", file.fd());
      const std::string name = file_of(stored.meta.key);
      mine = ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
    }
    error = errno;
  } else {
    error = errno;
  }
  if (mine) {
    change([](Ledger& ledger) {
      ++ledger.blocks;
      return true;
    });
    return {};
  }
  give_back(bytes);
  if (error == EEXIST) return {};
  return fail(Code::kIo, "the mock's directory", error);
}

std::shared_ptr<const MockBacking::Stored> DirectoryBacking::get(const Key& key) const {
  const File file(file_of(key), O_RDONLY);
  struct stat status{};
  uint64_t length = 0;
  if (!file || ::fstat(file.fd(), &status) != 0) return nullptr;
  if (static_cast<uint64_t>(status.st_size) < sizeof length) return nullptr;
  auto stored = std::make_shared<Stored>();
  stored->meta.key = key;
  stored->bytes.resize(static_cast<uint64_t>(status.st_size) - sizeof length);
  if (!read_all(file.fd(), std::as_writable_bytes(std::span(&length, 1)))) return nullptr;
  if (!read_all(file.fd(), stored->bytes)) return nullptr;
  stored->meta.payload_bytes = length;
  return stored;
}

uint64_t DirectoryBacking::payload_bytes(const Key& key) const {
  const File file(file_of(key), O_RDONLY);
  uint64_t length = 0;
  return file && read_all(file.fd(), std::as_writable_bytes(std::span(&length, 1))) ? length : 0;
}

bool DirectoryBacking::remove(const Key& key) {
  struct stat status{};
  const std::string name = file_of(key);
  if (::stat(name.c_str(), &status) != 0 || ::unlink(name.c_str()) != 0) return false;
  const uint64_t bytes = static_cast<uint64_t>(status.st_size) - sizeof(uint64_t);
  return change([&](Ledger& ledger) {
    ledger.used_bytes -= std::min(bytes, ledger.used_bytes);
    ledger.blocks -= ledger.blocks > 0 ? 1 : 0;
    return true;
  });
}

uint64_t DirectoryBacking::used_bytes() const {
  uint64_t used = 0;
  change([&](Ledger& ledger) {
    used = ledger.used_bytes;
    return false;
  });
  return used;
}

uint64_t DirectoryBacking::blocks() const {
  uint64_t blocks = 0;
  change([&](Ledger& ledger) {
    blocks = ledger.blocks;
    return false;
  });
  return blocks;
}

}  // namespace terrace::tier::mock
