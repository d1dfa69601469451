#include <string_view>

#include <gtest/gtest.h>

#include "server/peer.h"

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == "--as")
    return terrace::server_tests::run_peer(argv[2], argv[3], argv[4]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
