# plinth_module(NAME DEPS ... LIBS ... SOURCES ... TESTS ... BENCHES ... FUZZERS ...)
#
# One folder under src/ = one static library plinth_NAME, one test binary NAME_test, one benchmark
# binary NAME_bench, one libFuzzer binary per file in FUZZERS.
#   DEPS     Plinth modules below this one (public: their headers are in ours)
#   LIBS     outside libraries (private)
#   SOURCES  listed by hand
get_filename_component(PLINTH_ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)

# Reading headers is most of what a file costs to compile: those that nearly every file reads are read once. Off where a
# missing #include must show (every preset but release).
option(PLINTH_PRECOMPILE "Precompile the headers of the standard library, fmt, JSON and GoogleTest" OFF)
if(PLINTH_PRECOMPILE)
  # Targets of their own, so that no module's definitions are in what all of them read.
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/headers.cpp CONTENT "")
  set(headers <algorithm> <array> <chrono> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <mutex> <optional> <set> <span>
    <string> <string_view> <utility> <vector> <fmt/format.h> <nlohmann/json.hpp>)
  add_library(plinth_headers OBJECT ${CMAKE_BINARY_DIR}/headers.cpp)
  target_link_libraries(plinth_headers PRIVATE fmt::fmt)
  target_precompile_headers(plinth_headers PRIVATE ${headers})
  add_library(plinth_test_headers OBJECT ${CMAKE_BINARY_DIR}/headers.cpp)
  target_link_libraries(plinth_test_headers PRIVATE fmt::fmt GTest::gmock)
  target_precompile_headers(plinth_test_headers PRIVATE ${headers} <gmock/gmock.h> <gtest/gtest.h>)
endif()

function(plinth_precompiled target headers)
  if(PLINTH_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${headers})
    # GCC forgets which of these headers are the system's, and warns of what it inlines from them.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endfunction()

function(plinth_module name)
  cmake_parse_arguments(M "" "" "DEPS;LIBS;SOURCES;TESTS;BENCHES;FUZZERS" ${ARGN})
  set(target plinth_${name})
  add_library(${target} STATIC ${M_SOURCES})
  target_include_directories(${target} PUBLIC ${PLINTH_ROOT}/src)
  target_compile_options(${target} PRIVATE ${PLINTH_WARNINGS})
  foreach(dep ${M_DEPS})
    target_link_libraries(${target} PUBLIC plinth_${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC fmt::fmt Threads::Threads PRIVATE ${M_LIBS})
  plinth_precompiled(${target} plinth_headers)

  if(M_TESTS)
    add_executable(${name}_test ${M_TESTS})
    target_compile_options(${name}_test PRIVATE ${PLINTH_WARNINGS})
    plinth_precompiled(${name}_test plinth_test_headers)
    target_compile_definitions(${name}_test PRIVATE PLINTH_SOURCE_DIR="${PLINTH_ROOT}")
    target_link_libraries(${name}_test PRIVATE ${target} ${M_LIBS} GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${PLINTH_ROOT})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 900)
  endif()
  if(M_BENCHES)
    add_executable(${name}_bench EXCLUDE_FROM_ALL ${M_BENCHES})
    target_compile_options(${name}_bench PRIVATE ${PLINTH_WARNINGS})
    target_link_libraries(${name}_bench PRIVATE ${target} ${M_LIBS} benchmark::benchmark_main)
  endif()
  if(PLINTH_FUZZ)
    foreach(fuzzer ${M_FUZZERS})
      get_filename_component(stem ${fuzzer} NAME_WE)
      add_executable(${stem} ${fuzzer})
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${stem} PRIVATE ${target} ${M_LIBS})
    endforeach()
  endif()
endfunction()

set(PLINTH_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
