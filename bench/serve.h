// A side of a comparison as a program: it reads one command a line from standard input, does it, and answers
// one JSON line. So bench/run.py lets two programs take turns, A B A B, each with its memory and files kept
// warm between turns.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace terrace::bench {

// The command's numeric argument (bytes, seconds), 0 when absent. Prints its own answer; throws CannotRun.
using Command = std::function<void(double argument)>;

// Returns at "quit" or at the end of the input. A command that throws CannotRun is answered by {"error":
// ...}.
void serve(const std::map<std::string, Command>& commands);

}  // namespace terrace::bench
