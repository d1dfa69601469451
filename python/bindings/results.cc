// What requests answer with: buffers to fill, leased blocks, what was found.
#include <cstring>

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <terrace/store.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/handles.h"

namespace terrace::python {

namespace {

// --- reservations

FillBuffer& filling(const PyReservation& self) {
  if (!self.state->reservation) raise_invalid("the reservation was committed or aborted");
  return *self.state;
}

int reservation_buffer(PyObject* self, Py_buffer* view, int flags) {
  const auto& held = *nb::inst_ptr<PyReservation>(nb::handle(self));
  if (!held.state->reservation) {
    PyErr_SetString(PyExc_BufferError, "the reservation was committed or aborted");
    return -1;
  }
  const int given = give_buffer(self, view, held.state->reservation.bytes(), true, flags);
  if (given == 0) ++held.state->looked_at;
  return given;
}

void reservation_done(PyObject* self, Py_buffer*) {
  --nb::inst_ptr<PyReservation>(nb::handle(self))->state->looked_at;
}

PyType_Slot reservation_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(reservation_buffer)},
                                   {Py_bf_releasebuffer, reinterpret_cast<void*>(reservation_done)},
                                   {0, nullptr}};

nb::object reservation_dlpack(const PyReservation& self, const nb::kwargs& how) {
  FillBuffer& buffer = filling(self);
  ++buffer.looked_at;
  std::shared_ptr<void> look(&buffer, [state = self.state](FillBuffer*) { --state->looked_at; });
  return dlpack_of(buffer.reservation.bytes(), true, std::move(look), how);
}

void write(const PyReservation& self, nb::handle data, uint64_t offset) {
  const HeldBuffer from(data, false);  // may run Python: the reservation is looked at afterwards
  FillBuffer& buffer = filling(self);
  const auto to = buffer.reservation.bytes();
  if (offset > to.size() || from.bytes().size() > to.size() - offset) {
    raise_invalid(
        fmt::format("{} bytes at {} do not fit into a block of {}", from.bytes().size(), offset, to.size()));
  }
  ++buffer.looked_at;  // another thread must not commit it meanwhile
  without_gil([&] { std::memcpy(to.data() + offset, from.bytes().data(), from.bytes().size()); });
  --buffer.looked_at;
}

void abort(const PyReservation& self) {
  if (self.state->looked_at > 0) raise(Error{Code::kBusy, 0, "its bytes are looked at: release them first"});
  self.state->reservation.abort();
}

void bind_reservation(nb::module_& module) {
  nb::class_<PyReservation>(
      module, "Reservation", nb::type_slots(reservation_slots),
      "A private buffer to fill and commit. Dropping it aborts.\n\n"
      "Writable through the buffer protocol and DLPack (uint8[len]); commit raises Error\n"
      "with Code.BUSY while such a view is alive, as what is published never changes.")
      .def_prop_ro(
          "key", [](const PyReservation& self) { return bytes_of(self.state->reservation.key()); },
          "Of the block: 32 bytes.")
      .def(
          "__len__", [](const PyReservation& self) { return self.state->reservation.bytes().size(); },
          "Bytes; 0 once it was committed or aborted.")
      .def("write", &write, nb::arg("data"), nb::arg("offset") = 0,
           "Copies a contiguous buffer into it, at `offset` bytes.")
      .def("abort", &abort, "Gives it back unpublished.")
      .def("__dlpack__", &reservation_dlpack)
      .def("__dlpack_device__", [](const PyReservation&) { return nb::make_tuple(1, 0); });

  nb::class_<PyReserveAnswer>(module, "ReserveAnswer", "What became of one block of a reserve.")
      .def_ro("outcome", &PyReserveAnswer::outcome, "BUFFER, PRESENT, IN_FLIGHT or NO_ROOM.")
      .def_ro("reservation", &PyReserveAnswer::reservation, "Of BUFFER: what to fill and commit; else None.");
}

// --- blocks

int block_buffer(PyObject* self, Py_buffer* view, int flags) {
  return give_buffer(self, view, nb::inst_ptr<PyBlock>(nb::handle(self))->view().bytes, false, flags);
}

PyType_Slot block_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(block_buffer)}, {0, nullptr}};

