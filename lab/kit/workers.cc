#include "lab/kit/workers.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "base/assert.h"
#include "lab/kit/hook_board.h"

namespace terrace::lab {
namespace {

using WallClock = std::chrono::steady_clock;

// A forked process that takes job numbers from one pipe and answers each with a line of JSON on another.
struct Worker {
  pid_t pid = -1;
  int to = -1;
  int from = -1;
  std::string answer{};  // what has come of the line
  bool busy = false;
  uint64_t job = 0;
  WallClock::time_point started{};
};

void serve(int from, int to, const std::function<Findings(uint64_t)>& job) {
  uint64_t number;
  while (::read(from, &number, sizeof number) == sizeof number) {
    const std::string text =
        to_json(job(number)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t written = ::write(to, text.data() + sent, text.size() - sent);
      if (written <= 0) ::_exit(3);
      sent += static_cast<size_t>(written);
    }
  }
}

class Pool {
 public:
  Pool(const WorkerOptions& options, const std::function<Findings(uint64_t)>& job)
      : options_(options), job_(job), next_(options.first), begun_(WallClock::now()) {
    workers_.resize(std::max<uint64_t>(1, std::min<uint64_t>(options.processes, options.count)));
  }

  Findings run() {
    for (Worker& worker : workers_) give_work(worker);
    while (std::ranges::any_of(workers_, &Worker::busy)) {
      wait_for_answers();
      stop_hung();
    }
    for (Worker& worker : workers_) end(worker);
    Findings sum;
    for (const auto& [number, findings] : results_) sum.add(findings);
    return sum;
  }

 private:
  void start(Worker& worker) {
    int down[2], up[2];
    TERRACE_ASSERT(::pipe2(down, O_CLOEXEC) == 0 && ::pipe2(up, O_CLOEXEC) == 0);
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    TERRACE_ASSERT(pid >= 0);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(3);
      for (const Worker& other : workers_) {  // else a sibling's pipe would stay open with us
        if (other.to >= 0) ::close(other.to);
        if (other.from >= 0) ::close(other.from);
      }
      ::close(down[1]);
      ::close(up[0]);
      serve(down[0], up[1], job_);
      std::fflush(nullptr);
      ::_exit(0);
    }
    ::close(down[0]);
    ::close(up[1]);
    worker = {.pid = pid, .to = down[1], .from = up[0]};
  }

  // Ends the process; returns its wait status.
  int end(Worker& worker) {
    int status = 0;
    if (worker.pid < 0) return status;
    ::close(worker.to);
    ::close(worker.from);
    while (::waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
    }
    worker = {};
    return status;
  }

  void give_work(Worker& worker) {
    worker.busy = false;
    const bool late = WallClock::now() - begun_ > options_.start_limit && next_ > options_.first;
    if (late || found_planted_ || next_ >= options_.first + options_.count) return;
    if (worker.pid < 0) start(worker);
    worker.job = next_++;
    worker.busy = true;
    worker.started = WallClock::now();
    TERRACE_ASSERT(::write(worker.to, &worker.job, sizeof worker.job) == sizeof worker.job);
  }

  void wait_for_answers() {
    std::vector<pollfd> waits;
    for (const Worker& worker : workers_) waits.push_back({worker.busy ? worker.from : -1, POLLIN, 0});
    if (::poll(waits.data(), waits.size(), 500) <= 0) return;
    for (size_t i = 0; i < waits.size(); i++) {
      if (waits[i].revents != 0) take_answer(workers_[i]);
    }
  }

  void take_answer(Worker& worker) {
    char bytes[65536];
    const ssize_t got = ::read(worker.from, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      const uint64_t job = worker.job;
      const int status = end(worker);
      ended(job,
            lost(job, WIFSIGNALED(status) ? fmt::format("was killed by {}", ::strsignal(WTERMSIG(status)))
                                          : fmt::format("exited with {}", WEXITSTATUS(status))));
      return give_work(worker);
    }
    worker.answer.append(bytes, static_cast<size_t>(got));
    if (worker.answer.back() != '\n') return;
    ended(worker.job, findings_from_json(nlohmann::json::parse(worker.answer)));
    worker.answer.clear();
    give_work(worker);
  }

  void stop_hung() {
    for (Worker& worker : workers_) {
      if (!worker.busy || WallClock::now() - worker.started < options_.job_limit) continue;
      const uint64_t job = worker.job;
      ::kill(worker.pid, SIGKILL);
      end(worker);
      ended(job, lost(job, fmt::format("did not end within {} s", options_.job_limit.count())));
      give_work(worker);
    }
  }

  Findings lost(uint64_t job, const std::string& how) const {
    Findings findings;
    findings.fail(fmt::format("its process {}; replay: {}", how,
                              options_.replay ? options_.replay(job) : fmt::format("job {}", job)));
    return findings;
  }

  void ended(uint64_t job, Findings findings) {
    found_planted_ = found_planted_ || (!findings.clean() && !planted().empty());
    results_[job] = std::move(findings);
    if (options_.progress) options_.progress(results_.size(), options_.count);
  }

  const WorkerOptions& options_;
  const std::function<Findings(uint64_t)>& job_;
  uint64_t next_;
  const WallClock::time_point begun_;
  std::vector<Worker> workers_;
  std::map<uint64_t, Findings> results_;
  bool found_planted_ = false;  // the bug planted for this run was caught: one failure is enough
};

}  // namespace

Findings run_jobs(const WorkerOptions& options, const std::function<Findings(uint64_t job)>& job) {
  if (options.count == 0) return {};
  return Pool(options, job).run();
}

unsigned processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

}  // namespace terrace::lab
