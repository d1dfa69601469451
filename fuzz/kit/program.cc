#include "fuzz/kit/program.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"

namespace terrace::fuzz {
namespace {

constexpr const char* kUsage = R"(usage: terrace-fuzz --target=NAME PATH...
       terrace-fuzz --list
       terrace-fuzz --seeds=FOLDER

Gives the files, and those of the folders, to the target one by one; what it must never do ends it. Where it
is linked with libFuzzer, a folder is a corpus to go on from: `./dev fuzz NAME` runs it so.

  --list          the targets: name, kind, and whether this program can search (fuzzer) or not (replay)
  --seeds=FOLDER  write the binary seeds to FOLDER/NAME/
)";

void list(bool is_fuzzer) {
  for (const Target& target : targets()) {
    fmt::print("{} {} {} {}\n", target.name, target.kind == Kind::kDecoder ? "decoder" : "store",
               is_fuzzer ? "fuzzer" : "replay", TERRACE_FUZZ_FOLDER);
  }
}

int write_seeds(const std::filesystem::path& folder) {
  for (const Target& target : targets()) {
    if (target.seeds == nullptr) continue;
    std::filesystem::create_directories(folder / target.name);
    for (const Seed& seed : target.seeds()) {
      std::ofstream file(folder / target.name / seed.name, std::ios::binary);
      file.write(reinterpret_cast<const char*>(seed.bytes.data()),
                 static_cast<std::streamsize>(seed.bytes.size()));
      if (!file.flush()) return 1;
    }
  }
  return 0;
}

[[noreturn]] void leave(int code) {
  std::fflush(stdout);
  std::_Exit(code);
}

}  // namespace

const Target& start_program(std::span<char* const> arguments, bool is_fuzzer) {
  base::log::set_level(base::log::Level::kError);
  constexpr std::string_view kTarget = "--target=", kSeeds = "--seeds=";
  const Target* chosen = nullptr;
  for (const std::string_view argument : arguments.subspan(1)) {
    if (argument == "--list") {
      list(is_fuzzer);
      leave(0);
    } else if (argument == "--help") {
      fmt::print("{}", kUsage);
      leave(0);
    } else if (argument.starts_with(kSeeds)) {
      leave(write_seeds(argument.substr(kSeeds.size())));
    } else if (argument.starts_with(kTarget)) {
      chosen = find_target(argument.substr(kTarget.size()));
      if (chosen == nullptr) fmt::print(stderr, "terrace-fuzz: there is no target in '{}'\n", argument);
    }
  }
  if (chosen != nullptr) return *chosen;
  fmt::print(stderr, "{}", kUsage);
  leave(2);
}

}  // namespace terrace::fuzz
