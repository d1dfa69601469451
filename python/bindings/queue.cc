// Completions: what asynchronous operations report, on a queue with a descriptor to poll.
#include <array>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <terrace/completion.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"

namespace terrace::python {

namespace {

constexpr size_t kEventsMost = 4096;  // of one call

std::vector<Completion> some(size_t most) {
  return std::vector<Completion>(std::min(most, kEventsMost));
}

}  // namespace

void bind_queue(nb::module_& module) {
  nb::class_<Completion>(module, "Completion", "One event of an asynchronous operation.")
      .def_ro("kind", &Completion::kind, "what happened")
      .def_ro("status", &Completion::status, "of WRITE")
      .def_ro("cause", &Completion::cause, "of a dropped WRITE")
      .def_ro("tier", &Completion::tier, "of WRITE: 1 the nearest tier behind L1")
      .def_ro("tag", &Completion::tag, "as given to the operation")
      .def_prop_ro(
          "key", [](const Completion& self) { return bytes_of(self.key); }, "of WRITE and a put's RELEASED")
      .def_prop_ro(
          "error",
          [](const Completion& self) -> std::optional<std::string> {
            if (self.status != WriteStatus::kFailed) return std::nullopt;
            return to_string(self.error);
          },
          "of a failed WRITE, in words");

  nb::class_<CompletionQueue>(module, "CompletionQueue",
                              "Where operations report (Store.make_queue). Any thread.")
      .def("fileno", &CompletionQueue::fd,
           "Readable while events wait, for select and event loops; -1 where there is none to be had.")
      .def(
          "poll",
          [](CompletionQueue& self, size_t most) {
            auto events = some(most);
            events.resize(without_gil([&] { return self.poll(events); }));
            return events;
          },
          nb::arg("most") = 256, "Takes up to `most` events (4096 at most). Never waits.")
      .def(
          "wait",
          [](CompletionQueue& self, std::optional<double> timeout, size_t most) {
            auto events = some(most);
            size_t count = 0;
            wait_in_turns(wait_of(timeout),
                          [&](Timeout turn) { return (count = self.wait(events, turn)) > 0; });
            events.resize(count);
            return events;
          },
          nb::arg("timeout") = nb::none(), nb::arg("most") = 256,
          "As poll, waiting for at least one event up to `timeout` seconds; None: until there is one.");
}

}  // namespace terrace::python
