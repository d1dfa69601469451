# Language level, warnings and sanitizers, the same for every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(terrace_flags INTERFACE)
target_compile_options(terrace_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Wundef -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Locks are checked at compile time (base/mutex.h).
  target_compile_options(terrace_flags INTERFACE -Wthread-safety)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 reports these inside libstdc++ and fmt when it inlines at -O2; they are false.
  target_compile_options(terrace_flags INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(TERRACE_HOOKS)
  add_compile_definitions(TERRACE_HOOKS)  # for all: headers differ with it
endif()
if(TERRACE_SANITIZE)
  # The vptr check probes memory through a pipe and reports falsely in a process without free descriptors,
  # which is what one of our tests is about.
  add_compile_options(-fsanitize=${TERRACE_SANITIZE} -fno-sanitize-recover=all -fno-sanitize=vptr)
  add_link_options(-fsanitize=${TERRACE_SANITIZE} -fno-sanitize=vptr)
endif()
if(TERRACE_SANITIZE STREQUAL "memory")
  # It must see every write: what can be compiled here is not taken from a library.
  add_compile_definitions(XXH_INLINE_ALL FMT_HEADER_ONLY _GLIBCXX_EXTERN_TEMPLATE=0)
endif()
if(TERRACE_BUILD_FUZZ)
  # Counters and comparisons that guide libFuzzer; only terrace-fuzz links its main.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(TERRACE_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()

find_program(TERRACE_MOLD mold)
if(TERRACE_MOLD AND NOT TERRACE_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
find_program(TERRACE_CCACHE ccache)
if(TERRACE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${TERRACE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TERRACE_CCACHE})
  if(TERRACE_PRECOMPILE)  # without this it keeps nothing that is compiled with a precompiled header
    list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros)
  endif()
endif()
