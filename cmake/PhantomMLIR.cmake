# LLVM and MLIR 22 from the system, linked through the shared libraries.

find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22)
set(MLIR_LINK_MLIR_DYLIB ON)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(PHANTOM_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_definitions(${PHANTOM_LLVM_DEFINITIONS})

# MLIR's headers take most of the compiler's time: a source file that reads
# them precompiled (PRECOMPILED below) takes a third of it.
option(PHANTOM_PRECOMPILED_HEADERS "Precompile the headers of MLIR" ON)

# LLVM is built without exceptions; code that links it is too, unless a
# library asks (protobuf and oneDNN throw).
function(phantom_add_library name)
  cmake_parse_arguments(ARG "EXCEPTIONS;PRECOMPILED" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  if(ARG_PRECOMPILED AND PHANTOM_PRECOMPILED_HEADERS)
    target_precompile_headers(${name} REUSE_FROM PhantomPrecompiled)
  endif()
  if(NOT ARG_EXCEPTIONS)
    target_compile_options(${name} PRIVATE -fno-exceptions)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

function(phantom_add_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()
