#include "lab/kit/small_device.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "io/descriptor.h"
#include "lab/kit/child_process.h"

namespace terrace::lab {
namespace {

using io::Descriptor;

constexpr int kLoopTries = 20;  // another process may take the device that was free
constexpr uint64_t kFree = UINT64_MAX;

std::string why(std::string_view call) {
  return fmt::format("{}: {}", call, std::strerror(errno));
}

// A loop device that goes when nobody has it open any more; its path, and its descriptor until it is mounted.
std::pair<std::string, Descriptor> attach_loop(int image) {
  const Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  for (int tries = 0; control.get() >= 0 && tries < kLoopTries; tries++) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) break;
    const std::string path = fmt::format("/dev/loop{}", number);
    Descriptor device(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    loop_config config{};
    config.fd = static_cast<uint32_t>(image);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (device.get() >= 0 && ::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0)
      return {path, std::move(device)};
    if (errno != EBUSY) break;
  }
  return {"", Descriptor(-1)};
}

std::string mount_ext4(uint64_t bytes, const std::filesystem::path& scratch,
                       const std::filesystem::path& where) {
  const std::string image_path = scratch / "image";
  const Descriptor image(::open(image_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (image.get() < 0 || ::ftruncate(image.get(), static_cast<off_t>(bytes)) != 0) return why("image");
  std::string maker = "/sbin/mkfs.ext4";
  if (::access(maker.c_str(), X_OK) != 0) maker = "/usr/sbin/mkfs.ext4";
  if (::access(maker.c_str(), X_OK) != 0) return "there is no mkfs.ext4";
  ChildProcess make({maker, "-q", "-F", "-m", "0", image_path}, scratch / "mkfs.log");
  if (!make.wait(std::chrono::seconds(30)) || !make.exited_with(0)) return "mkfs.ext4 " + make.how_it_ended();
  const auto [device, open] = attach_loop(image.get());
  if (open.get() < 0) return why("loop device");
  if (::mount(device.c_str(), where.c_str(), "ext4", MS_NOSUID | MS_NODEV, "") != 0) return why("mount ext4");
  ::unlink(image_path.c_str());
  return {};
}

// The other process's side.
[[noreturn]] void serve_filler(int from, int to, const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  uint64_t leave = 0;
  while (file >= 0 && ::read(from, &leave, sizeof leave) == sizeof leave) {
    (void)!::ftruncate(file, 0);
    off_t length = 0;
    for (uint64_t piece = 8 * base::kMiB; leave != kFree && piece >= base::kPage; piece /= 2) {
      while (::fallocate(file, 0, length, static_cast<off_t>(piece)) == 0)
        length += static_cast<off_t>(piece);
      (void)!::ftruncate(file, length);  // what a call that failed had taken already
    }
    if (leave != kFree && leave != 0)
      (void)!::ftruncate(file, std::max<off_t>(0, length - static_cast<off_t>(leave)));
    ::fsync(file);
    (void)!::write(to, "", 1);
  }
  ::_exit(0);
}

}  // namespace

std::string to_string(SmallDevice device) {
  return device == SmallDevice::kTmpfs ? "tmpfs" : "ext4";
}

std::string mount_small(SmallDevice device, uint64_t bytes, const std::filesystem::path& scratch,
                        const std::filesystem::path& where) {
  if (::geteuid() != 0) return "only root can mount";
  if (::unshare(CLONE_NEWNS) != 0) return why("unshare");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return why("mount private");
  if (device == SmallDevice::kExt4) return mount_ext4(bytes, scratch, where);
  const std::string size = fmt::format("size={}", bytes);
  if (::mount("terrace-lab", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0)
    return why("mount tmpfs");
  return {};
}

Filler::Filler(const std::filesystem::path& directory) {
  std::array<int, 2> down{}, up{};
  TERRACE_ASSERT(::pipe2(down.data(), O_CLOEXEC) == 0 && ::pipe2(up.data(), O_CLOEXEC) == 0);
  pid_ = ::fork();
  TERRACE_ASSERT(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(down[1]);
    ::close(up[0]);
    serve_filler(down[0], up[1], directory / "ballast");
  }
  ::close(down[0]);
  ::close(up[1]);
  to_ = down[1];
  from_ = up[0];
}

Filler::~Filler() {
  ::close(to_);
  ::close(from_);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Filler::begin_fill(uint64_t leave) {
  busy_ = ::write(to_, &leave, sizeof leave) == sizeof leave;
}

void Filler::begin_free() {
  begin_fill(kFree);
}

bool Filler::ended(int timeout_ms) {
  pollfd waiting{from_, POLLIN, 0};
  char answer = 0;
  if (busy_ && ::poll(&waiting, 1, timeout_ms) > 0 && ::read(from_, &answer, 1) == 1) busy_ = false;
  return !busy_;
}

uint64_t disk_use(const std::filesystem::path& directory) {
  const auto blocks = [](const std::filesystem::path& path) -> uint64_t {
    struct ::stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
  };
  uint64_t bytes = blocks(directory);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored))
    bytes += blocks(entry.path());
  return bytes;
}

}  // namespace terrace::lab
