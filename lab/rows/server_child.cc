// The process that serves a store to a row's clients.
#include <array>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "lab/rows/crash.h"
#include "lab/rows/histories.h"
#include "lab/rows/idle.h"
#include "lab/rows/network.h"
#include "lab/rows/restart.h"
#include "lab/rows/server_process.h"
#include "server/server.h"

namespace terrace::lab {
namespace {

struct Scene {
  std::string_view name;
  StoreOptions (*options)(uint64_t seed, const std::string& directory);
};

constexpr std::array kScenes{
    Scene{"crash", served_crash_store},     Scene{"histories", history_store},
    Scene{"idle", served_idle_store},       Scene{"network", network_store},
    Scene{"restart", served_restart_store},
};

int serve(const ServedStore& served) {
  const auto scene = std::ranges::find(kScenes, served.scene, &Scene::name);
  if (scene == kScenes.end()) return 2;
  sigset_t set;  // taken by sigwait alone: before threads start
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  server::ServerOptions options;
  options.socket = served.directory + "/run/socket";
  options.store = scene->options(served.seed, served.directory);
  const auto server = server::Server::open(options);
  if (!server) {
    fmt::print(stderr, "cannot serve: {}\n", server.error().message);
    return 1;
  }
  // Ends with the process when no signal comes.
  std::jthread stopper([&set, &running = **server] {
    int got = 0;
    sigwait(&set, &got);
    running.stop();
  });
  (*server)->run();
  return 0;
}

}  // namespace

RunChild describe_server_child(CLI::App& command) {
  const auto served = std::make_shared<ServedStore>();
  command.add_option("--scene", served->scene)->required();
  command.add_option("--dir", served->directory)->required();
  command.add_option("--seed", served->seed);
  return [served] { return serve(*served); };
}

}  // namespace terrace::lab
