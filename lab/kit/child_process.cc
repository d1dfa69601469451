#include "lab/kit/child_process.h"

#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace terrace::lab {

using WallClock = std::chrono::steady_clock;

ChildProcess::ChildProcess(const std::vector<std::string>& words, const std::string& output,
                           const std::function<void()>& prepare) {
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (auto& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  started_ = pid_ > 0;
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  if (!output.empty()) {
    const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || ::dup2(file, 1) < 0 || ::dup2(file, 2) < 0) ::_exit(127);
  }
  if (prepare) prepare();
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

bool ChildProcess::wait(std::chrono::milliseconds time) {
  if (pid_ <= 0) return true;
  for (const auto until = WallClock::now() + time;;) {
    if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = -1;
      return true;
    }
    if (WallClock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void ChildProcess::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

void ChildProcess::kill_now() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  pid_ = -1;
}

bool ChildProcess::exited_with(int code) const {
  return started_ && WIFEXITED(status_) && WEXITSTATUS(status_) == code;
}

bool ChildProcess::was_killed_by(int signal) const {
  return started_ && WIFSIGNALED(status_) && WTERMSIG(status_) == signal;
}

std::string ChildProcess::how_it_ended() const {
  if (!started_) return "did not start";
  return WIFSIGNALED(status_) ? fmt::format("was killed by {}", ::strsignal(WTERMSIG(status_)))
                              : fmt::format("exited with {}", WEXITSTATUS(status_));
}

}  // namespace terrace::lab
