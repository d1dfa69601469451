// terrace._terrace: the store for Python. All policy is in C++; what is here converts, holds and lets go.
#include "bindings/bindings.h"
#include "bindings/errors.h"

NB_MODULE(_terrace, module) {
  using namespace terrace::python;
  namespace nb = nanobind;
  nb::set_leak_warnings(false);  // an engine that ends holds its store to the end
  module.doc() = "Terrace's store. Use it through the package terrace.";
  bind_errors(module);
  bind_numbers(module);
  bind_keys(module);
  bind_queue(module);
  bind_regions(module);
  bind_results(module);
  bind_operations(module);
  bind_store(module);
}
