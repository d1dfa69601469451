// Something that waits for a block to be loaded into the arena.
#pragma once

#include <cstddef>
#include <cstdint>

#include <terrace/store.h>

#include "store/buffer.h"
#include "store/scope.h"

namespace terrace::store {

class LoadWaiter {
 public:
  ScopePtr scope;  // of its request
  virtual ~LoadWaiter() = default;
  // Under the store's mutex. `buffer` carries a reference for the waiter; null: `reason` says why.
  virtual void loaded(size_t index, Buffer* buffer, uint16_t source, MissReason reason) = 0;
};

}  // namespace terrace::store
