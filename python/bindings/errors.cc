#include "bindings/errors.h"

#include <string>

namespace terrace::python {

namespace {

// Lives as long as the interpreter, as all types of a module without a state do.
PyObject* error_type = nullptr;

[[noreturn]] void raise(Code code, const std::string& message) {
  const nb::object error = nb::borrow(error_type)(message.c_str());
  error.attr("code") = nb::cast(code);
  PyErr_SetObject(error_type, error.ptr());
  throw nb::python_error();
}

}  // namespace

void raise(const Error& error) {
  raise(error.code, std::string(to_string(error.code)) + ": " + to_string(error));
}

void raise(const Failure& failure) {
  raise(failure.error.code, failure.message);
}

void raise_invalid(const std::string& message) {
  raise(Code::kInvalidArgument, message);
}

void bind_errors(nb::module_& module) {
  nb::enum_<Code>(module, "Code", "Why a call failed, and what to do about it (include/terrace/error.h).")
      .value("INVALID_ARGUMENT", Code::kInvalidArgument, "fix the call: a value is outside what is allowed")
      .value("LIMIT_EXCEEDED", Code::kLimitExceeded, "ask for less: a documented limit was passed")
      .value("NO_ARENA", Code::kNoArena, "use put from registered memory: this L1 mode has no arena")
      .value("BUSY", Code::kBusy, "try again when what uses the object has ended")
      .value("CLOSED", Code::kClosed, "the store was closed; open a new one")
      .value("DEADLINE", Code::kDeadline, "the deadline passed")
      .value("CANCELLED", Code::kCancelled, "the caller cancelled it")
      .value("IO", Code::kIo, "the device failed")
      .value("NO_SPACE", Code::kNoSpace, "the device is full; free space or lower the capacity")
      .value("CORRUPT", Code::kCorrupt, "stored bytes failed verification; treated as a miss")
      .value("INCOMPATIBLE", Code::kIncompatible, "written by another version")
      .value("FOREIGN", Code::kForeign, "the directory holds something that is not Terrace's")
      .value("IN_USE", Code::kInUse, "another process holds it")
      .value("PERMISSION", Code::kPermission, "the operating system refuses access")
      .value("NOT_FOUND", Code::kNotFound, "no such file, path or object")
      .value("UNSUPPORTED", Code::kUnsupported, "this machine or tier cannot do it")
      .value("UNAVAILABLE", Code::kUnavailable, "the tier or server does not answer now; try later")
      .value("NO_MEMORY", Code::kNoMemory, "the memory asked for cannot be had")
      .value("NO_ROOM", Code::kNoRoom, "everything that could make room is pinned or reserved")
      .value("INTERNAL", Code::kInternal, "a defect in Terrace; please report it");

  error_type = PyErr_NewExceptionWithDoc(
      "terrace.Error",
      "A call that could not be done. `code` is a terrace.Code; the text names the value and what is "
      "allowed.\n"
      "A miss is not an error: lookups and retrieves return values that say what was found.",
      PyExc_RuntimeError, nullptr);
  if (error_type == nullptr) throw nb::python_error();
  module.attr("Error") = nb::borrow(error_type);
}

}  // namespace terrace::python
