// A struct of the C ABI that says its size, which may be wrong; behind it are the fields of a newer program.
#pragma once

#include <cstddef>
#include <new>

#include "fuzz/kit/input.h"

namespace terrace::fuzz {

template <class Struct>
class Sized {
 public:
  explicit Sized(Input& input) : struct_(new(static_cast<void*>(bytes_)) Struct{}) {
    struct_->size = input.one_in(16) ? input.number(2) : sizeof(Struct);
    if (input.one_in(16)) bytes_[sizeof(Struct) + input.below(64)] = std::byte{1};
    is_null_ = input.one_in(32);
  }
  Sized(const Sized&) = delete;
  Sized& operator=(const Sized&) = delete;

  Struct* operator->() { return struct_; }
  const Struct* given() const { return is_null_ ? nullptr : struct_; }

 private:
  alignas(Struct) std::byte bytes_[4096]{};  // as much as is ever looked at
  Struct* struct_;
  bool is_null_ = false;
};

}  // namespace terrace::fuzz
