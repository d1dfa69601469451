// What `terrace serve` says: a line when clients can connect, and one when it has stopped.
#pragma once

#include <string>

#include "base/clock.h"
#include "cli/output.h"
#include "server/server.h"

namespace terrace::cli {

Json ready_document(const server::ServerOptions& options);
std::string ready_text(const server::ServerOptions& options);

struct Stop {
  int signal = 0;
  base::Duration after{};       // it was ready
  server::ServerStats stats{};  // when the signal came
};

Json stopped_document(const Stop& stop);
std::string stopped_text(const Stop& stop);

}  // namespace terrace::cli
