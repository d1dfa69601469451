// Versions, and the words for numbers.
#include <terrace/store.h>
#include <terrace/terrace.h>

extern "C" {

uint32_t terrace_abi_version(void) {
  return TERRACE_ABI_VERSION;
}

const char* terrace_version(void) {
  return TERRACE_LIBRARY_VERSION;
}

// The words are string literals, so that they end with NUL.
const char* terrace_code_name(terrace_code code) {
  if (code == TERRACE_OK) return "ok";
  constexpr terrace_code kMost = UINT8_MAX;
  const bool is_one = code > 0 && code <= kMost;
  return to_string(static_cast<terrace::Code>(is_one ? code : kMost)).data();
}

const char* terrace_drop_cause_name(uint8_t cause) {
  return to_string(static_cast<terrace::DropCause>(cause)).data();
}

const char* terrace_miss_reason_name(uint8_t reason) {
  return to_string(static_cast<terrace::MissReason>(reason)).data();
}

}  // extern "C"
