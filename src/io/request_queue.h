// Requests that wait inside an engine, first in, first out. As many as the engine's depth, which is all that
// a scheduler hands over, wait without asking for memory (P7).
#pragma once

#include <cstddef>
#include <utility>

#include <boost/circular_buffer.hpp>

#include "io/io_engine.h"

namespace terrace::io {

class RequestQueue {
 public:
  explicit RequestQueue(size_t depth) : ring_(depth) {}

  bool empty() const { return ring_.empty(); }
  void push(IoRequest&& request) {
    if (ring_.full()) ring_.set_capacity(2 * ring_.capacity());
    ring_.push_back(std::move(request));
  }
  IoRequest pop() {
    IoRequest first = std::move(ring_.front());
    ring_.pop_front();
    return first;
  }

 private:
  boost::circular_buffer<IoRequest> ring_;
};

}  // namespace terrace::io
