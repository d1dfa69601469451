// terrace bench write-back | staging: experiments whose rows say what a store does, not only how fast. A row
// whose claim did not hold ends the command with exit code 1.
#pragma once

#include <span>
#include <string>

#include "cli/bench_blocks.h"
#include "cli/command.h"

namespace terrace::cli {

void add_bench_write_back(CLI::App& group, Invocation& invocation);
void add_bench_staging(CLI::App& group, Invocation& invocation);

// Where the experiments keep their files unless --dir says otherwise: on a disk, unlike /tmp on many
// machines.
inline constexpr const char* kBenchDirectory = "/var/tmp";

// --bytes and --block-bytes, with their values as defaults, and the chain they ask for: as many whole blocks
// as fit, and one at least.
void add_bench_sizes(CLI::App& command, std::string& bytes, std::string& block_bytes);
Outcome<BenchChain> chain_of(const std::string& bytes, const std::string& block_bytes);
// --dir, and --rounds, which is at least 1.
void add_bench_directory(CLI::App& command, std::string& directory);
void add_bench_rounds(CLI::App& command, uint32_t& rounds);

// Says on standard error what did not hold, a line each.
ExitCode judge(std::span<const std::string> broken);

}  // namespace terrace::cli
