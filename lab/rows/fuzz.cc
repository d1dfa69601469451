#include "lab/rows/fuzz.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "lab/kit/child_process.h"

namespace terrace::lab {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSeconds = 30;  // of each target
// How much a target has to try in a whole run; one that was too slow goes on until it did, on a busy machine
// for so many times its seconds.
constexpr uint64_t kDecoderExecutions = 200'000;
constexpr uint64_t kStoreExecutions = 1'000;
constexpr uint64_t kPatience = 40;
constexpr std::chrono::seconds kListLimit{60}, kCoverageLimit{600};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Take>
void for_each_line(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// The number behind the text's last colon.
uint64_t number_at_end(std::string_view line) {
  const size_t colon = line.rfind(':');
  std::string_view digits = line.substr(std::min(colon + 1, line.size()));
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  uint64_t number = 0;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// Removed with all that is in it.
class Scratch {
 public:
  explicit Scratch(const std::string& parent)
      : folder_(fs::path(parent) / fmt::format("terrace-lab-fuzz.{}", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~Scratch() {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  fs::path path(const std::string& name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

// Twice as fast with a short memory; a replay has a long one.
void prepare_sanitizer() {
  ::setenv("ASAN_OPTIONS", "malloc_context_size=2:quarantine_size_mb=16", 1);
}

// One target, in a process of its own.
class Campaign {
 public:
  Campaign(const RowOptions& options, std::string program, const FuzzTarget& target, const Scratch& scratch)
      : options_(options), program_(std::move(program)), target_(target), scratch_(scratch) {
    for (const char* folder : {"corpus", "output"}) fs::create_directories(scratch_.path(folder));
    fs::create_directories(scratch_.path("corpus") / target_.name);
  }

  Findings run() {
    const uint64_t seconds = count_of(options_, kSeconds);
    const uint64_t floor = executions_owed(seconds);
    findings_.count("targets");
    uint64_t done = search("1", seconds, 0);
    if (findings_.clean() && done < floor) done += search("2", seconds * kPatience, floor - done);
    findings_.count("executions", done);
    findings_.count("executions_" + target_.name, done);
    if (findings_.clean() && done < floor) {
      findings_.fail(fmt::format("{}: {} executions in {} s, {} are owed; replay: terrace-lab run --row 14",
                                 target_.name, done, seconds * (1 + kPatience), floor));
    }
    return std::move(findings_);
  }

 private:
  uint64_t executions_owed(uint64_t seconds) const {
    const uint64_t whole = target_.kind == "decoder" ? kDecoderExecutions : kStoreExecutions;
    return whole * std::min(seconds, kSeconds) / kSeconds;
  }

  std::vector<std::string> words(uint64_t seconds, uint64_t executions) const {
    std::vector<std::string> words{
        program_, "--target=" + target_.name, fmt::format("-max_total_time={}", seconds),
        fmt::format("-seed={}", options_.seed), "-print_final_stats=1", "-rss_limit_mb=2048",
        "-malloc_limit_mb=512", "-timeout=25",
        // Kept when the scratch folder goes: it is what replays a failure.
        fmt::format("-artifact_prefix={}/terrace-fuzz-{}-", options_.directory, target_.name)};
    if (executions > 0) words.push_back(fmt::format("-runs={}", executions));
    const std::string dictionary = target_.folder + "/dictionaries/" + target_.name + ".dict";
    if (fs::exists(dictionary)) words.push_back("-dict=" + dictionary);
    words.push_back(scratch_.path("corpus") / target_.name);
    words.push_back(target_.folder + "/corpus/" + target_.name);
    return words;
  }

  uint64_t search(const std::string& part, uint64_t seconds, uint64_t executions) {
    const fs::path output = scratch_.path("output") / (target_.name + part);
    ChildProcess child(words(seconds, executions), output, prepare_sanitizer);
    const bool ended = child.wait(std::chrono::seconds(seconds + 120));
    child.kill_now();
    const FuzzOutcome outcome = read_fuzz_output(read_text(output));
    if (!ended) {
      findings_.fail(fmt::format("{}: still running {} s after its time", target_.name, 120));
    } else if (!child.exited_with(0)) {
      findings_.fail(fmt::format("{}: {} {}; replay: {} --target={} {}", target_.name, child.how_it_ended(),
                                 outcome.summary, program_, target_.name, outcome.artifact));
    }
    return outcome.executions;
  }

  const RowOptions& options_;
  const std::string program_;
  const FuzzTarget& target_;
  const Scratch& scratch_;
  Findings findings_;
};

// Beside this program's build when it is not named: build/asan/fuzz.
fs::path program_folder(const RowOptions& options) {
  if (!options.fuzz.empty()) return options.fuzz;
  std::error_code error;
  const fs::path self = fs::canonical(options.program, error);
  return self.parent_path().parent_path().parent_path() / "asan" / "fuzz";
}

std::vector<FuzzTarget> targets_of(const fs::path& program, const Scratch& scratch) {
  ChildProcess child({program, "--list"}, scratch.path("list"));
  if (!child.wait(kListLimit) || !child.exited_with(0)) return {};
  return read_fuzz_targets(read_text(scratch.path("list")));
}

// The lines of the decoders that the corpus and a short search reach; counted by another build.
void check_coverage(const fs::path& programs, const FuzzTarget& any, const Scratch& scratch,
                    Findings& findings) {
  const fs::path program = programs.parent_path().parent_path() / "coverage" / "fuzz" / "terrace-fuzz";
  if (!fs::exists(program)) return;
  const std::string script = any.folder + "/coverage.py", report = scratch.path("coverage.json");
  ChildProcess child({"/usr/bin/env", "python3", script, "--program", program, "--json", report},
                     scratch.path("coverage"));
  const bool ended = child.wait(kCoverageLimit);
  child.kill_now();
  const auto json = nlohmann::json::parse(read_text(report), nullptr, false);
  if (json.is_discarded()) {
    findings.fail(fmt::format("coverage: {} {}; replay: {}", script,
                              ended ? child.how_it_ended() : "did not end", script));
    return;
  }
  findings.count("decoder_lines", json.at("lines").get<uint64_t>());
  findings.count("decoder_lines_covered", json.at("covered").get<uint64_t>());
  if (!child.exited_with(0)) {
    findings.fail(
        fmt::format("coverage: {} of {} lines of the decoders, 95 % are owed; replay: ./dev fuzz "
                    "--coverage",
                    json.at("covered").get<uint64_t>(), json.at("lines").get<uint64_t>()));
  }
}

}  // namespace

std::vector<FuzzTarget> read_fuzz_targets(std::string_view list) {
  std::vector<FuzzTarget> targets;
  for_each_line(list, [&](std::string_view line) {
    FuzzTarget target;
    for (std::string* word : {&target.name, &target.kind, &target.program}) {
      const size_t space = std::min(line.find(' '), line.size());
      *word = line.substr(0, space);
      line.remove_prefix(std::min(space + 1, line.size()));
    }
    target.folder = line;
    if (!target.folder.empty()) targets.push_back(std::move(target));
  });
  return targets;
}

FuzzOutcome read_fuzz_output(std::string_view output) {
  FuzzOutcome outcome;
  for_each_line(output, [&](std::string_view line) {
    constexpr std::string_view kArtifact = "Test unit written to ";
    const size_t artifact = line.find(kArtifact);
    if (line.starts_with("stat::number_of_executed_units")) outcome.executions = number_at_end(line);
    if (line.starts_with("SUMMARY: ")) outcome.summary = line;
    if (artifact != std::string_view::npos) outcome.artifact = line.substr(artifact + kArtifact.size());
  });
  return outcome;
}

Findings run_fuzz(const RowOptions& options) {
  Findings findings;
  const fs::path folder = program_folder(options), program = folder / "terrace-fuzz";
  if (!fs::exists(program)) {
    findings.skipped =
        fmt::format("no {}: `cmake --preset asan` builds it, --fuzz names its folder", program.string());
    return findings;
  }
  const Scratch scratch(options.directory);
  const auto targets = targets_of(program, scratch);
  if (targets.empty() || targets[0].program != "fuzzer") {
    findings.skipped = fmt::format("{} is not linked with libFuzzer", program.string());
    return findings;
  }
  WorkerOptions workers = workers_of(options, 14);
  workers.first = 0;
  workers.count = targets.size();
  workers.job_limit = std::chrono::seconds(count_of(options, kSeconds) * (1 + kPatience) + 300);
  workers.replay = [&](uint64_t job) {
    return fmt::format("{} --target={}", program.string(), targets[job].name);
  };
  findings = run_jobs(workers,
                      [&](uint64_t job) { return Campaign(options, program, targets[job], scratch).run(); });
  if (!options.quick && !options.count) check_coverage(folder, targets[0], scratch, findings);
  return findings;
}

}  // namespace terrace::lab
