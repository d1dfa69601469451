// Row 17: operations that are given up while they end (R2, R5, R7): one event each, nobody else's loss, and
// no byte in memory that is the caller's again.
#include <algorithm>

#include "lab/rows/interleaved_store.h"
#include "lab/rows/interleavings.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace {

using Subject = InterleavedStore;
constexpr std::byte kCallers{0xEE};  // the caller's own bytes, in memory he got back

std::shared_ptr<Subject> subject(Findings& findings, const InterleavedStoreOptions& options = {}) {
  return std::make_shared<Subject>(findings, options);
}

// Block 0 is in the tier; `give_up` begins something with it and gives it up, while another thread does
// `meanwhile`. Afterwards it is there.
ThreadPlan beside(const std::shared_ptr<Subject>& s, std::function<void()> give_up,
                  std::function<void()> meanwhile) {
  return {[=] {
            s->open();
            s->put_in_tier({0});
          },
          {std::move(give_up), std::move(meanwhile)},
          [=] {
            s->time().settle();
            s->must_be_whole(s->get({0}), 1);
            s->close();
          }};
}

void get_and_cancel(Subject& s) {
  const Span when = s.begin();
  auto operation = s.store().get_async(Subject::keys({0}), {}, s.owes(EventKind::kResult));
  if (!operation) return s.fail("get_async");
  operation->cancel();
  auto blocks = operation->take();
  if (!blocks) return s.fail("no result after the cancel");
  s.saw(std::move(*blocks), {0}, s.ended(when));
}

// Into caller memory; as soon as it is released the caller writes there himself.
void get_into_and_cancel(Subject& s, std::optional<WriteBack> write_back) {
  const Span when = s.begin();
  Notify notify = s.owes(EventKind::kResult);
  s.owes_too(notify, EventKind::kReleased);
  const RegionSlice to = s.slice(0);
  auto operation =
      s.store().get_into(Subject::keys({0}), std::span(&to, 1), {.write_back = write_back}, notify);
  if (!operation) return s.fail("get_into");
  operation->cancel();
  if (!s.store().wait(*operation, std::chrono::seconds(60))) return s.fail("get_into was never released");
  const auto bytes = s.area.bytes().subspan(to.offset, to.bytes);
  if (operation->result().delivered == 1) s.saw(0, bytes, s.ended(when));
  std::ranges::fill(bytes, kCallers);
}

// Nobody wrote into the caller's memory behind his back.
void check_callers(Subject& s) {
  const RegionSlice to = s.slice(0);
  const auto bytes = s.area.bytes().subspan(to.offset, to.bytes);
  if (!std::ranges::all_of(bytes, [](std::byte b) { return b == kCallers; })) {
    s.fail("caller memory changed after it was released");
  }
}

ThreadPlan cancel_complete(Findings& findings) {
  const auto s = subject(findings);
  return beside(s, [=] { get_and_cancel(*s); }, [=] { s->must_be_whole(s->get({0}), 1); });
}

ThreadPlan cancel_remove(Findings& findings) {
  const auto s = subject(findings);
  return beside(
      s, [=] { get_and_cancel(*s); },
      [=] {
        s->remove({0});
        s->put({0});
      });
}

ThreadPlan deadline_complete(Findings& findings) {
  const auto s = subject(findings);
  constexpr Timeout kDeadline = std::chrono::milliseconds(1);
  return beside(
      s,
      [=] {
        const Span when = s->begin();
        auto blocks = s->store().get(Subject::keys({0}), {.timeout = kDeadline});
        if (!blocks) return s->fail("get");
        s->saw(std::move(*blocks), {0}, s->ended(when));
      },
      [=] { s->time().pass(kDeadline); });
}

ThreadPlan into_complete(Findings& findings, WriteBack write_back) {
  const auto s = subject(findings);
  ThreadPlan scenario = beside(s, [=] { get_into_and_cancel(*s, write_back); }, [=] { s->get({0}); });
  scenario.end = [s, end = std::move(scenario.end)] {
    s->time().settle();
    check_callers(*s);
    end();
  };
  return scenario;
}

