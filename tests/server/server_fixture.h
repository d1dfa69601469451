// A server in this process, in a directory of its own, and what tests ask of it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "io/test_support.h"
#include "server/server.h"
#include "server/test_client.h"

namespace terrace::server_tests {

class ServerTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kL1 = 16 << 20;

  void SetUp() override {
    options_.socket = directory_ / "run" / "socket";
    options_.store.l1.budget = kL1;
  }
  void TearDown() override { stop(); }
  void start() {
    auto opened = server::Server::open(options_);
    ASSERT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
    thread_ = std::jthread([this] { server_->run(); });
    EXPECT_TRUE(
        becomes([this](const auto& stats) { return stats.l1_bytes_open == options_.store.l1.budget; }));
  }
  void stop() {
    if (server_ == nullptr) return;
    server_->stop();
    thread_.join();
    server_.reset();
  }
  // True once it holds; false when it does not within seconds.
  bool becomes(const std::function<bool(const server::ServerStats&)>& condition) {
    return eventually([&] { return condition(server_->stats()); }, std::chrono::seconds(10));
  }
  static bool eventually(const std::function<bool()>& condition,
                         std::chrono::seconds within = std::chrono::seconds(20)) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (std::chrono::steady_clock::now() < until) {
      if (condition()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  const io::test::TempDirectory temporary_;
  const std::filesystem::path directory_ = temporary_.path();
  server::ServerOptions options_;
  std::unique_ptr<server::Server> server_;
  std::jthread thread_;
};

}  // namespace terrace::server_tests
