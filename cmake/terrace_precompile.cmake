# A short build for the presets that only check (clang): the headers of libraries are compiled once. The g++
# presets go without, so that a missing include is found.
set(terrace_library_headers
  <algorithm> <array> <atomic> <bit> <chrono> <cstdint> <cstring> <deque> <expected> <filesystem> <fstream>
  <functional> <map> <memory> <optional> <set> <span> <sstream> <string> <string_view> <thread>
  <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

if(TERRACE_PRECOMPILE)
  # With ccache: a precompiled header counts by its content, and keeps the same bytes.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "int main() {}\n")

  add_library(terrace_precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_link_libraries(terrace_precompiled PRIVATE terrace_flags fmt::fmt)
  target_precompile_headers(terrace_precompiled PRIVATE ${terrace_library_headers})

  if(TERRACE_BUILD_TESTS)  # a program: its code is position independent in another way
    add_executable(terrace_precompiled_tests ${CMAKE_BINARY_DIR}/precompiled.cc)
    target_link_libraries(terrace_precompiled_tests PRIVATE terrace_flags fmt::fmt GTest::gmock)
    target_precompile_headers(terrace_precompiled_tests PRIVATE
      ${terrace_library_headers} <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endif()

function(terrace_precompile_library target)
  if(TERRACE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM terrace_precompiled)
  endif()
endfunction()

function(terrace_precompile_tests target)
  if(TERRACE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM terrace_precompiled_tests)
  endif()
endfunction()
