#include "server/listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "wire/socket_address.h"

namespace terrace::server {
namespace {

constexpr int kBacklog = 128;

std::unexpected<Failure> refused(const char* what, const std::string& path, int error) {
  const Code code = error == EACCES || error == EPERM ? Code::kPermission
                    : error == ENOENT                 ? Code::kNotFound
                                                      : Code::kIo;
  return failure(code, fmt::format("socket: {} {}: {}", what, path, std::strerror(error)), error);
}

Outcome<void> check_directory(const std::string& directory, bool others) {
  const mode_t mode = others ? 0711 : 0700;
  if (::mkdir(directory.c_str(), mode) == 0) {
    if (::chmod(directory.c_str(), mode) != 0) return refused("cannot set the mode of", directory, errno);
  } else if (errno != EEXIST) {
    return refused("cannot make the directory", directory, errno);
  }
  struct stat status{};
  // A link's own status: what it points to can change.
  if (::lstat(directory.c_str(), &status) != 0) return refused("cannot look at", directory, errno);
  if (!S_ISDIR(status.st_mode)) return refused("not a directory:", directory, ENOTDIR);
  if ((status.st_mode & 0777 & ~mode) != 0 || status.st_uid != ::geteuid()) {
    return failure(
        Code::kPermission,
        fmt::format(
            "socket: the directory {} must be this user's alone: owner {}, mode {:04o} at most; it is "
            "owner {}, mode {:04o}",
            directory, ::geteuid(), mode, status.st_uid, status.st_mode & 07777));
  }
  return {};
}

}  // namespace

Listener::Listener(std::string path, io::Descriptor lock, io::Descriptor socket)
    : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

Listener::~Listener() {
  if (socket_.get() >= 0) ::unlink(path_.c_str());  // under the lock: it is ours
}

Outcome<Listener> Listener::open(const std::string& path, bool others) {
  const auto address = wire::socket_address(path);
  if (!address) {
    return failure(Code::kInvalidArgument,
                   fmt::format("socket: '{}' has {} bytes; a socket's path has 1 to {}", path, path.size(),
                               wire::kSocketPathMax));
  }
  const std::string directory = std::filesystem::absolute(path).parent_path();
  if (auto ok = check_directory(directory, others); !ok) return std::unexpected(ok.error());

  const std::string lock_path = path + ".lock";
  io::Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.get() < 0) return refused("cannot open", lock_path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(Code::kInUse, fmt::format("socket: another server listens at {}", path), errno);
  }
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return failure(Code::kForeign, fmt::format("socket: {} is there and is no socket", path));
    ::unlink(path.c_str());  // nobody holds its lock: of a server that is dead
  }
  io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return refused("no socket for", path, errno);
  if (::bind(socket.get(), wire::generic(*address), sizeof *address) != 0)
    return refused("cannot bind", path, errno);
  if (::chmod(path.c_str(), others ? 0666 : 0600) != 0 || ::listen(socket.get(), kBacklog) != 0)
    return refused("cannot listen at", path, errno);
  return Listener(path, std::move(lock), std::move(socket));
}

}  // namespace terrace::server
