#include "lab/rows/server_process.h"

#include <csignal>
#include <thread>

#include <fmt/format.h>

namespace terrace::lab {
namespace {

constexpr std::chrono::seconds kStartLimit{30}, kStopLimit{30};
constexpr Timeout kPatience = std::chrono::seconds(20);  // a busy machine's

}  // namespace

bool ServerProcess::start(Findings& findings) {
  child_ = std::make_unique<ChildProcess>(std::vector<std::string>{program_, "server-child", "--scene",
                                                                   store_.scene, "--dir", store_.directory,
                                                                   "--seed", std::to_string(store_.seed)});
  const auto until = std::chrono::steady_clock::now() + kStartLimit;
  std::string why = "cannot start " + program_;
  while (child_->started() && std::chrono::steady_clock::now() < until) {
    const auto store = terrace::connect({.socket = socket(), .name = "lab, to see that it serves"});
    if (store) return true;
    why = store.error().message;
    if (child_->wait(std::chrono::milliseconds(1))) {
      why = "its process " + child_->how_it_ended();
      break;
    }
  }
  findings.fail(fmt::format("{} seed {}: no server: {}", store_.scene, store_.seed, why));
  return false;
}

std::chrono::milliseconds ServerProcess::stop(Findings& findings) {
  const auto begun = std::chrono::steady_clock::now();
  child_->signal(SIGTERM);
  const bool ended = child_->wait(kStopLimit);
  const auto took = std::chrono::steady_clock::now() - begun;
  if (!ended || !child_->exited_with(0)) {
    findings.fail(fmt::format("{} seed {}: the server {} when it was asked to stop", store_.scene,
                              store_.seed, ended ? child_->how_it_ended() : "did not end"));
  }
  child_.reset();
  return std::chrono::duration_cast<std::chrono::milliseconds>(took);
}

std::unique_ptr<Store> ServerProcess::connect(const std::string& name, Findings& findings) const {
  auto store = terrace::connect({.socket = socket(), .name = name, .patience = kPatience});
  if (store) return std::move(*store);
  findings.fail(fmt::format("{} seed {}: {}", store_.scene, store_.seed, store.error().message));
  return nullptr;
}

}  // namespace terrace::lab
