#include "lab/kit/interleave.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/hooks.h"
#include "base/thread.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace {

namespace hooks = base::hooks;

constinit thread_local uint32_t own_number = 0;

// All threads on one processor while it lives: they run one at a time, and handing over is several times
// faster there. Processes beside each other take different ones.
class OneProcessor {
 public:
  OneProcessor() {
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    const int wanted = ::getpid() % CPU_COUNT(&before_);
    int processor = 0;
    for (int seen = 0; seen < wanted || !CPU_ISSET(processor, &before_); processor++) {
      if (CPU_ISSET(processor, &before_)) seen++;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    changed_ = ::sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~OneProcessor() {
    if (changed_) ::sched_setaffinity(0, sizeof before_, &before_);
  }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_;
  bool changed_ = false;
};

// One schedule. Whoever runs owns all of its state; a semaphore hands it on.
class Scheduler final : public hooks::Interleaver {
 public:
  Scheduler(ChoicePath& path, const ExploreOptions& options, ThreadPlan scenario)
      : path_(path), options_(options), scenario_(std::move(scenario)), left_(options.preemptions) {}

  // From outside: runs the scenario to its end. False when it never comes to it; the scheduler must stay
  // then.
  bool run() {
    std::thread script([this] { run_script(); });
    over_.acquire();
    if (stuck_.empty()) {
      script.join();
    } else {
      script.detach();
    }
    return stuck_.empty();
  }
  const std::string& stuck() const { return stuck_; }
  bool was_bounded() const { return was_bounded_; }

  void reach(const char* where) override {
    threads_[own_number].where = where;
    if (++steps_ > options_.steps_max) give_up("no end after so many steps");
    hand_to(choose());
  }
  void wait_for(const void* what) override { wait(State::kWaiting, what); }
  bool wait_for_a_while(const void* what) override { return wait(State::kWaitingAWhile, what); }
  void give_free(const void* what) noexcept override {
    for (Thread& thread : threads_) {
      if (is_waiting(thread) && thread.what == what) thread.state = State::kReady;
    }
  }
  uint32_t expect_thread() override {
    threads_.emplace_back();
    return static_cast<uint32_t>(threads_.size() - 1);
  }
  void enter(uint32_t thread) override {
    own_number = thread;
    threads_[thread].turn.acquire();
  }
  void leave() noexcept override {
    hooks::set_interleaver(nullptr);  // what the thread's end destroys is nobody's business
    threads_[own_number].state = State::kEnded;
    give_free(&threads_[own_number]);
    if (first_user_ <= own_number && own_number < end_of_users_ && --users_left_ == 0) {
      exploring_ = false;
      give_free(&users_left_);
    }
    if (own_number == 0) return end_of_script();
    threads_[choose()].turn.release();
  }
  void await_end(uint32_t thread) override {
    while (threads_[thread].state != State::kEnded) wait_for(&threads_[thread]);
  }

 private:
  enum class State : uint8_t { kReady, kWaiting, kWaitingAWhile, kEnded };
  struct Thread {
    State state = State::kReady;
    const void* what = nullptr;  // waited for
    const char* where = "its start";
    bool time_passed = false;
    std::binary_semaphore turn{0};
  };
  static bool is_waiting(const Thread& thread) {
    return thread.state == State::kWaiting || thread.state == State::kWaitingAWhile;
  }

  void run_script() {
    expect_thread();
    own_number = 0;
    hooks::set_interleaver(this);
    scenario_.begin();
    {
      first_user_ = static_cast<uint32_t>(threads_.size());
      users_left_ = scenario_.threads.size();
      end_of_users_ = first_user_ + static_cast<uint32_t>(users_left_);
      std::deque<base::Thread> users;
      for (auto& body : scenario_.threads) users.emplace_back(std::move(body));
      exploring_ = true;
      while (users_left_ > 0) wait_for(&users_left_);
    }
    scenario_.end();
    scenario_ = {};
    leave();
  }

  void end_of_script() noexcept {
    const bool all = std::ranges::all_of(threads_, [](const Thread& t) { return t.state == State::kEnded; });
    if (!all) stuck_ = "threads are left after the end: " + describe();
    over_.release();
  }

  bool wait(State state, const void* what) {
    Thread& self = threads_[own_number];
    self.state = state;
    self.what = what;
    hand_to(choose());
    return !std::exchange(self.time_passed, false);
  }

  void hand_to(uint32_t next) {
    if (next == own_number) return;
    Thread& self = threads_[own_number];
    threads_[next].turn.release();
    self.turn.acquire();
  }

  // Who goes on: the running thread first, as long as it can, then the others by number.
  uint32_t choose() {
    std::vector<uint32_t> able = all_in(State::kReady);
    if (able.empty()) return choose_whose_time_passes();
    const auto self = std::ranges::find(able, own_number);
    const bool preempts = self != able.end();
    if (preempts) std::rotate(able.begin(), self, self + 1);
    if (!exploring_ || able.size() == 1) return able.front();
    if (preempts && left_ == 0u) {
      was_bounded_ = true;
      return able.front();
    }
    const size_t taken = path_.choose(able.size());
    if (preempts && taken > 0 && left_) --*left_;
    return able[taken];
  }

  uint32_t choose_whose_time_passes() {
    const auto able = all_in(State::kWaitingAWhile);
    if (able.empty()) give_up("a deadlock");
    const uint32_t next = able[exploring_ && able.size() > 1 ? path_.choose(able.size()) : 0];
    threads_[next].state = State::kReady;
    threads_[next].time_passed = true;
    return next;
  }

  std::vector<uint32_t> all_in(State state) const {
    std::vector<uint32_t> numbers;
    for (uint32_t i = 0; i < threads_.size(); i++) {
      if (threads_[i].state == state) numbers.push_back(i);
    }
    return numbers;
  }

  // Nobody can go on, or should. The threads stay where they are for ever.
  [[noreturn]] void give_up(const char* what) {
    stuck_ = fmt::format("{}: {}", what, describe());
    over_.release();
    for (;;) threads_[own_number].turn.acquire();
  }

  std::string describe() const {
    std::string text;
    for (uint32_t i = 0; i < threads_.size(); i++) {
      const Thread& thread = threads_[i];
      if (thread.state == State::kEnded) continue;
      text += fmt::format("{}thread {} {} after {}", text.empty() ? "" : ", ", i,
                          is_waiting(thread) ? "waits" : "runs", thread.where);
    }
    return text;
  }

  ChoicePath& path_;
  const ExploreOptions& options_;
  ThreadPlan scenario_;
  std::optional<uint32_t> left_;  // preemptions
  bool was_bounded_ = false;
  std::deque<Thread> threads_;  // 0 is the script
  bool exploring_ = false;
  uint32_t first_user_ = 0, end_of_users_ = 0;
  size_t users_left_ = 0;
  uint64_t steps_ = 0;
  std::string stuck_;
  std::binary_semaphore over_{0};
};

}  // namespace

Explored explore(const ExploreOptions& options, const std::function<ThreadPlan(Findings&)>& make) {
  TERRACE_ASSERT(hooks::interleaver() == nullptr);
  const OneProcessor pinned;
  auto path = std::make_unique<ChoicePath>(options.schedule.value_or(""));
  auto kept = std::make_unique<ExploreOptions>(options);
  Explored explored;
  bool cut = false;
  for (bool more = true; more && explored.schedules < options.schedules_max;) {
    path->restart();
    auto findings = std::make_unique<Findings>();
    auto scheduler = std::make_unique<Scheduler>(*path, *kept, make(*findings));
    explored.schedules++;
    const bool ended = scheduler->run();
    if (!ended) findings->fail(scheduler->stuck());
    if (path->diverged()) findings->fail("the same choices did not give the same run");
    cut = cut || scheduler->was_bounded();
    explored.findings.add(*findings);
    if (!explored.findings.clean()) explored.failing = path->text();
    if (!ended) {
      // Its threads wait for ever, and may refer to all of this as long as the process lives.
      struct Lost {
        std::unique_ptr<ChoicePath> path;
        std::unique_ptr<ExploreOptions> options;
        std::unique_ptr<Findings> findings;
        std::unique_ptr<Scheduler> scheduler;
      };
      static auto& lost = *new std::vector<Lost>;
      lost.push_back({std::move(path), std::move(kept), std::move(findings), std::move(scheduler)});
      return explored;
    }
    if (!explored.findings.clean() || options.schedule) return explored;
    more = path->advance();
    explored.whole = !more && !cut;
    explored.bounded = !more;
  }
  return explored;
}

void pause_here(const char* where) {
  if (hooks::Interleaver* const interleaver = hooks::interleaver()) interleaver->reach(where);
}

#else

Explored explore(const ExploreOptions&, const std::function<ThreadPlan(Findings&)>&) {
  Explored explored;
  explored.findings.skipped = "this build has no hooks";
  return explored;
}

void pause_here(const char*) {}

#endif

}  // namespace terrace::lab
