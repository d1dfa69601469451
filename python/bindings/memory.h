// Memory that Python and Terrace share, without copies: the buffer protocol and DLPack.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <nanobind/nanobind.h>

namespace terrace::python {

namespace nb = nanobind;

// One contiguous buffer of Python's, held until this is destroyed. With the GIL; raises BufferError.
class HeldBuffer {
 public:
  HeldBuffer(nb::handle object, bool writable);
  HeldBuffer(HeldBuffer&& other) noexcept : view_(std::exchange(other.view_, {})) {}
  HeldBuffer& operator=(HeldBuffer&&) = delete;
  ~HeldBuffer();
  std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(view_.buf), static_cast<size_t>(view_.len)};
  }
  // Never given back: something may write there still.
  void keep_for_ever() { view_ = {}; }

 private:
  Py_buffer view_{};
};

// Bytes as DLPack of uint8[n] on the CPU; `owner` goes when the last consumer has let go of them.
nb::object dlpack_of(std::span<const std::byte> bytes, bool writable, std::shared_ptr<void> owner,
                     const nb::kwargs& how);

// For Py_bf_getbuffer: one dimension of bytes, which `self` keeps alive.
int give_buffer(PyObject* self, Py_buffer* view, std::span<const std::byte> bytes, bool writable, int flags);

}  // namespace terrace::python
