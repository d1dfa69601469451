// A program started as a child, watched, and killed at the latest when this object goes.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace terrace::lab {

class ChildProcess {
 public:
  // The first word is the program's path. `output`: a file that takes what it prints; empty: ours. `prepare`
  // runs in the child before the program does, and only makes system calls: limits, users, namespaces.
  explicit ChildProcess(const std::vector<std::string>& words, const std::string& output = {},
                        const std::function<void()>& prepare = {});
  ~ChildProcess() { kill_now(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool started() const { return started_; }
  pid_t pid() const { return pid_; }  // -1 once it ended
  // True when it ended by itself within the time.
  bool wait(std::chrono::milliseconds time);
  void signal(int number);
  void kill_now();
  // After its end.
  bool exited_with(int code) const;
  bool was_killed_by(int signal) const;
  std::string how_it_ended() const;  // "was killed by Aborted", "exited with 3"

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool started_ = false;
};

}  // namespace terrace::lab
