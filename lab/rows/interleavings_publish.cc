// Row 17: blocks that become visible, whole and once (P2, S2, M2), beside readers, other writers of the same
// key and removals.
#include "lab/rows/interleaved_store.h"
#include "lab/rows/interleavings.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace {

using Subject = InterleavedStore;

std::shared_ptr<Subject> subject(Findings& findings, const InterleavedStoreOptions& options = {}) {
  return std::make_shared<Subject>(findings, options);
}

ThreadPlan beside(const std::shared_ptr<Subject>& s, std::vector<std::function<void()>> threads,
                  const BlockList& found_at_the_end) {
  return {[=] { s->open(); }, std::move(threads),
          [=] {
            s->time().settle();
            s->must_be_whole(s->get(found_at_the_end), found_at_the_end.size());
            s->close();
          }};
}

ThreadPlan publish_lookup(Findings& findings) {
  const auto s = subject(findings);
  return beside(s,
                {[=] { s->put({0, 1}); },
                 [=] {
                   s->lookup({0, 1});
                   s->get({0, 1});
                 }},
                {0, 1});
}

// Smallest: no tier, no executor's work to meet.
ThreadPlan publish_lookup_alone(Findings& findings) {
  const auto s = subject(findings, {.tier = false});
  return beside(s,
                {[=] { s->put({0}); },
                 [=] {
                   s->lookup({0});
                   s->get({0});
                 }},
                {0});
}

// Visible when its write has ended, and not before.
ThreadPlan publish_lookup_staging(Findings& findings) {
  const auto s = subject(findings, {.mode = L1Mode::kStaging});
  return beside(s,
                {[=] { s->put({0}); },
                 [=] {
                   s->lookup({0});
                   s->get({0});
                 }},
                {0});
}

ThreadPlan publish_remove(Findings& findings) {
  const auto s = subject(findings);
  return {[=] { s->open(); },
          {[=] { s->put({0}); },
           [=] {
             s->remove({0});
             s->lookup({0});
             s->get({0});
           }},
          [=] {
            s->time().settle();
            s->get({0});
            s->close();
          }};
}

ThreadPlan publish_mode(Findings& findings) {
  const auto s = subject(findings);
  return beside(s,
                {[=] { s->put({0}); },
                 [=] {
                   if (!s->store().set_l1_mode(L1Mode::kStaging)) s->fail("set_l1_mode");
                   s->get({0});
                   if (!s->store().set_l1_mode(L1Mode::kCache)) s->fail("set_l1_mode");
                 }},
                {0});
}

// From caller memory, written from there or copied: whichever mode it meets, once.
ThreadPlan put_mode(Findings& findings) {
  const auto s = subject(findings, {.mode = L1Mode::kStaging});
  return beside(s,
                {[=] { s->put_from_area_twice(0); },
                 [=] {
                   if (!s->store().set_l1_mode(L1Mode::kCache)) s->fail("set_l1_mode");
                 }},
                {0});
}

ThreadPlan put_put(Findings& findings) {
  const auto s = subject(findings);
  return beside(s, {[=] { s->put({0}); }, [=] { s->put({0}); }}, {0});
}

ThreadPlan put_put_alone(Findings& findings) {
  const auto s = subject(findings, {.tier = false});
  return beside(s, {[=] { s->put({0}); }, [=] { s->put({0}); }}, {0});
}

ThreadPlan put_put_staging(Findings& findings) {
  const auto s = subject(findings, {.mode = L1Mode::kStaging});
  return beside(s, {[=] { s->put({0}); }, [=] { s->put({0}); }}, {0});
}

// Two chains that cross: each writer is first with one of the keys.
ThreadPlan put_put_chains(Findings& findings) {
  const auto s = subject(findings);
  return beside(s, {[=] { s->put({0, 1}); }, [=] { s->put({1}); }, [=] { s->get({1}); }}, {0, 1});
}

constexpr Protocol kProtocols[] = {
    {"publish/lookup", 3, publish_lookup},
    {"publish/lookup, without a tier", std::nullopt, publish_lookup_alone},
    {"publish/lookup, in staging", 3, publish_lookup_staging},
    {"publish/remove", 3, publish_remove},
    {"publish/change of mode", 3, publish_mode},
    {"put/change of mode", 3, put_mode},
    {"put/put", 4, put_put},
    {"put/put, without a tier", std::nullopt, put_put_alone},
    {"put/put, in staging", 4, put_put_staging},
    {"put/put, of two chains", 2, put_put_chains},
};

}  // namespace

std::span<const Protocol> publish_protocols() {
  return kProtocols;
}

#endif

}  // namespace terrace::lab
