// Row 17: readers that hold blocks, against all that takes blocks away (P3, Q2, E3, D1).
#include "lab/rows/interleaved_store.h"
#include "lab/rows/interleavings.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace {

using Subject = InterleavedStore;

std::shared_ptr<Subject> subject(Findings& findings, const InterleavedStoreOptions& options = {}) {
  return std::make_shared<Subject>(findings, options);
}

// Reads block 0 and looks at it again after whatever happened meanwhile.
void hold(Subject& subject) {
  const auto held = subject.get({0});
  pause_here("holding block 0");
  subject.still_whole(held);
}

// L1 keeps one block: storing others evicts whatever is not leased.
ThreadPlan pin_evict(Findings& findings) {
  const auto s = subject(findings, {.tight = true});
  return {[=] { s->open_with({0}); },
          {[=] { hold(*s); }, [=] { s->put({1, 2}); }},
          [=] {
            s->must_be_whole(s->get({0}), 1);
            s->close();
          }};
}

// Without a tier what is evicted is gone: the lease must keep it where it is.
ThreadPlan pin_evict_alone(Findings& findings) {
  const auto s = subject(findings, {.tight = true, .tier = false});
  return {[=] { s->open_with({0}); },
          {[=] { hold(*s); }, [=] { s->put({1}); }, [=] { s->put({2}); }},
          [=] { s->close(); }};
}

// What is loaded is adopted into an L1 that has no room for it.
ThreadPlan load_evict(Findings& findings) {
  const auto s = subject(findings, {.tight = true});
  return {[=] {
            s->open();
            s->put_in_tier({0, 1});
          },
          {[=] { hold(*s); }, [=] { s->must_be_whole(s->get({1}), 1); }},
          [=] { s->close(); }};
}

ThreadPlan pin_remove(Findings& findings) {
  const auto s = subject(findings);
  return {[=] { s->open_with({0}); },
          {[=] { hold(*s); },
           [=] {
             s->remove({0});
             s->lookup({0});
             s->put({0});
           }},
          [=] {
            s->must_be_whole(s->get({0}), 1);
            s->close();
          }};
}

// A removal while the block is on its way from the tier: what was read before must not be kept.
ThreadPlan load_remove(Findings& findings) {
  const auto s = subject(findings);
  return {[=] {
            s->open();
            s->put_in_tier({0});
          },
          {[=] { hold(*s); },
           [=] {
             s->remove({0});
             s->get({0});
           }},
          [=] {
            s->get({0});
            s->close();
          }};
}

// Stored anew, evicted and loaded while the removal of what was there has yet to reach the tier.
ThreadPlan remove_put(Findings& findings) {
  const auto s = subject(findings);
  return {[=] {
            s->open();
            s->put_in_tier({0});
          },
          {[=] {
             s->remove({0});
             s->get({0});
           },
           [=] {
             s->put_in_tier({0});
             s->get({0});
           }},
          [=] {
            s->get({0});
            s->close();
          }};
}

ThreadPlan pin_mode(Findings& findings) {
  const auto s = subject(findings);
  return {[=] { s->open_with({0}); },
          {[=] { hold(*s); },
           [=] {
             if (!s->store().set_l1_mode(L1Mode::kStaging)) s->fail("set_l1_mode");
             s->must_be_whole(s->get({0}), 1);
             if (!s->store().set_l1_mode(L1Mode::kCache)) s->fail("set_l1_mode");
           }},
          [=] {
            s->must_be_whole(s->get({0}), 1);
            s->close();
          }};
}

// What was looked up with a pin is delivered, whatever is evicted before the get (Q2).
ThreadPlan pinned_lookup(Findings& findings) {
  const auto s = subject(findings, {.tight = true, .tier = false});
  return {[=] { s->open_with({0}); },
          {[=] {
             const auto found = s->store().lookup(Subject::keys({0}), true);
             if (found && found->found == 1) s->must_be_whole(s->get({0}), 1);
           },
           [=] { s->put({1, 2}); }},
          [=] { s->close(); }};
}

constexpr Protocol kProtocols[] = {
    {"pin/evict", 2, pin_evict},
    {"pin/evict, without a tier", 2, pin_evict_alone},
    {"pin/evict, from the tier", 2, load_evict},
    {"pin/evict, by a lookup", 3, pinned_lookup},
    {"pin/remove", 3, pin_remove},
    {"pin/remove, from the tier", 2, load_remove},
    {"remove/put, from the tier", 2, remove_put},
    {"pin/change of mode", 3, pin_mode},
};

}  // namespace

std::span<const Protocol> pin_protocols() {
  return kProtocols;
}

#endif

}  // namespace terrace::lab
