# What `cmake --install` installs: tools, headers, libraries, and the package that find_package(Phantom) finds.
# The runtime is an export of its own, so that programs which only run compiled models need no MLIR.

include(CMakePackageConfigHelpers)

add_library(PhantomCompiler INTERFACE)
set(PHANTOM_COMPILER_LIBRARIES
  PhantomIR PhantomTransforms PhantomConversion PhantomPipelines PhantomONNXReader PhantomONNXImport PhantomONNXWriter
  PhantomONNXExport PhantomStepProgram PhantomCpuTarget PhantomGpuTarget PhantomDriver)
target_link_libraries(PhantomCompiler INTERFACE ${PHANTOM_COMPILER_LIBRARIES})

foreach(library phantom_rt PhantomCompiler)
  target_compile_features(${library} INTERFACE cxx_std_20)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
set_target_properties(phantom_rt PROPERTIES EXPORT_NAME runtime)
set_target_properties(PhantomCompiler PROPERTIES EXPORT_NAME compiler)

install(TARGETS phantom_rt EXPORT PhantomRuntimeTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(TARGETS PhantomCompiler ${PHANTOM_COMPILER_LIBRARIES} EXPORT PhantomCompilerTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT compiler)
install(TARGETS phantom-opt phantom-translate phantom-run phantom-plan phantom-lsp-server
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT runtime)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/phantom ${PROJECT_BINARY_DIR}/include/phantom
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT compiler
        FILES_MATCHING PATTERN *.h PATTERN *.td PATTERN *.inc PATTERN CMakeFiles EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/machines DESTINATION ${CMAKE_INSTALL_DATADIR}/phantom COMPONENT tools)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/phantom COMPONENT runtime)

set(PHANTOM_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Phantom)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/PhantomConfig.cmake.in
  ${PROJECT_BINARY_DIR}/PhantomConfig.cmake INSTALL_DESTINATION ${PHANTOM_PACKAGE_DIR}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/PhantomConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/PhantomConfig.cmake ${PROJECT_BINARY_DIR}/PhantomConfigVersion.cmake
        DESTINATION ${PHANTOM_PACKAGE_DIR} COMPONENT runtime)
foreach(part Runtime Compiler)
  string(TOLOWER ${part} component)
  install(EXPORT Phantom${part}Targets NAMESPACE Phantom:: DESTINATION ${PHANTOM_PACKAGE_DIR} COMPONENT ${component})
endforeach()
