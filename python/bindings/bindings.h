// The parts of the module, each of which binds what its file is named after.
#pragma once

#include <nanobind/nanobind.h>

namespace terrace::python {

namespace nb = nanobind;

void bind_numbers(nb::module_& module);
void bind_keys(nb::module_& module);
void bind_queue(nb::module_& module);
void bind_regions(nb::module_& module);
void bind_results(nb::module_& module);
void bind_operations(nb::module_& module);
void bind_store(nb::module_& module);

}  // namespace terrace::python
