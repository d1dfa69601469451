// A server in this process, in a directory of its own, and what tests ask of it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "server/server.h"
#include "server/test_client.h"

namespace terrace::server_tests {

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "terrace-server.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    options_.socket = directory_ / "run" / "socket";
    options_.store.l1.budget = 16 << 20;
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory_);
  }
  void start() {
    auto opened = server::Server::open(options_);
    ASSERT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
    thread_ = std::jthread([this] { server_->run(); });
  }
  void stop() {
    if (server_ == nullptr) return;
    server_->stop();
    thread_.join();
    server_.reset();
  }
  // True once it holds; false when it does not within seconds.
  bool becomes(const std::function<bool(const server::ServerStats&)>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      if (condition(server_->stats())) return true;
    }
    return false;
  }

  std::filesystem::path directory_;
  server::ServerOptions options_;
  std::unique_ptr<server::Server> server_;
  std::jthread thread_;
};

}  // namespace terrace::server_tests
