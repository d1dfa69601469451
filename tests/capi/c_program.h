/* A program in C, for the tests in C++ to call. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Stores a chain of blocks in a store of this YAML, finds and gets it. NULL, or what went wrong. */
const char* run_c_program(const char* yaml);

#ifdef __cplusplus
}
#endif
