// Operations under way.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <terrace/store.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/operations.h"

namespace terrace::python {

PyLookup lookup_of(LookupResult&& result) {
  std::shared_ptr<Pin> pin;
  if (result.pin) pin = std::make_shared<Pin>(std::move(result.pin));
  return {result.found, std::move(result.where), std::move(result.reasons), std::move(pin)};
}

PyBlocks blocks_of(Blocks&& blocks) {
  return {std::make_shared<const Blocks>(std::move(blocks))};
}

namespace {

void bind_lookups_and_gets(nb::module_& module) {
  nb::class_<LookupOperation>(module, "LookupOperation", "A lookup that asks shared tiers too.")
      .def(
          "ready", [](LookupOperation& self) { return without_gil([&] { return self.ready(); }); },
          "The answer is there. Never waits.")
      .def(
          "take",
          [](LookupOperation& self) -> std::optional<PyLookup> {
            auto result = without_gil([&] { return self.take(); });
            if (!result) return std::nullopt;
            return lookup_of(std::move(*result));
          },
          "The Lookup, once it is ready; None before that and after it was taken.")
      .def(
          "cancel", [](LookupOperation& self) { without_gil([&] { self.cancel(); }); },
          "Ends it with what came until now.");

  nb::class_<GetOperation>(module, "GetOperation", "A get under way. Dropping it gives it up.")
      .def(
          "ready", [](GetOperation& self) { return without_gil([&] { return self.ready(); }); },
          "The result is there. Never waits.")
      .def(
          "take",
          [](GetOperation& self) -> std::optional<PyBlocks> {
            auto blocks = without_gil([&] { return self.take(); });
            if (!blocks) return std::nullopt;
            return blocks_of(std::move(*blocks));
          },
          "The Blocks, once they are ready; None before that and after they were taken.")
      .def(
          "cancel", [](GetOperation& self) { without_gil([&] { self.cancel(); }); },
          "Ends it early: what has not arrived is CANCELLED.");
}

void bind_into(nb::module_& module) {
  nb::class_<PyInto>(
      module, "IntoOperation",
      "A get_into under way. Dropping it cancels it; the regions keep their memory until nothing\n"
      "touches it.")
      .def(
          "ready", [](PyInto& self) { return without_gil([&] { return self.operation.ready(); }); },
          "The result is there.")
      .def(
          "released", [](PyInto& self) { return without_gil([&] { return self.operation.released(); }); },
          "Nothing touches the memory any more.")
      .def(
          "result", [](PyInto& self) { return without_gil([&] { return self.operation.result(); }); },
          "The IntoResult; of nothing before it is ready.")
      .def(
          "wait",
          [](PyInto& self, std::optional<double> timeout) {
            Store& store = *self.store->store;
            return wait_in_turns(wait_of(timeout),
                                 [&](Timeout turn) { return store.wait(self.operation, turn); });
          },
          nb::arg("timeout") = nb::none(), "True when it was released within `timeout` seconds.")
      .def(
          "cancel", [](PyInto& self) { without_gil([&] { self.operation.cancel(); }); },
          "Ends it early: what has not arrived is CANCELLED. RELEASED comes when it is so.");
}

void bind_prefetches(nb::module_& module) {
  using Progress = PrefetchTicket::Progress;
  nb::class_<Progress>(module, "PrefetchProgress", "How far a prefetch is, in blocks.")
      .def_ro("asked", &Progress::asked, "keys")
      .def_ro("arrived", &Progress::arrived, "in L1 and leased")
      .def_ro("failed", &Progress::failed, "missing, late or damaged")
      .def_ro("ended", &Progress::ended, "nothing more comes");
  nb::class_<PrefetchTicket>(
      module, "PrefetchTicket",
      "A prefetch, and the lease on what it brought, until a get took it. Dropping it cancels.")
      .def(
          "progress", [](PrefetchTicket& self) { return without_gil([&] { return self.progress(); }); },
          "How far it is. Never waits for IO.")
      .def(
          "release", [](PrefetchTicket& self) { without_gil([&] { self.release(); }); },
          "Lets go of what it brought.")
      .def(
          "cancel", [](PrefetchTicket& self) { without_gil([&] { self.cancel(); }); },
          "Ends it, and lets go.");
}

}  // namespace

void bind_operations(nb::module_& module) {
  bind_lookups_and_gets(module);
  bind_into(module);
  bind_prefetches(module);
}

}  // namespace terrace::python
