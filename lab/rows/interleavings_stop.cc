// Row 17: components that stop while others still submit (D3): what was accepted runs or is let go, once, and
// nobody waits for ever.
#include <algorithm>
#include <memory>
#include <vector>

#include "base/thread_executor.h"
#include "lab/rows/interleaved_store.h"
#include "lab/rows/interleavings.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace {

using Subject = InterleavedStore;

// A real executor; its thread is the scheduler's, because `start` is called by one of those.
struct Threads {
  explicit Threads(Findings& all) : findings(all) {}

  void start() { executor = std::make_unique<base::ThreadExecutor>(); }
  // A task that says that it ran, and has to be let go either way.
  base::Task task(int number) {
    return [this, number, alive = token] { ran.push_back(number); };
  }
  void stop() {
    executor->stop();
    pause_here("after the stop");
    ran_at_stop = ran.size();
    stopped = true;
  }
  void end() {
    executor.reset();
    if (stopped && ran.size() != ran_at_stop) findings.fail("a task ran after the stop");
    if (token.use_count() != 1) findings.fail("a task was never let go");
    if (!std::ranges::is_sorted(ran)) findings.fail("tasks of one thread ran in another order");
  }

  Findings& findings;
  std::shared_ptr<int> token = std::make_shared<int>();
  std::unique_ptr<base::ThreadExecutor> executor;
  std::vector<int> ran;
  size_t ran_at_stop = 0;
  bool stopped = false;
};

ThreadPlan stop_post(Findings& findings) {
  const auto t = std::make_shared<Threads>(findings);
  return {[=] { t->start(); },
          {[=] {
             t->executor->post(t->task(1));
             t->executor->post(t->task(2));
           },
           [=] { t->stop(); }},
          [=] { t->end(); }};
}

ThreadPlan stop_timer(Findings& findings) {
  const auto t = std::make_shared<Threads>(findings);
  return {[=] { t->start(); },
          {[=] {
             const auto timer = t->executor->post_at(base::TimePoint{}, t->task(1));
             pause_here("with a timer");
             if (t->executor->cancel(timer) && !t->ran.empty()) {
               t->findings.fail("a timer ran that had been cancelled");
             }
           },
           [=] { t->stop(); }},
          [=] { t->end(); }};
}

ThreadPlan stop_stop(Findings& findings) {
  const auto t = std::make_shared<Threads>(findings);
  return {[=] {
            t->start();
            t->executor->post(t->task(1));
          },
          {[=] { t->stop(); }, [=] { t->stop(); }},
          [=] {
            if (t->ran.size() != 1) t->findings.fail("a task posted before the stop did not run");
            t->end();
          }};
}

// The wake-up of a waiter is not lost, and its event may go as soon as it is awake.
ThreadPlan signal_wait(Findings& findings) {
  const auto t = std::make_shared<Threads>(findings);
  const auto event = std::make_shared<std::unique_ptr<base::Event>>();
  return {[=] {
            t->start();
            *event = std::make_unique<base::Event>();
          },
          {[=] {
             if (!t->executor->wait(**event, base::kForever)) t->findings.fail("a wait without an event");
             event->reset();
           },
           [=] { t->executor->post([t, event] { t->executor->signal(**event); }); }},
          [=] { t->end(); }};
}

void close_store(Subject& s) {
  s.closed = true;  // from now on operations may be refused
  if (s.store().close(std::chrono::seconds(60)).value_or(1) != 0) s.fail("close abandoned work");
}

ThreadPlan stop_put(Findings& findings) {
  const auto s = std::make_shared<Subject>(findings, InterleavedStoreOptions{});
  return {[=] { s->open(); }, {[=] { s->put({0}); }, [=] { close_store(*s); }}, [=] { s->close(); }};
}

ThreadPlan stop_put_staging(Findings& findings) {
  const auto s = std::make_shared<Subject>(findings, InterleavedStoreOptions{.mode = L1Mode::kStaging});
  return {[=] { s->open(); }, {[=] { s->put({0}); }, [=] { close_store(*s); }}, [=] { s->close(); }};
}

ThreadPlan stop_get(Findings& findings) {
  const auto s = std::make_shared<Subject>(findings, InterleavedStoreOptions{});
  return {[=] {
            s->open();
            s->put_in_tier({0});
          },
          {[=] { s->get({0}); }, [=] { close_store(*s); }},
          [=] { s->close(); }};
}

ThreadPlan stop_prefetch(Findings& findings) {
  const auto s = std::make_shared<Subject>(findings, InterleavedStoreOptions{});
  return {[=] {
            s->open();
            s->put_in_tier({0});
          },
          {[=] {
             const Notify notify = s->owes(EventKind::kResult);
             auto ticket = s->store().prefetch(Subject::keys({0}), {}, notify);
             if (!ticket) s->owes_nothing(notify);
           },
           [=] { close_store(*s); }},
          [=] { s->close(); }};
}

ThreadPlan stop_remove(Findings& findings) {
  const auto s = std::make_shared<Subject>(findings, InterleavedStoreOptions{});
  return {[=] {
            s->open();
            s->put({0});
          },
          {[=] { s->remove({0}); }, [=] { close_store(*s); }},
          [=] { s->close(); }};
}

constexpr Protocol kProtocols[] = {
    {"stop/submit, tasks", std::nullopt, stop_post},
    {"stop/submit, a timer", std::nullopt, stop_timer},
    {"stop/submit, two stops", std::nullopt, stop_stop},
    {"stop/submit, a waiter", std::nullopt, signal_wait},
    {"stop/submit, a put", 4, stop_put},
    {"stop/submit, a put in staging", 3, stop_put_staging},
    {"stop/submit, a get", 3, stop_get},
    {"stop/submit, a prefetch", 3, stop_prefetch},
    {"stop/submit, a removal", 2, stop_remove},
};

}  // namespace

std::span<const Protocol> stop_protocols() {
  return kProtocols;
}

#endif

}  // namespace terrace::lab
