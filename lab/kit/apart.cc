#include "lab/kit/apart.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/kit/workers.h"

namespace terrace::lab {

Findings run_apart(std::chrono::seconds limit, const std::string& replay,
                   const std::function<Findings()>& work) {
  WorkerOptions alone;
  alone.processes = 1;
  alone.job_limit = limit;
  alone.replay = [&replay](uint64_t) { return replay; };
  return run_jobs(alone, [&work](uint64_t) { return work(); });
}

ScratchDirectory::ScratchDirectory(const std::string& base, std::string_view name)
    : path_((base.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(base)) /
            fmt::format("terrace-lab.{}.{}", ::getpid(), name)) {
  std::filesystem::create_directories(path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string become_user(uint32_t user, const std::filesystem::path& directory) {
  const auto why = [](std::string_view call) { return fmt::format("{}: {}", call, std::strerror(errno)); };
  if (::geteuid() != 0) return "only root can become another user";
  if (::chown(directory.c_str(), user, user) != 0) return why("chown");
  if (::setgroups(0, nullptr) != 0) return why("setgroups");
  if (::setresgid(user, user, user) != 0) return why("setresgid");
  if (::setresuid(user, user, user) != 0) return why("setresuid");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user had taken it away
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) return why("another user's directory");
  return {};
}

}  // namespace terrace::lab
