#include "lab/rows/planted_bugs.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "lab/kit/child_process.h"
#include "lab/kit/hook_board.h"

namespace terrace::lab {
namespace {

// Nothing new is begun after this; what runs then has a while to end, on a machine that does other things
// too.
constexpr int kSeconds = 10;
constexpr std::chrono::minutes kPatience{3};

std::vector<std::string> words_of(const PlantedBug& bug, const RowOptions& options) {
  std::vector<std::string> words{options.program,
                                 "run",
                                 "--quick",
                                 "--row",
                                 fmt::to_string(bug.row),
                                 "--seed",
                                 fmt::to_string(bug.seed),
                                 "--mutant",
                                 std::string(bug.name),
                                 "--processes",
                                 "1"};
  const auto add = [&](std::string_view name, const std::string& value) {
    words.emplace_back(name);
    words.push_back(value);
  };
  if (bug.count != 0) add("--count", fmt::to_string(bug.count));
  add("--at-most", fmt::to_string(kSeconds));
  if (!options.directory.empty()) add("--dir", options.directory);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text = "terrace-lab";
  for (size_t i = 1; i < words.size(); i++) text += " " + words[i];
  return text;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Findings hunt(const PlantedBug& bug, const RowOptions& options) {
  Findings findings;
  findings.count("mutants");
  findings.count("caught", 0);
  const std::vector<std::string> words = words_of(bug, options);
  const auto output =
      std::filesystem::temp_directory_path() / fmt::format("terrace-lab.{}.{}", ::getpid(), bug.name);
  ChildProcess child(words, output, leave_hook_board);
  const bool ended = child.wait(kPatience);
  child.kill_now();
  const std::string said = contents(output);
  std::filesystem::remove(output);
  // A planted bug that never misbehaved proves nothing, whatever else made the row fail.
  const bool misbehaved = said.find("planted ") != std::string::npos || child.was_killed_by(SIGABRT);
  const bool failed = !ended || child.exited_with(1) || child.was_killed_by(SIGABRT);
  if (misbehaved && failed) {
    findings.count("caught");
  } else {
    findings.fail(fmt::format("{} ({}) was not caught: row {} {}{}; replay: {}", bug.name, bug.what, bug.row,
                              failed ? "failed without it" : "passed",
                              misbehaved ? "" : ", and it never misbehaved", joined(words)));
  }
  return findings;
}

}  // namespace

Findings run_planted_bugs(const RowOptions& options) {
  if (!has_hooks()) {
    Findings findings;
    findings.skipped = "this build has no hooks: take the dev preset's";
    return findings;
  }
  std::vector<const PlantedBug*> bugs;
  for (const PlantedBug& bug : planted_bugs()) bugs.push_back(&bug);
  WorkerOptions workers = workers_of(options, 24);
  workers.first = options.seed - 1;
  workers.count = std::min<uint64_t>(options.count.value_or(bugs.size()), bugs.size() - workers.first);
  workers.job_limit = 2 * kPatience;
  workers.replay = [&](uint64_t job) {
    return fmt::format("terrace-lab run --row 24 --seed {} --count 1", job + 1);
  };
  return run_jobs(workers, [&](uint64_t job) { return hunt(*bugs[job], options); });
}

}  // namespace terrace::lab
