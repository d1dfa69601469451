#include "bench/forked.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "bench/measure.h"

namespace terrace::bench {

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  need_fd(::sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

Forked::Forked(const std::function<void()>& work, std::optional<int> cpu) : pid_(need_fd(::fork(), "fork")) {
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    if (cpu) pin_to(*cpu);
    work();
  } catch (const std::exception& error) {
    print_error(error.what());
  }
  ::_exit(0);
}

Forked::~Forked() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

double Forked::cpu_seconds() const {
  std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
  std::string word;
  uint64_t user = 0, system = 0;
  for (int field = 1; field <= 13; ++field) stat >> word;
  stat >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace terrace::bench
