// Operations under way, and their answers in Python's hands.
#pragma once

#include <memory>

#include <terrace/store.h>

#include "bindings/handles.h"

namespace terrace::python {

struct PyInto {
  IntoOperation operation;
  std::shared_ptr<StoreHandle> store;
};

PyLookup lookup_of(LookupResult&& result);
PyBlocks blocks_of(Blocks&& blocks);

}  // namespace terrace::python
