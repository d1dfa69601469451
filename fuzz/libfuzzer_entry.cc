// The functions libFuzzer calls.
#include "fuzz/kit/program.h"

namespace {

const terrace::fuzz::Target* target = nullptr;

}  // namespace

extern "C" {

size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  target = &terrace::fuzz::start_program({*argv, static_cast<size_t>(*argc)}, true);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  target->run(std::as_bytes(std::span(data, size)));
  return 0;
}

// One mutant in eight stays as the mutation left it, its sums wrong.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  terrace::base::Random random(seed);
  if (target->mend == nullptr || size == 0 || !random.one_in(3)) {
    size = LLVMFuzzerMutate(data, size, size_max);
  }
  if (target->mend != nullptr && !random.one_in(8)) {
    target->mend(std::as_writable_bytes(std::span(data, size)), random);
  }
  return size;
}

}  // extern "C"
