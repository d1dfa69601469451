#include "cli/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <terrace/store.h>

#include "base/bytes.h"

namespace terrace::cli {
namespace {

std::unexpected<Failure> failed(const std::string& path, std::string_view what, int error) {
  Code code = Code::kIo;
  if (error == ENOENT || error == ENOTDIR) code = Code::kNotFound;
  if (error == EACCES || error == EPERM || error == EROFS) code = Code::kPermission;
  if (error == ENOSPC || error == EDQUOT) code = Code::kNoSpace;
  if (error == EISDIR) code = Code::kInvalidArgument;
  return failure(code, fmt::format("{}: {}: {}", path, what, std::strerror(error)), error);
}

Outcome<uint64_t> block_bytes(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    return failure(Code::kInvalidArgument, fmt::format("{}: not a regular file", path));
  }
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (bytes == 0)
    return failure(Code::kInvalidArgument, fmt::format("{}: empty; a block has 1 byte or more", path));
  if (bytes > kBlockBytesMax) {
    return failure(Code::kLimitExceeded,
                   fmt::format("{}: {} bytes; a block has at most {} ({} bytes)", path, bytes,
                               base::format_size(kBlockBytesMax), kBlockBytesMax));
  }
  return bytes;
}

Outcome<void> write_all(const std::string& path, int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(path, "cannot write", errno);
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  return {};
}

// Writes and closes.
Outcome<void> write_and_close(const std::string& path, int fd, std::span<const std::byte> bytes) {
  auto written = write_all(path, fd, bytes);
  if (::close(fd) != 0 && written) return failed(path, "cannot write", errno);
  return written;
}

Outcome<void> replace_file(const std::string& path, std::span<const std::byte> bytes) {
  const std::string temporary = fmt::format("{}.terrace-{}", path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return failed(path, "cannot create", errno);
  auto written = write_and_close(path, fd, bytes);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = failed(path, "cannot replace", errno);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace

InputFile::InputFile(std::string path, int fd, uint64_t bytes)
    : path_(std::move(path)), fd_(fd), bytes_(bytes) {}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), bytes_(other.bytes_) {}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Outcome<uint64_t> InputFile::size_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return failed(path, "cannot read", errno);
  return block_bytes(path, status);
}

Outcome<InputFile> InputFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed(path, "cannot read", errno);
  InputFile file(path, fd, 0);
  struct stat status{};
  if (::fstat(fd, &status) != 0) return failed(path, "cannot read", errno);
  const auto bytes = block_bytes(path, status);
  if (!bytes) return std::unexpected(bytes.error());
  file.bytes_ = *bytes;
  return file;
}

Outcome<void> InputFile::read(std::span<std::byte> to) const {
  uint64_t offset = 0;
  // One read beyond the end shows whether the file grew.
  while (offset <= bytes_) {
    std::byte beyond{};
    const std::span<std::byte> rest = offset < bytes_ ? to.subspan(offset) : std::span(&beyond, 1);
    const ssize_t done = ::pread(fd_, rest.data(), rest.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(path_, "cannot read", errno);
    if (done == 0) break;
    offset += static_cast<uint64_t>(done);
  }
  if (offset != bytes_)
    return failure(Code::kBusy, fmt::format("{}: its length changed while it was read", path_));
  return {};
}

Outcome<void> write_output(const std::string& path, std::span<const std::byte> bytes) {
  if (path == "-") return write_all("standard output", STDOUT_FILENO, bytes);
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists || S_ISREG(status.st_mode)) return replace_file(path, bytes);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return failed(path, "cannot write", errno);
  return write_and_close(path, fd, bytes);
}

}  // namespace terrace::cli
