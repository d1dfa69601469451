// Runs a few real threads one at a time and tries all orders in which they can go on. They may change places
// at every base::Mutex, base::Condition and TERRACE_SYNC_POINT (base/hooks.h), nowhere else, so a schedule
// is the list of choices made there, and the same choices give the same run.
//
// A depth-first search walks through the schedules: the first one lets each thread run until it has to wait,
// each further one makes the last choice of the one before that is not exhausted differently. With a bound
// on preemptions (Musuvathi and Qadeer, CHESS, 2007) only so many times a thread is interrupted that could
// have gone on; changing places where one has to wait costs nothing.
//
// All that the threads share must be theirs alone, and all that any of them waits for too: a wait in the
// kernel for something outside would never end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/kit/report.h"

namespace terrace::lab {

// The choices of one schedule: at each place where several threads could go on, which of them did.
class ChoicePath {
 public:
  // That of the text, and where it ends the first option always. Text that no schedule has is as good as any.
  explicit ChoicePath(std::string_view text = "");

  // 0 .. options - 1; 0 unless the path says otherwise. Starts over after restart() and advance().
  size_t choose(size_t options);
  void restart() { position_ = 0; }
  // To the next path: false when all were walked.
  bool advance();
  // A choice has other options than when it was made before: the run is not deterministic.
  bool diverged() const { return diverged_; }
  // One character a choice, without the zeros at the end.
  std::string text() const;

 private:
  struct Choice {
    size_t taken;
    size_t options;  // 0: not known yet
  };
  std::vector<Choice> choices_;
  size_t position_ = 0;
  bool diverged_ = false;
};

// What is run under each schedule. `begin` and `end` run alone, before and after the threads; threads they
// start (base::Thread) take part. What the three share lives in their captures.
struct ThreadPlan {
  std::function<void()> begin;
  std::vector<std::function<void()>> threads;
  std::function<void()> end;
};

struct ExploreOptions {
  std::optional<uint32_t> preemptions{};  // a schedule has at most so many; absent: any number
  uint64_t schedules_max = UINT64_MAX;    // no more than these
  uint64_t steps_max = 100'000;           // of one schedule; more is a livelock
  std::optional<std::string> schedule{};  // this one alone
};

struct Explored {
  uint64_t schedules = 0;
  bool whole = false;    // every interleaving there is
  bool bounded = false;  // every one with at most ExploreOptions::preemptions
  // Of the first schedule that failed, where the search ends: what the scenario reported, a deadlock, a
  // livelock.
  Findings findings;
  std::string failing;
};

// `make` makes the scenario anew for each schedule; it reports into the findings. Call it in a thread that
// has no scheduler. Threads of a deadlock stay behind, asleep.
Explored explore(const ExploreOptions& options, const std::function<ThreadPlan(Findings&)>& make);

// For scenarios: another thread may go first here. Nothing without a scheduler.
void pause_here(const char* where);

}  // namespace terrace::lab