ThreadPlan into_arena(Findings& findings) {
  return into_complete(findings, WriteBack::kAlways);
}

ThreadPlan into_direct(Findings& findings) {
  return into_complete(findings, WriteBack::kNever);
}

ThreadPlan prefetch_cancel(Findings& findings) {
  const auto s = subject(findings);
  return beside(
      s,
      [=] {
        auto ticket = s->store().prefetch(Subject::keys({0}), {}, s->owes(EventKind::kResult));
        if (!ticket) return s->fail("prefetch");
        ticket->cancel();
      },
      [=] { s->must_be_whole(s->get({0}), 1); });
}

// In staging what a prefetch brought is its owner's; who else asks reads for himself.
ThreadPlan prefetch_take(Findings& findings) {
  const auto s = subject(findings, {.mode = L1Mode::kStaging});
  return beside(
      s,
      [=] {
        auto ticket = s->store().prefetch(Subject::keys({0}), {}, s->owes(EventKind::kResult));
        if (!ticket) return s->fail("prefetch");
        const Span when = s->begin();
        auto blocks = s->store().get(Subject::keys({0}), {.ticket = &*ticket});
        if (!blocks) return s->fail("get");
        s->must_be_whole(s->saw(std::move(*blocks), {0}, s->ended(when)), 1);
      },
      [=] { s->must_be_whole(s->get({0}), 1); });
}

// A removal ends the retrieve on its own thread; whoever is told of the result finds it there.
ThreadPlan told_of_a_get(Findings& findings) {
  const auto s = subject(findings);
  return beside(
      s,
      [=] {
        const auto queue = s->store().make_queue();
        const Span when = s->begin();
        auto operation = s->store().get_async(Subject::keys({0}), {}, {queue, 1});
        if (!operation) return s->fail("get_async");
        Completion told;
        if (queue->wait(std::span(&told, 1), std::chrono::seconds(60)) != 1) return s->fail("no event");
        auto blocks = operation->take();
        if (!blocks) return s->fail("the event of a get came before its result");
        s->saw(std::move(*blocks), {0}, s->ended(when));
      },
      [=] {
        s->remove({0});
        s->put({0});
      });
}

ThreadPlan told_of_a_get_into(Findings& findings) {
  const auto s = subject(findings);
  return beside(
      s,
      [=] {
        const auto queue = s->store().make_queue();
        const RegionSlice to = s->slice(0);
        auto operation = s->store().get_into(Subject::keys({0}), std::span(&to, 1), {}, {queue, 1});
        if (!operation) return s->fail("get_into");
        for (bool last = false; !last;) {
          Completion told;
          if (queue->wait(std::span(&told, 1), std::chrono::seconds(60)) != 1) return s->fail("no event");
          last = told.kind == EventKind::kReleased;
          if (last ? !operation->released() : !operation->ready())
            return s->fail("an event of a get_into came before what it tells");
        }
      },
      [=] {
        s->remove({0});
        s->put({0});
      });
}

constexpr Protocol kProtocols[] = {
    {"event/remove, of a get", 2, told_of_a_get},
    {"event/remove, of a get_into", 2, told_of_a_get_into},
    {"cancel/complete", 2, cancel_complete},
    {"cancel/remove", 2, cancel_remove},
    {"cancel/complete, by the deadline", 4, deadline_complete},
    {"cancel/complete, into caller memory", 2, into_arena},
    {"cancel/complete, straight into caller memory", 2, into_direct},
    {"cancel/complete, of a prefetch", 3, prefetch_cancel},
    {"cancel/complete, prefetched in staging", 2, prefetch_take},
};

}  // namespace

std::span<const Protocol> cancel_protocols() {
  return kProtocols;
}

#endif

}  // namespace terrace::lab