const Blocks& leased(const PyBlocks& self) {
  if (self.blocks == nullptr) raise(Error{Code::kClosed, 0, "the blocks were released"});
  return *self.blocks;
}

void bind_blocks(nb::module_& module) {
  nb::class_<PyBlock>(
      module, "Block", nb::type_slots(block_slots),
      "One leased block: read-only through the buffer protocol and DLPack (uint8[len]). Its bytes\n"
      "were verified, and stay as they are as long as it, or a view of it, is held.")
      .def_prop_ro(
          "key", [](const PyBlock& self) { return bytes_of(self.view().key); }, "32 bytes.")
      .def_prop_ro(
          "source", [](const PyBlock& self) { return self.view().source; },
          "0: L1, i: the i-th tier behind it.")
      .def(
          "__len__", [](const PyBlock& self) { return self.view().bytes.size(); }, "Bytes.")
      .def("__bytes__",
           [](const PyBlock& self) { return nb::bytes(self.view().bytes.data(), self.view().bytes.size()); })
      .def("__dlpack__",
           [](const PyBlock& self, const nb::kwargs& how) {
             auto owner = std::const_pointer_cast<Blocks>(self.blocks);
             return dlpack_of(self.view().bytes, false, std::move(owner), how);
           })
      .def("__dlpack_device__", [](const PyBlock&) { return nb::make_tuple(1, 0); });

  nb::class_<PyBlocks>(
      module, "Blocks",
      "What a get delivered: the longest prefix that is there, leased until this and every Block\n"
      "and view of it are gone. A sequence of Block.")
      .def("__len__", [](const PyBlocks& self) { return leased(self).size(); })
      .def(
          "__getitem__",
          [](const PyBlocks& self, Py_ssize_t at) {
            const auto size = static_cast<Py_ssize_t>(leased(self).size());
            if (at < 0) at += size;
            if (at < 0 || at >= size) throw nb::index_error();
            return PyBlock{self.blocks, static_cast<size_t>(at)};
          },
          nb::arg("index"))
      .def_prop_ro(
          "reasons", [](const PyBlocks& self) { return copy_of(leased(self).reasons()); },
          "list[MissReason]: one for each key that was not delivered, in order.")
      .def(
          "release", [](PyBlocks& self) { self.blocks.reset(); },
          "Ends the lease, as soon as no Block and no view of one is held.")
      .def("__enter__", [](nb::object self) { return self; })
      .def("__exit__", [](PyBlocks& self, const nb::args&) { self.blocks.reset(); });
}

// --- what was found

void bind_lookup(nb::module_& module) {
  nb::class_<Pin>(module, "Pin", "Keeps what a lookup found until it is dropped or released.")
      .def("__bool__", [](const Pin& self) { return static_cast<bool>(self); })
      .def("release", &Pin::release, "Lets go of them before it is dropped.");

  nb::class_<PyLookup>(module, "Lookup", "What a lookup found.")
      .def_ro("found", &PyLookup::found, "Length of the longest retrievable prefix.")
      .def_ro("where", &PyLookup::where,
              "Of each found key where it is: bit 0 L1, bit i the i-th tier behind it.")
      .def_ro("reasons", &PyLookup::reasons, "list[MissReason]: one for each key not found, in order.")
      .def_ro("pin", &PyLookup::pin, "What keeps the found ones, when it was asked for; else None.");

  nb::class_<FamilyLookup>(module, "FamilyLookup", "What a lookup of families found.")
      .def_ro("found", &FamilyLookup::found, "Length of the longest prefix that can be used.")
      .def_ro("reasons", &FamilyLookup::reasons,
              "list[MissReason]: one for each family not found, in order.");

  nb::class_<IntoResult>(module, "IntoResult", "What a get_into delivered.")
      .def_ro("delivered", &IntoResult::delivered, "How many slices, from the first, hold their blocks.")
      .def_ro("source", &IntoResult::source, "Of the delivered: 0 L1, i the i-th tier behind it.")
      .def_ro("reasons", &IntoResult::reasons, "list[MissReason]: one for each other key, in order.");
}

}  // namespace

void bind_results(nb::module_& module) {
  bind_reservation(module);
  bind_blocks(module);
  bind_lookup(module);
}

}  // namespace terrace::python
