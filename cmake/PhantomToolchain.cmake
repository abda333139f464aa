# Warnings, sanitizers, linker and compiler cache.

add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 sees uninitialised members where a std::variant is copied.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
endif()

if(PHANTOM_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -g1)
  add_link_options(-fsanitize=thread)
elseif(PHANTOM_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=vptr -g1)
  add_link_options(-fsanitize=address,undefined)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc takes the address passed to LLVM's unpoisoning calls for a read.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
elseif(NOT PHANTOM_SANITIZE STREQUAL "")
  message(FATAL_ERROR "PHANTOM_SANITIZE is '${PHANTOM_SANITIZE}'; use 'thread', 'address' or nothing")
endif()

if(PHANTOM_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PHANTOM_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++-22")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(PHANTOM_LLD NAMES ld.lld-22 ld.lld HINTS /usr/lib/llvm-22/bin)
if(PHANTOM_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc looks for "ld.lld" in the folders given by -B.
  get_filename_component(PHANTOM_LLD_REAL ${PHANTOM_LLD} REALPATH)
  get_filename_component(PHANTOM_LLD_DIR ${PHANTOM_LLD_REAL} DIRECTORY)
  if(EXISTS /usr/lib/llvm-22/bin/ld.lld)
    set(PHANTOM_LLD_DIR /usr/lib/llvm-22/bin)
  endif()
  add_link_options(-fuse-ld=lld -B${PHANTOM_LLD_DIR})
endif()

find_program(PHANTOM_CCACHE ccache)
if(PHANTOM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${PHANTOM_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PHANTOM_CCACHE})
endif()
