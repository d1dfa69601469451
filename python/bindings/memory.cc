#include "bindings/memory.h"

#include <nanobind/ndarray.h>

namespace terrace::python {

HeldBuffer::HeldBuffer(nb::handle object, bool writable) {
  if (PyObject_GetBuffer(object.ptr(), &view_, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) != 0)
    throw nb::python_error();
}

HeldBuffer::~HeldBuffer() {
  if (view_.obj != nullptr) PyBuffer_Release(&view_);
}

nb::object dlpack_of(std::span<const std::byte> bytes, bool writable, std::shared_ptr<void> owner,
                     const nb::kwargs& how) {
  auto* const kept = new std::shared_ptr<void>(std::move(owner));
  const nb::capsule keeper(kept, [](void* one) noexcept { delete static_cast<std::shared_ptr<void>*>(one); });
  const size_t shape[] = {bytes.size()};
  auto* const data = const_cast<std::byte*>(bytes.data());
  nb::object array;
  if (writable)
    array = nb::cast(nb::ndarray<nb::array_api, uint8_t, nb::device::cpu>(data, 1, shape, keeper));
  else
    array = nb::cast(nb::ndarray<nb::array_api, const uint8_t, nb::device::cpu>(data, 1, shape, keeper));
  return array.attr("__dlpack__")(**how);
}

int give_buffer(PyObject* self, Py_buffer* view, std::span<const std::byte> bytes, bool writable, int flags) {
  auto* const data = const_cast<std::byte*>(bytes.data());
  return PyBuffer_FillInfo(view, self, data, static_cast<Py_ssize_t>(bytes.size()), writable ? 0 : 1, flags);
}

}  // namespace terrace::python
