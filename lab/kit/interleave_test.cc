// The scheduler finds what it is made to find, and walks through exactly the schedules there are.
#include "lab/kit/interleave.h"

#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "base/executor.h"
#include "base/hooks.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "lab/kit/apart.h"

namespace terrace::lab {
namespace {

TEST(ChoicePath, walks_through_every_combination_once) {
  ChoicePath path;
  std::set<std::string> seen;
  for (bool more = true; more; more = path.advance()) {
    path.restart();
    const size_t first = path.choose(2);
    path.choose(first == 0 ? 3 : 2);
    EXPECT_TRUE(seen.insert(path.text()).second) << path.text();
  }
  EXPECT_EQ((std::set<std::string>{"", "01", "02", "1", "11"}), seen);
}

TEST(ChoicePath, text_leads_the_same_way_again) {
  ChoicePath path("102");
  EXPECT_EQ(1u, path.choose(2));
  EXPECT_EQ(0u, path.choose(5));
  EXPECT_EQ(2u, path.choose(3));
  EXPECT_EQ(0u, path.choose(2));
  EXPECT_EQ("102", path.text());
  EXPECT_FALSE(path.diverged());
}

TEST(ChoicePath, notices_that_the_options_are_others_than_before) {
  ChoicePath path;
  path.choose(3);
  path.restart();
  path.choose(2);
  EXPECT_TRUE(path.diverged());
}

#if defined(TERRACE_HOOKS)

// Threads of so many steps each that share nothing.
std::function<ThreadPlan(Findings&)> toy(int threads, int steps) {
  return [=](Findings&) {
    ThreadPlan scenario;
    for (int i = 0; i < threads; i++) {
      scenario.threads.emplace_back([=] {
        for (int step = 0; step < steps; step++) pause_here("a step");
      });
    }
    scenario.begin = scenario.end = [] {};
    return scenario;
  };
}

// A thread of n steps is n + 1 pieces; (p + q)! / (p! q!) orders of p and q pieces.
TEST(Interleave, counts_every_order_there_is) {
  EXPECT_EQ(2u, explore({}, toy(2, 0)).schedules);
  EXPECT_EQ(6u, explore({}, toy(2, 1)).schedules);
  EXPECT_EQ(70u, explore({}, toy(2, 3)).schedules);
  EXPECT_EQ(90u, explore({}, toy(3, 1)).schedules);
  const Explored explored = explore({}, toy(3, 2));
  EXPECT_EQ(1680u, explored.schedules);
  EXPECT_TRUE(explored.whole);
  EXPECT_TRUE(explored.findings.clean());
}

// With k preemptions of two threads of 3 pieces: 2, then those that change places once more, and so on.
TEST(Interleave, a_bound_on_preemptions_leaves_the_orders_with_more_of_them) {
  const Explored none = explore({.preemptions = 0}, toy(2, 2));
  EXPECT_EQ(2u, none.schedules);
  EXPECT_TRUE(none.bounded);
  EXPECT_FALSE(none.whole);
  EXPECT_EQ(6u, explore({.preemptions = 1}, toy(2, 2)).schedules);
  const Explored all = explore({.preemptions = 9}, toy(2, 2));
  EXPECT_EQ(20u, all.schedules);
  EXPECT_TRUE(all.whole);
}

TEST(Interleave, ends_after_the_schedules_that_were_asked_for) {
  const Explored explored = explore({.schedules_max = 10}, toy(2, 3));
  EXPECT_EQ(10u, explored.schedules);
  EXPECT_FALSE(explored.whole);
}

struct Counter {
  int value = 0;
  base::Mutex mutex;
};

// Two threads add one, with or without the mutex held from reading to writing.
std::function<ThreadPlan(Findings&)> adders(bool locked) {
  return [=](Findings& findings) {
    auto counter = std::make_shared<Counter>();
    const auto add = [=] {
      if (locked) {
        base::Lock lock(counter->mutex);
        const int before = counter->value;
        pause_here("between");
        counter->value = before + 1;
      } else {
        const int before = counter->value;
        pause_here("between");
        counter->value = before + 1;
      }
    };
    return ThreadPlan{[] {},
                      {add, add},
                      [=, &findings] {
                        if (counter->value != 2) findings.fail("an update was lost");
                      }};
  };
}

TEST(Interleave, finds_a_lost_update_and_runs_it_again_from_its_text) {
  const Explored explored = explore({}, adders(false));
  EXPECT_EQ(1u, explored.findings.failed);
  ASSERT_FALSE(explored.failing.empty());
  const Explored again = explore({.schedule = explored.failing}, adders(false));
  EXPECT_EQ(1u, again.schedules);
  EXPECT_EQ(1u, again.findings.failed);
  EXPECT_TRUE(explore({.schedule = ""}, adders(false)).findings.clean());
}

TEST(Interleave, finds_nothing_where_the_mutex_is_held) {
  const Explored explored = explore({}, adders(true));
  EXPECT_TRUE(explored.findings.clean());
  EXPECT_TRUE(explored.whole);
  EXPECT_GT(explored.schedules, 2u);
}

struct Pair {
  base::Mutex a, b;
};

// What never ends leaves threads behind, for as long as its process lives.
Findings explore_apart(const ExploreOptions& options, const std::function<ThreadPlan(Findings&)>& make) {
  return run_apart(std::chrono::seconds(60), "", [&] { return explore(options, make).findings; });
}

TEST(Interleave, finds_a_deadlock) {
  const Findings found = explore_apart({}, [](Findings&) {
    auto pair = std::make_shared<Pair>();
    const auto take = [pair](base::Mutex& first, base::Mutex& second) {
      base::Lock one(first);
      base::Lock two(second);
    };
    return ThreadPlan{[] {}, {[=] { take(pair->a, pair->b); }, [=] { take(pair->b, pair->a); }}, [] {}};
  });
  ASSERT_EQ(1u, found.failed);
  EXPECT_TRUE(found.failures[0].starts_with("a deadlock: ")) << found.failures[0];
}

TEST(Interleave, finds_a_livelock) {
  const Findings found = explore_apart({.steps_max = 100}, [](Findings&) {
    return ThreadPlan{[] {},
                      {[] {
                        for (;;) pause_here("again");
                      }},
                      [] {}};
  });
  ASSERT_EQ(1u, found.failed);
  EXPECT_TRUE(found.failures[0].starts_with("no end after so many steps"));
}

struct Mailbox {
  base::Mutex mutex;
  base::Condition filled;
  bool full TERRACE_GUARDED_BY(mutex) = false;
};

// The notification is lost when it comes between the look and the wait.
std::function<ThreadPlan(Findings&)> mail(bool looks_under_the_mutex) {
  return [=](Findings&) {
    auto box = std::make_shared<Mailbox>();
    const auto take = [=] {
      if (looks_under_the_mutex) {
        base::Lock lock(box->mutex);
        while (!box->full) box->filled.wait(box->mutex);
      } else {
        bool full = false;
        {
          base::Lock lock(box->mutex);
          full = box->full;
        }
        base::Lock lock(box->mutex);
        if (!full) box->filled.wait(box->mutex);
      }
    };
    const auto put = [=] {
      base::Lock lock(box->mutex);
      box->full = true;
      box->filled.notify_one();
    };
    return ThreadPlan{[] {}, {take, put}, [] {}};
  };
}

TEST(Interleave, finds_a_lost_notification) {
  EXPECT_TRUE(explore({}, mail(true)).findings.clean());
  EXPECT_EQ(1u, explore_apart({}, mail(false)).failed);
}

TEST(Interleave, a_wait_with_a_deadline_ends_when_nothing_else_can_happen) {
  const Explored explored = explore({}, [](Findings& findings) {
    auto box = std::make_shared<Mailbox>();
    const auto wait = [=, &findings] {
      base::Lock lock(box->mutex);
      if (box->filled.wait_until(box->mutex, base::TimePoint::max())) findings.fail("nobody notified");
    };
    return ThreadPlan{[] {}, {wait, wait}, [] {}};
  });
  EXPECT_TRUE(explored.findings.clean());
  EXPECT_TRUE(explored.whole);
}

TEST(Interleave, threads_that_are_started_take_part) {
  const auto started = [](bool joined) {
    return explore({}, [=](Findings&) {
      auto mutex = std::make_shared<base::Mutex>();
      auto thread = std::make_shared<std::unique_ptr<base::Thread>>();
      const auto lock = [=] { base::Lock held(*mutex); };
      return ThreadPlan{[=] { *thread = std::make_unique<base::Thread>(lock); },
                        {lock},
                        [=] {
                          if (joined) thread->reset();
                        }};
    });
  };
  const Explored explored = started(true);
  EXPECT_TRUE(explored.findings.clean());
  EXPECT_EQ(6u, explored.schedules);
}

#else

TEST(Interleave, is_not_in_this_build) {
  EXPECT_EQ("this build has no hooks", explore({}, [](Findings&) { return ThreadPlan{}; }).findings.skipped);
}

#endif

}  // namespace
}  // namespace terrace::lab
