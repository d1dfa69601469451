// A process of its own that runs a function, on one CPU or on all; killed when the handle goes. Before the
// first thread is started.
#pragma once

#include <functional>
#include <optional>

#include <sys/types.h>

namespace terrace::bench {

void pin_to(int cpu);

class Forked {
 public:
  explicit Forked(const std::function<void()>& work, std::optional<int> cpu = std::nullopt);
  ~Forked();
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  pid_t pid() const { return pid_; }
  // User and system time until now.
  double cpu_seconds() const;

 private:
  pid_t pid_;
};

}  // namespace terrace::bench
