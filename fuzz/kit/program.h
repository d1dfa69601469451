// What terrace-fuzz does with its own flags, the same with libFuzzer's main as with the plain one. libFuzzer
// passes over flags that begin with two dashes; the plain main passes over those that begin with one.
#pragma once

#include <span>
#include <string>

#include "fuzz/kit/target.h"

namespace terrace::fuzz {

// The target that --target names. Ends the process after --list, --seeds=FOLDER and --help, and when the
// flags are wrong (exit code 2).
const Target& start_program(std::span<char* const> arguments, bool is_fuzzer);

}  // namespace terrace::fuzz
