// Operations under way, and their answers in Python's hands.
#pragma once

#include <memory>

#include <terrace/store.h>

#include "bindings/handles.h"

namespace terrace::python {

struct PyInto {
  std::shared_ptr<StoreHandle> store;  // goes after the operation, which is cancelled then
  IntoOperation operation;
};

PyLookup lookup_of(LookupResult&& result);
PyBlocks blocks_of(Blocks&& blocks);

}  // namespace terrace::python
