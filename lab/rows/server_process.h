// A server in a process of its own, with a store that follows from row and seed, so that whoever starts it
// again, or looks at it, agrees without talking.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <terrace/client.h>

#include "lab/kit/child_process.h"
#include "lab/kit/report.h"
#include "lab/rows/children.h"

namespace terrace::lab {

struct ServedStore {
  std::string scene;  // whose store: a name of server_child.cc's table
  std::string directory;
  uint64_t seed = 1;
};

// The child's side: `terrace-lab server-child`. It serves until SIGTERM.
RunChild describe_server_child(CLI::App& command);

class ServerProcess {
 public:
  ServerProcess(std::string program, ServedStore store)
      : program_(std::move(program)), store_(std::move(store)) {}

  std::string socket() const { return store_.directory + "/run/socket"; }
  // Until clients can connect. False, and a failure in words, when that takes too long.
  bool start(Findings& findings);
  void kill() { child_.reset(); }
  // As SIGTERM asks. How long it took; a failure when it did not end in order.
  std::chrono::milliseconds stop(Findings& findings);
  bool runs() { return child_ != nullptr && !child_->wait(std::chrono::milliseconds(0)); }
  pid_t pid() const { return child_ == nullptr ? -1 : child_->pid(); }

  // A connection of the caller's own. Null, and a failure in words, when there is none to be had.
  std::unique_ptr<Store> connect(const std::string& name, Findings& findings) const;

 private:
  const std::string program_;
  const ServedStore store_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace terrace::lab
